"""Classifier two-sample test. Source: Lopez-Paz and Oquab 2017, arXiv:1610.06545."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from mgvae.cohort.embedding import Floats, fit_embedding, plain_matrix
from mgvae.reproducibility import derive, numpy_generator
from validation.covariance import shrinkage, shrunk_covariance
from validation.intervals import LEVEL, Interval, auc_interval

MOST_ROWS = 1000  # of each sample; more would cost time and change nothing
TREES = 50
RIDGE = 1e-3  # of the mean variance
ROUNDING = 1e-10  # spreads up to it, against the largest, are none

Learner = Callable[[Floats, Floats, Floats, int], Floats]


def two_sample_auc(
    first: pd.DataFrame, second: pd.DataFrame, *, seed: int, repeats: int = 3, folds: int = 5
) -> Interval | None:
    """Return the cross-validated AUC of a classifier of ``first`` against ``second``.

    It is near 0.5 where the samples do not differ, 1 where every row does. Three learners try: a random forest sees rounding,
    spikes and steps; logistic regression shifts of a column; the ratio of two normal densities sees broken dependence between
    columns, also in a hundred rows. The strongest counts: in each fold, the one that is strongest in the others. Each fold's
    AUC is averaged (pooled scores would lie below 0.5 in small samples), over ``repeats`` subsamples of equal size. The
    interval is for the rows and the choice of a learner; it does not know that other rows would have trained another.

    Args:
        first, second: rows with the columns and dtypes of ``Cohort.features``.
        seed: of subsamples, folds and trees.
        repeats: subsamples drawn.
        folds: folds of the cross-validation; fewer where there are fewer rows.

    Returns:
        The AUC with its interval; None if a sample has fewer than two rows.
    """
    size = min(len(first), len(second), MOST_ROWS)
    if size < 2:
        return None
    embedding = fit_embedding(pd.concat([first, second], ignore_index=True))
    plain = plain_matrix(first), plain_matrix(second)
    scaled = embedding.transform(first), embedding.transform(second)
    label = np.repeat([1, 0], size)
    values = np.empty(repeats)
    for repeat in range(repeats):
        draw = numpy_generator(seed, "two-sample", repeat)
        chosen = [draw.permutation(len(rows))[:size] for rows in (first, second)]
        trees, others = (np.concatenate([pair[0][chosen[0]], pair[1][chosen[1]]]) for pair in (plain, scaled))
        tried: list[tuple[Learner, Floats]] = [(grow_forest, trees), (_logistic, others), (density_ratio, others)]
        values[repeat] = _strongest(tried, label, folds=min(folds, size), seed=derive(seed, "forest", repeat))
    return auc_interval(float(values.mean()), size, size, level=1 - (1 - LEVEL) / 3)  # of three learners


def embedded_auc(first: Floats, second: Floats, *, seed: int) -> Interval:
    """Return the AUC of the stronger of two quick learners on embedded rows; 0.5 with fewer than four rows in either."""
    draw = numpy_generator(seed, "embedded")
    a, b = (rows[draw.permutation(len(rows))[:MOST_ROWS]] for rows in (first, second))
    if min(len(a), len(b)) < 4:
        return Interval(0.5, 0.0, 1.0)
    rows, label = np.concatenate([a, b]), np.repeat([1, 0], [len(a), len(b)])
    found = _strongest([(_logistic, rows), (density_ratio, rows)], label, folds=min(5, len(a), len(b)), seed=seed)
    return auc_interval(found, len(a), len(b))


def _strongest(tried: list[tuple[Learner, Floats]], label: Floats, *, folds: int, seed: int) -> float:
    """Return the mean AUC over folds of the learner that is the strongest in the other folds.

    So choosing among learners does not raise the AUC of samples that do not differ.
    """
    values = np.empty((folds, len(tried)))
    splits = list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(label, label))
    for place, (learner, rows) in enumerate(tried):
        for fold, (train, test) in enumerate(splits):
            values[fold, place] = roc_auc_score(label[test], learner(rows[train], label[train], rows[test], seed))
    others = (values.sum(axis=0) - values) / (folds - 1)
    return float(values[np.arange(folds), others.argmax(axis=1)].mean())


def grow_forest(rows: Floats, label: Floats, test: Floats, seed: int) -> Floats:
    """Return the probabilities of label 1 by a random forest."""
    forest = RandomForestClassifier(n_estimators=TREES, min_samples_leaf=3, random_state=seed)
    return np.asarray(forest.fit(rows, label).predict_proba(test)[:, 1])


def _logistic(rows: Floats, label: Floats, test: Floats, seed: int) -> Floats:
    return np.asarray(LogisticRegression(C=0.1, max_iter=500).fit(rows, label).decision_function(test))


def density_ratio(rows: Floats, label: Floats, test: Floats, seed: int) -> Floats:
    """Return the log ratio of normal densities with shrunk covariances."""
    return _log_density(rows[label == 1], test) - _log_density(rows[label == 0], test)


def _log_density(rows: Floats, at: Floats) -> Floats:
    """Return the log density of rows ``at (m, P)`` by a normal distribution fitted to ``rows (n, P)``, up to a constant.

    Ledoit and Wolf's covariance is a multiple of the identity off the span of the rows. On tables wider than long only the span
    is factored: time grows with n n P, not with P P P.
    """
    values = rows.astype(np.float64)
    if len(values) < 2:
        return np.zeros(len(at))
    mean = values.mean(axis=0)
    values, away = values - mean, at.astype(np.float64) - mean
    width = values.shape[1]
    level = float(np.square(values).mean())
    if width <= len(values):
        covariance = shrunk_covariance(values)
        covariance.flat[:: width + 1] += RIDGE * level + 1e-9
        return np.asarray(
            -0.5 * ((away * np.linalg.solve(covariance, away.T).T).sum(axis=1) + np.linalg.slogdet(covariance)[1])
        )
    gram = values @ values.T
    spread, left = np.linalg.eigh(gram)
    left, spread = left[:, spread > ROUNDING * spread[-1]], spread[spread > ROUNDING * spread[-1]]
    shrunk = shrinkage(values, gram)
    ridge = shrunk * level + RIDGE * level + 1e-9
    inside = np.square(away @ (values.T @ (left / np.sqrt(spread))))
    variance = (1 - shrunk) * spread / len(values) + ridge
    distance = (np.square(away).sum(axis=1) - inside.sum(axis=1)) / ridge + (inside / variance).sum(axis=1)
    return np.asarray(-0.5 * (distance + np.log(variance).sum() + (width - len(variance)) * np.log(ridge)))
