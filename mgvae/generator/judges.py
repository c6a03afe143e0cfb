"""Judge how much likelier a row is among cases than among majority patients.

Two modest classifiers judge, or three with weights learned on rows that they have not seen: a kind that fails on a table then
has no say there. A classifier learns from translations what the judges know, so they should rank as well as it would alone.

Source: stacking, Wolpert 1992, doi:10.1016/S0893-6080(05)80023-1; weights not below 0, Breiman 1996, doi:10.1007/BF00117832;
extremely randomised trees, Geurts et al. 2006, doi:10.1007/s10994-006-6226-1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit, logit, ndtri

from mgvae.arrays import Array, FloatArray, IntArray
from mgvae.classifiers.classifier import Classifier
from mgvae.classifiers.design import RARE_LEVEL, fit_linear_design, forest_rows
from mgvae.classifiers.factory import make
from mgvae.classifiers.models import BoostingModel
from mgvae.classifiers.portable import scorer_of
from mgvae.classifiers.recalibration import fit_recalibration, to_logit
from mgvae.cohort.groups import Parts
from mgvae.cohort.split import folds
from mgvae.errors import OutcomeError
from mgvae.reproducibility import derive

WIDE = 500  # columns beyond which logistic regression judges alone: the others would take most of the time there
FOLDS = 5
TREES = 100
AT_ONCE = 1 << 14  # rows that are judged at once
Maker = Callable[[int], Classifier]


class RandomisedTrees:
    """Extremely randomised trees, grown to pure leaves, on normal scores of the linear design.

    Their thresholds are drawn evenly over a column's range, so that a few far values must not stretch it.
    """

    def __init__(self, *, seed: int) -> None:
        self.seed = seed

    def fit(self, features: pd.DataFrame, event: IntArray, weights: FloatArray | None = None) -> RandomisedTrees:
        """Fit; see `Classifier.fit`."""
        from sklearn.ensemble import ExtraTreesClassifier

        self._design = fit_linear_design(features, rare=RARE_LEVEL)
        rows = forest_rows(self._design, features)
        self._sorted = np.sort(rows, axis=0) if isinstance(rows, np.ndarray) else None
        self._model = ExtraTreesClassifier(TREES, bootstrap=True, random_state=self.seed)
        self._model.fit(self._scores(rows), event, weights)
        return self

    def predict_proba(self, features: pd.DataFrame) -> FloatArray:
        """Return the event's probability, ``(N,)``, never 0 or 1: half a tree votes for each side."""
        share = self._model.predict_proba(self._scores(forest_rows(self._design, features)))[:, 1]
        return np.asarray((share * TREES + 0.5) / (TREES + 1), dtype=np.float64)

    def _scores(self, rows: Any) -> Any:
        """Return normal scores of the mid-ranks among the fitting rows; sparse rows as they are."""
        if self._sorted is None:
            return rows
        ranks = [
            (np.searchsorted(fitted, column, "left") + np.searchsorted(fitted, column, "right")) / 2
            for fitted, column in zip(self._sorted.T, rows.T, strict=True)
        ]
        return ndtri((np.column_stack(ranks) + 0.5) / (len(self._sorted) + 1))


MODEST: dict[str, Maker] = {
    "logistic_regression": lambda seed: make("logistic_regression", seed),
    "hist_gradient_boosting": lambda seed: make("hist_gradient_boosting", seed),
}
ALL: dict[str, Maker] = {
    **MODEST,
    "randomised_trees": lambda seed: RandomisedTrees(seed=seed),
}


@dataclass(frozen=True)
class CaseRatio:
    """The log ratio of case to majority, up to a constant.

    Attributes:
        judges: fitted on all training rows.
        slopes: of their log odds, each 0 or more, ``(J,)``.
        of_cases: the ratio of each case by judges that saw neither it nor its group, ``(n,)``.
        remarks: what a reader must know of how it was made.
    """

    judges: Sequence[Classifier]
    slopes: Array
    of_cases: Array
    remarks: tuple[str, ...]

    def __call__(self, features: pd.DataFrame) -> Array:
        """Return the log ratio of rows ``(n, P)``, ``(n,)``."""
        return np.asarray(log_odds(self.judges, features) @ self.slopes)


def fit_case_ratio(features: pd.DataFrame, event: Array, group: Array, *, seed: int, learned: bool = False) -> CaseRatio:
    """Fit the judges on training rows; correct their slopes by cross-fitting.

    Args:
        features: rows ``(N, P)`` of both classes, typed.
        event: bool, ``(N,)``.
        group: group codes, ``(N,)``; a group is on one side of a fold unless groups cannot be divided so that each fold has
            both classes.
        seed: of folds and judges.
        learned: whether all three judge, with slopes of their own; else the mean log odds of the two modest ones.
    """
    makers = judging(features, ALL if learned else MODEST)
    pairs, remarks = _judging_folds(event, group, derive(seed, "judge"))
    unseen = np.empty((len(event), len(makers)))
    for train, test in pairs:
        unseen[test] = log_odds(
            fit_judges(makers, features.iloc[train].reset_index(drop=True), event[train], seed), features.iloc[test]
        )
    level, slopes = stacked(event, unseen) if learned else (0.0, np.full(len(makers), 1 / len(makers)))
    slopes = slopes * fit_recalibration(event.astype(np.int64), expit(level + unseen @ slopes)).slope
    return CaseRatio(fit_judges(makers, features, event, seed), slopes, unseen[event] @ slopes, remarks)


def judging(features: pd.DataFrame, makers: dict[str, Maker] = ALL) -> dict[str, Maker]:
    """Return the makers that judge a table of this width."""
    wide = features.shape[1] > WIDE
    return {name: maker for name, maker in makers.items() if name == "logistic_regression" or not wide}


def fit_judges(
    makers: dict[str, Maker], features: pd.DataFrame, label: Array, seed: int, *, weights: Array | None = None
) -> list[Classifier]:
    """Return a fitted classifier of each maker, with a seed of its own."""
    return [maker(derive(seed, name)).fit(features, label.astype(np.int64), weights) for name, maker in makers.items()]


def log_odds(judges: Sequence[Classifier], features: pd.DataFrame) -> Array:
    """Return the log odds of rows by each judge, ``(n, J)``; a block of rows at a time, since a design is wide."""
    blocks = [features.iloc[start : start + AT_ONCE] for start in range(0, max(len(features), 1), AT_ONCE)]
    scorers = [scorer_of(judge) if isinstance(judge, BoostingModel) else judge for judge in judges]  # the same, sooner
    return np.column_stack([np.concatenate([to_logit(one.predict_proba(block)) for block in blocks]) for one in scorers])


def stacked(event: Array, log_odds: Array) -> tuple[float, Array]:
    """Return level and slopes ``(J,)``, none below 0, of the judges' log odds ``(N, J)``.

    The penalised likelihood's mode. A slope in units of its judge's spread has a normal prior of variance 1 around 1 / J: a few
    cases leave the judges with equal weights, and dozens let the better ones speak.
    """
    spread = log_odds.std(axis=0) + 1e-9
    rows, prior = log_odds / spread, np.full(log_odds.shape[1], 1 / log_odds.shape[1])

    def loss(at: Array) -> tuple[float, Array]:
        line, slopes = at[0] + rows @ at[1:], at[1:]
        miss = expit(line) - event
        value = float((np.logaddexp(0, line) - event * line).sum() + 0.5 * np.square(slopes - prior).sum())
        return value, np.concatenate([[miss.sum()], rows.T @ miss + slopes - prior])

    start = np.concatenate([[logit(np.clip(event.mean(), 1e-9, 1 - 1e-9))], prior])
    bounds = [(None, None), *[(0.0, None)] * len(prior)]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return float(found[0]), np.asarray(found[1:] / spread)


def _judging_folds(event: Array, group: Array, seed: int) -> tuple[list[tuple[Array, Array]], tuple[str, ...]]:
    """Return folds of groups, or of rows with a remark if a fold lacks a class."""
    try:
        return folds(event, group, n_folds=min(FOLDS, len(np.unique(group[event]))), seed=seed), ()
    except OutcomeError:
        single = Parts(np.zeros(len(event)), whole=False)
        count = max(2, min(FOLDS, int(event.sum()), int((~event).sum())))
        return folds(event, np.arange(len(event)), n_folds=count, seed=seed), single.remarks("Plausibility was judged")
