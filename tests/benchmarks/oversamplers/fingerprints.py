"""What the library's classifiers and simple arms do, as a digest: results from before a change of theirs are not used again.

They are judged by what they make of a fixed simulated table, not by their sources, so that a mere edit costs no study.
"""

from __future__ import annotations

import hashlib
from functools import cache

import numpy as np
import pandas as pd

from mgvae.cohort.rows import Rows
from mgvae.config.sections import Training
from mgvae.evaluation.arms import Recipe, treat
from mgvae.reproducibility import numpy_generator
from mgvae.threads import one_thread
from tests.benchmarks.oversamplers.scoring import classifier

ROWS = 600


@cache
def of_classifier(name: str) -> str:
    """Return a digest of the probabilities that a classifier of ``scoring.CLASSIFIERS`` gives on the fixed table."""
    rows = _rows()
    weights = np.where(rows.event == 1, 3.0, 1.0)
    with one_thread():
        plain = classifier(name, 0).fit(rows.features, rows.event).predict_proba(rows.features)
        weighted = classifier(name, 0).fit(rows.features, rows.event, weights).predict_proba(rows.features)
    return _digest(np.round(np.concatenate([plain, weighted]), 6))


@cache
def of_arm(arm: str) -> str:
    """Return a digest of what an arm of the library makes of the fixed table."""
    with one_thread():
        treated = treat(arm, _rows(), Recipe(columns={}, training=Training()), seed=0)
    weights = np.ones(len(treated.event)) if treated.weights is None else treated.weights
    rows = pd.util.hash_pandas_object(treated.features.round(6), index=False).to_numpy()
    return _digest(rows, np.round(weights, 6))


def _rows() -> Rows:
    draws = numpy_generator(0, "fingerprint")
    x = draws.normal(size=(ROWS, 4))
    x[draws.random(x.shape) < 0.1] = np.nan
    features = pd.DataFrame({"a": x[:, 0], "b": np.exp(2 * x[:, 1]), "c": np.round(3 * x[:, 2]), "d": x[:, 3] // 1})
    ward = np.minimum(draws.geometric(0.3, ROWS) - 2, 11)
    features["ward"] = pd.Categorical.from_codes(ward, categories=[f"ward {j}" for j in range(12)])
    features["grade"] = pd.Categorical.from_codes(
        draws.integers(-1, 4, ROWS), categories=["I", "II", "III", "IV"], ordered=True
    )
    features["sex"] = pd.Categorical.from_codes(draws.integers(0, 2, ROWS), categories=["f", "m"])
    event = np.nan_to_num(x[:, 0] + x[:, 1]) + 0.3 * ward + draws.normal(size=ROWS) > 2.5
    return Rows(features, event.astype(np.int64), np.arange(ROWS))


def _digest(*arrays: np.ndarray) -> str:
    total = hashlib.sha256()
    for array in arrays:
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()[:8]
