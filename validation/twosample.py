"""Classifier two-sample test. Source: Lopez-Paz and Oquab 2017, arXiv:1610.06545."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from mgvae.reproducibility import derive, numpy_generator
from validation.embedding import Floats, plain_matrix
from validation.intervals import Interval, auc_interval

MOST_ROWS = 1000  # of each sample; more would cost time and change nothing
TREES = 50


def two_sample_auc(
    first: pd.DataFrame, second: pd.DataFrame, *, seed: int, repeats: int = 3, folds: int = 5
) -> Interval | None:
    """Return the cross-validated AUC of a classifier of ``first`` against ``second``.

    It is near 0.5 where the samples do not differ, 1 where every row does. A random forest, each fold's AUC averaged (pooled
    scores would lie below 0.5 in small samples), over ``repeats`` subsamples of equal size. The interval is for the rows; it
    does not know that other rows would have trained another forest.

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
    a, b = plain_matrix(first), plain_matrix(second)
    label = np.repeat([1, 0], size)
    values = []
    for repeat in range(repeats):
        draw = numpy_generator(seed, "two-sample", repeat)
        rows = np.concatenate([a[draw.permutation(len(a))[:size]], b[draw.permutation(len(b))[:size]]])
        values.append(_cross_validated(rows, label, folds=min(folds, size), seed=derive(seed, "forest", repeat)))
    return auc_interval(float(np.mean(values)), size, size)


def _cross_validated(rows: Floats, label: Floats, *, folds: int, seed: int) -> float:
    values = []
    for train, test in StratifiedKFold(folds, shuffle=True, random_state=seed).split(rows, label):
        forest = RandomForestClassifier(n_estimators=TREES, min_samples_leaf=3, random_state=seed)
        score = forest.fit(rows[train], label[train]).predict_proba(rows[test])[:, 1]
        values.append(roc_auc_score(label[test], score))
    return float(np.mean(values))
