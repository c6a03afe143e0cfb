"""Are synthetic cases rare cases, or majority patients with another label?"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.covariance import ledoit_wolf
from sklearn.ensemble import HistGradientBoostingClassifier

from mgvae.seeds import derive, numpy_generator
from validation.embedding import Floats, nearest, nearest_other
from validation.intervals import Estimate, auc_interval, auc_variance, ratio

MOST_MAJORITY = 8000  # majority rows that train and, once more, that are held out
MOST_SYNTHETIC = 2000
FOLDS = 5
MOST_FOR_TREES = 4000  # majority rows, already in random order
CASES_FOR_TREES = 30  # below, trees add noise to the linear score

Score = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Separation:
    """How well cases are told from held-out majority patients.

    Attributes:
        synthetic: AUC of the synthetic cases.
        real: AUC of the real cases, none scored by a model that it trained.
        kept: ``(synthetic - 0.5) / (real - 0.5)``; None where the real cases are not clearly above 0.5.
    """

    synthetic: float
    real: Estimate
    kept: Estimate | None


def separation(
    synthetic: Floats, majority: Floats, cases: Floats, majority_holdout: Floats, cases_holdout: Floats, *, seed: int
) -> Separation | None:
    """Return how much of the real cases' separation from the majority the synthetic cases keep.

    The training cases are dealt into folds, and for each pair of folds a model is trained on the majority and on the cases of
    the other folds. Every real or synthetic case is scored by the models that know neither itself nor its nearest training
    case. Else a generator that repeats its training cases would be flattered; and leaving out the nearest case for synthetic
    cases alone would make them look worse than real ones. The parents do train the models, as majority patients: this can only
    lower the score of a synthetic case that resembles its parent.

    Intervals: DeLong's variances (Biometrics 1988) over cases, synthetic cases and held-out majority, then Fieller's ratio.

    Args:
        synthetic, majority, cases, majority_holdout, cases_holdout: embedded rows, ``(rows, P)``.
        seed: of folds, subsamples and trees.
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
    above = np.zeros((2, len(majority_holdout)))
    for left_out in itertools.combinations(range(fold.max() + 1), 2):
        score = _fit(majority, cases[~np.isin(fold, left_out)], majority_holdout, seed=derive(seed, "separation", *left_out))
        against = score(majority_holdout)
        for place, group in enumerate(groups):
            above[place] += group.add(score, left_out, against)
    return _summary(groups[1].placed, groups[0].placed, above[1], above[0])


class _Scored:
    """Cases that collect their places among the held-out majority, averaged over the models that may score them."""

    def __init__(self, rows: Floats, folds: Floats, n_folds: int) -> None:
        self.rows, self.folds = rows, folds
        self.weight = np.where(folds[:, 0] == folds[:, 1], 1 / (n_folds - 1), 1.0)  # one over the number of such models
        self.placed = np.zeros(len(rows))

    def add(self, score: Score, left_out: tuple[int, ...], against: Floats) -> Floats:
        """Add one model's scores; return, for each held-out majority row, what it adds to the share of cases above that row."""
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
    """Return the folds of each training case and of the case nearest to it, ``(cases, 2)``."""
    return np.stack([fold, fold[nearest_other(cases, np.arange(len(cases)))]], axis=1)


def _fit(majority: Floats, cases: Floats, reference: Floats, *, seed: int) -> Score:
    """Return a score that grows with the likeness to a case: a linear discriminant, with trees where there are cases enough."""
    direction = _discriminant(majority, cases)
    if len(cases) < CASES_FOR_TREES:
        return lambda rows: np.asarray(rows @ direction)
    trees = HistGradientBoostingClassifier(
        max_iter=25, max_leaf_nodes=8, min_samples_leaf=10, l2_regularization=1.0, class_weight="balanced", random_state=seed
    )
    majority = majority[:MOST_FOR_TREES]
    trees.fit(np.concatenate([majority, cases]), np.repeat([0, 1], [len(majority), len(cases)]))
    parts: list[Score] = [lambda rows: np.asarray(rows @ direction), trees.decision_function]
    against = [part(reference) for part in parts]

    def blend(rows: Floats) -> Floats:
        # as places among the held-out majority, the two scores share one scale
        return np.asarray(sum(_placement(part(rows), reference) for part, reference in zip(parts, against, strict=True)))

    return blend


def _discriminant(majority: Floats, cases: Floats) -> Floats:
    """Return Fisher's direction with the pooled covariance shrunk by Ledoit and Wolf: sane with a handful of cases."""
    means = majority.mean(axis=0), cases.mean(axis=0)
    within = np.concatenate([majority - means[0], cases - means[1]]).astype(np.float64)
    covariance, _ = ledoit_wolf(within, assume_centered=True)
    ridge = 1e-3 * float(np.trace(covariance)) / len(covariance) + 1e-12
    return np.asarray(np.linalg.solve(covariance + ridge * np.eye(len(covariance)), means[1] - means[0]))


def _placement(scores: Floats, against: Floats, weight: Floats | None = None) -> Floats:
    """Return, for each score, the share of ``against`` that lies below, ties half; with weights, their sum instead."""
    order = np.argsort(against)
    weight = np.full(len(against), 1 / len(against)) if weight is None else weight[order]
    below, ordered = np.concatenate([[0.0], np.cumsum(weight)]), against[order]
    return np.asarray((below[np.searchsorted(ordered, scores, "left")] + below[np.searchsorted(ordered, scores, "right")]) / 2)


def _summary(synthetic: Floats, real: Floats, above_synthetic: Floats, above_real: Floats) -> Separation:
    n_majority, n_real, n_synthetic = len(above_real), len(real), len(synthetic)
    between = np.cov(above_synthetic, above_real) / n_majority
    auc_synthetic, auc_real = float(synthetic.mean()), float(real.mean())
    shrunk = (n_real * auc_real + 0.5) / (n_real + 1)  # DeLong's variance is zero where all cases rank on top
    var_real = max(float(real.var(ddof=1)) / n_real + between[1, 1], auc_variance(shrunk, n_real, n_majority))
    var_synthetic = float(synthetic.var()) / n_synthetic + between[0, 0]
    kept = ratio(
        auc_synthetic - 0.5,
        auc_real - 0.5,
        var_top=var_synthetic,
        var_bottom=var_real,
        covariance=float(between[0, 1]),
        degrees=n_real - 1,
    )
    return Separation(auc_synthetic, auc_interval(auc_real, n_real, n_majority), kept)
