"""The separation of synthetic and real cases from the majority."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.linalg import cho_factor, cho_solve

from mgvae.cohort.embedding import Floats, nearest, nearest_other
from mgvae.reproducibility import numpy_generator
from validation.covariance import shrunk_covariance
from validation.intervals import LEVEL, Interval, auc_interval, auc_variance, ratio

MOST_MAJORITY = 8000  # majority rows that train and, once more, that are held out
MOST_SYNTHETIC = 2000
FOLDS = 5
RIDGE = 1e-3  # of the mean variance: levels of one column sum to one, so the covariance alone may be singular

Score = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Separation:
    """How well a model separates cases from held-out majority patients.

    Attributes:
        synthetic: AUC of the synthetic cases.
        real: AUC of the real cases, each scored by models that were not trained on it.
        kept: ``(synthetic - 0.5) / (real - 0.5)``; None where the real cases are not clearly above 0.5.
    """

    synthetic: float
    real: Interval
    kept: Interval | None


def separation(
    synthetic: Floats, majority: Floats, cases: Floats, majority_holdout: Floats, cases_holdout: Floats, *, seed: int
) -> Separation | None:
    """Measure how much of the real cases' separation the synthetic cases keep.

    The training cases are dealt into folds, and for each pair of folds a model is trained on the majority and on the cases of
    the other folds. Every real or synthetic case is scored by the models that know neither itself nor its nearest training
    case. Else a generator that repeats its training cases would score too well; and leaving out the nearest case for synthetic
    cases alone would make them look worse than real ones. The parents do train the models, as majority patients: this can only
    lower the score of a synthetic case that resembles its parent.

    Intervals: DeLong's variances (Biometrics 1988) over cases, synthetic cases and held-out majority, then Fieller's ratio.

    Args:
        synthetic, majority, cases, majority_holdout, cases_holdout: embedded rows, ``(rows, P)``.
        seed: of folds and subsamples.

    Returns:
        The separation; None with fewer than three training cases or two majority rows on either side.
    """
    if len(cases) < 3 or min(len(majority), len(majority_holdout)) < 2 or len(synthetic) == 0:
        return None
    draw = numpy_generator(seed, "separation")
    majority, majority_holdout = (rows[draw.permutation(len(rows))[:MOST_MAJORITY]] for rows in (majority, majority_holdout))
    synthetic = synthetic[draw.permutation(len(synthetic))[:MOST_SYNTHETIC]]
    fold = draw.permutation(len(cases)) % min(FOLDS, len(cases))
    real = np.concatenate([cases, cases_holdout])
    real_folds = np.concatenate([_known_by_case(cases, fold), _known_by(cases_holdout, cases, fold)])
    groups = [_Scored(real, real_folds, fold.max() + 1), _Scored(synthetic, _known_by(synthetic, cases, fold), fold.max() + 1)]
    discriminant = _Discriminant(majority)
    above = np.zeros((2, len(majority_holdout)))
    for left_out in itertools.combinations(range(fold.max() + 1), 2):
        score = discriminant.fit(cases[~np.isin(fold, left_out)])
        against = score(majority_holdout)
        for place, group in enumerate(groups):
            above[place] += group.add(score, left_out, against)
    return _summary(groups[1].placed, groups[0].placed, above[1], above[0])


class _Scored:
    """Cases with their mean placement among the held-out majority."""

    def __init__(self, rows: Floats, folds: Floats, n_folds: int) -> None:
        self.rows, self.folds = rows, folds
        self.weight = np.where(folds[:, 0] == folds[:, 1], 1 / (n_folds - 1), 1.0)  # one over the number of such models
        self.placed = np.zeros(len(rows))

    def add(self, score: Score, left_out: tuple[int, ...], against: Floats) -> Floats:
        """Add the scores of a model.

        Returns:
            For each held-out majority row, the increase of the share of cases above it.
        """
        own = np.isin(self.folds, left_out).all(axis=1)
        if not own.any():
            return np.zeros(len(against))
        scores, weight = score(self.rows[own]), self.weight[own]
        self.placed[own] += weight * _placement(scores, against)
        return np.asarray((weight.sum() - _placement(against, scores, weight)) / len(self.rows))


def _known_by(rows: Floats, cases: Floats, fold: Floats) -> Floats:
    """Return the fold of each row's nearest training case, twice, ``(rows, 2)``."""
    if len(rows) == 0:
        return np.empty((0, 2), dtype=int)
    return np.asarray(fold[nearest(rows, cases)[1][:, [0, 0]]])


def _known_by_case(cases: Floats, fold: Floats) -> Floats:
    """Return the folds of each training case and of its nearest, ``(cases, 2)``."""
    return np.stack([fold, fold[nearest_other(cases, np.arange(len(cases)))]], axis=1)


class _Discriminant:
    """Fisher's linear discriminant on the coordinates and their squares.

    Coordinates of two values have no square. With squares, both ends of a laboratory value can mark a case. The covariance is
    the majority's, shrunk by Ledoit and Wolf (J Multivar Anal 2004), so that the direction is stable with few cases, and
    computed once for all folds.
    """

    def __init__(self, majority: Floats) -> None:
        self.squared = np.array([len(np.unique(column[:1000])) > 2 for column in majority.T], dtype=bool)
        rows = self._with_squares(majority)
        self.mean = rows.mean(axis=0)
        rows -= self.mean
        covariance = shrunk_covariance(rows)
        covariance.flat[:: len(covariance) + 1] += RIDGE * float(np.trace(covariance)) / len(covariance) + 1e-12
        self.factor = cho_factor(covariance, overwrite_a=True)

    def fit(self, cases: Floats) -> Score:
        """Return a score that grows with the likeness to ``cases``."""
        direction = cho_solve(self.factor, self._with_squares(cases).mean(axis=0) - self.mean)
        return lambda rows: np.asarray(self._with_squares(rows) @ direction)

    def _with_squares(self, rows: Floats) -> Floats:
        return np.concatenate([rows, rows[:, self.squared] ** 2], axis=1).astype(np.float64)


def _placement(scores: Floats, against: Floats, weight: Floats | None = None) -> Floats:
    """Return the share, or the weight, of ``against`` below each score; ties half."""
    order = np.argsort(against)
    weight = np.full(len(against), 1 / len(against)) if weight is None else weight[order]
    below, ordered = np.concatenate([[0.0], np.cumsum(weight)]), against[order]
    return np.asarray((below[np.searchsorted(ordered, scores, "left")] + below[np.searchsorted(ordered, scores, "right")]) / 2)


def _summary(synthetic: Floats, real: Floats, above_synthetic: Floats, above_real: Floats) -> Separation:
    n_majority, n_real, n_synthetic = len(above_real), len(real), len(synthetic)
    between = np.cov(above_synthetic, above_real) / n_majority
    auc_synthetic, auc_real = float(synthetic.mean()), float(real.mean())
    var_real = _variance(real, between[1, 1], n_majority)
    var_synthetic = _variance(synthetic, between[0, 0], n_majority)
    estimate = auc_interval(auc_real, n_real, n_majority)
    # few cases may all rank high by chance and then vary little: allow for the scatter of an AUC of 0.5 as well
    reach = float(stats.t.ppf((1 + LEVEL) / 2, n_real - 1)) * math.sqrt(auc_variance(0.5, n_real, n_majority))
    if auc_real - 0.5 <= reach:
        return Separation(auc_synthetic, estimate, None)
    kept = ratio(
        auc_synthetic - 0.5,
        auc_real - 0.5,
        var_top=var_synthetic,
        var_bottom=var_real,
        covariance=float(between[0, 1]),
        degrees=max(min(n_real, n_synthetic) - 1, 1),
    )
    return Separation(auc_synthetic, estimate, kept)


def _variance(placed: Floats, between: float, n_majority: int) -> float:
    """Return the variance of an AUC; at least what its size allows: DeLong's is zero where all cases rank on top."""
    count, auc = len(placed), float(placed.mean())
    least = auc_variance((count * auc + 0.5) / (count + 1), count, n_majority)
    return max(float(placed.var(ddof=1)) / count + between, least) if count > 1 else least + 0.25
