"""Comparisons of arms: intervals over folds, ranks over blocks, and tests, as pure functions of numbers.

A block is a cohort with a classifier; its value for an arm is the mean over seeds and folds, and higher is better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A mean over folds with its 95 % interval.

    Attributes:
        mean: of the folds.
        low, high: ends of the interval; NaN with fewer than two folds.
        p: two-sided, of a mean of 0; 1 where all folds are 0.
    """

    mean: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Ranking:
    """Arms ranked on every block.

    Attributes:
        arms: the best mean rank first.
        mean_ranks: of these arms; 1 is the best possible.
        blocks: how many there are.
        friedman_p: of equal ranks; NaN with fewer than three arms or two blocks.
    """

    arms: tuple[str, ...]
    mean_ranks: tuple[float, ...]
    blocks: int
    friedman_p: float


def corrected_interval(values: Sequence[float], *, test_share: float, level: float = 0.95) -> Interval:
    """Return the mean of repeated cross-validation with the corrected resampled t interval.

    Args:
        values: one per seed and fold, in any order.
        test_share: test rows per training row, 1 / (folds - 1).
        level: of the interval.
    Source: Nadeau & Bengio 2003, doi 10.1023/A:1024068626366, for repeated folds as in Bouckaert & Frank 2004: the variance is
        (1/k + test_share) times the variance of the k values, since their training parts overlap.
    """
    k, mean = len(values), float(np.mean(values))
    if k < 2:
        return Interval(mean, float("nan"), float("nan"), float("nan"))
    error = float(np.sqrt((1 / k + test_share) * np.var(values, ddof=1)))
    reach = float(stats.t.ppf((1 + level) / 2, k - 1)) * error
    if error == 0:
        return Interval(mean, mean, mean, 1.0 if mean == 0 else 0.0)
    return Interval(mean, mean - reach, mean + reach, float(2 * stats.t.sf(abs(mean) / error, k - 1)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p values adjusted for their number by Holm's step-down procedure, in the same order."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted.tolist()


def ranked(values: Mapping[str, Sequence[float]]) -> Ranking:
    """Return the mean ranks of the arms over blocks with Friedman's test; tied arms share their mean rank.

    Args:
        values: by arm, one per block in the same order; higher is better.
    Source: Demsar 2006, JMLR 7:1-30.
    """
    arms = list(values)
    table = np.array([values[arm] for arm in arms], dtype=np.float64)
    mean_ranks = stats.rankdata(-table, axis=0).mean(axis=1)
    order = np.argsort(mean_ranks, kind="stable")
    p = float("nan")
    if len(arms) >= 3 and table.shape[1] >= 2 and np.ptp(table, axis=0).any():
        p = float(stats.friedmanchisquare(*table).pvalue)
    return Ranking(tuple(arms[i] for i in order), tuple(float(mean_ranks[i]) for i in order), table.shape[1], p)


def against(values: Mapping[str, Sequence[float]], arm: str) -> dict[str, tuple[float, float]]:
    """Return Wilcoxon's signed-rank test of ``arm`` against every other arm: p, and p adjusted by Holm over the others."""
    others = [other for other in values if other != arm]
    raw = [_signed_rank(np.subtract(values[arm], values[other])) for other in others]
    return dict(zip(others, zip(raw, holm(raw), strict=True), strict=True))


def _signed_rank(differences: FloatArray) -> float:
    if not np.any(differences):
        return 1.0
    return float(stats.wilcoxon(differences).pvalue)
