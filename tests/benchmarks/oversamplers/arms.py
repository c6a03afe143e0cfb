"""The arms: each turns the training rows of a fold into what the classifiers are fitted on.

Every oversampling arm brings the classes to equal size. Arms that the library has are the library's own.
"""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from importlib.util import find_spec

import numpy as np
import pandas as pd

import mgvae
from flows.study.cache_key import code_digest
from mgvae.cohort.rows import Rows, cases_to_add
from mgvae.config.sections import Training
from mgvae.evaluation.arms import Recipe, Treated, information_weight, treat
from mgvae.reproducibility import derive
from tests.benchmarks.oversamplers.fingerprints import of_arm
from tests.benchmarks.oversamplers.generators import adasyn_applies, adasyn_cases, ctgan_cases

MGVAE_ARMS: dict[str, dict] = {  # the first is the one that the targets are about; the others are its ablations
    "mgvae": {},
    "mgvae_no_pretraining": {"pretraining": False},
    "mgvae_no_ewc": {"ewc_lambda": 0},
    "mgvae_lambda_auto": {"ewc_lambda": "auto"},
    "mgvae_no_leave_one_out": {"leave_one_out": False},
    "mgvae_tied_variance": {"posterior_variance": "tied"},
    "mgvae_uniform_exemplars": {"exemplar_weights": "uniform"},
    "mgvae_stacked": {"plausibility": "stacked"},
    "mgvae_filtered": {"plausibility": "filtered"},
    "mgvae_unmatched": {"plausibility": "none"},
    "mgvae_fewer_rows": {"sampling_strategy": 0.2},
    "mgvae_published": {"exemplar_weights": "uniform", "plausibility": "none"},
}
LIBRARY = ("none", "class_weight", "random_oversampling", "smote")
PACKAGE = ("tvae", "ctgan")
ARMS = (*LIBRARY, "adasyn", *PACKAGE, *MGVAE_ARMS)
OVERSAMPLING = ("random_oversampling", "smote", "adasyn", *PACKAGE, "mgvae")
ABLATIONS = tuple(arm for arm in MGVAE_ARMS if arm != "mgvae")  # measured on fewer seeds: each costs as much as the sampler
# raise it when an arm outside the library is called, or its rows are weighted, differently: earlier results are then not used
REVISION = 2


def available(arm: str) -> str | None:
    """Return why an arm cannot be run here; None where it can."""
    if arm in PACKAGE and find_spec("ctgan") is None:
        return "package ctgan is not installed; it comes with: pip install --constraint constraints.txt --editable '.[bench]'"
    if arm in MGVAE_ARMS and not hasattr(mgvae, "MGVAEOverSampler"):
        return "mgvae has no MGVAEOverSampler"
    return None


def applies(arm: str, features: pd.DataFrame) -> bool:
    """Say whether an arm is defined on a table with these columns."""
    return arm != "adasyn" or adasyn_applies(features)


def identity(arm: str) -> str:
    """Return a digest of what the arm's rows depend on besides the training rows: its options and its code."""
    what: dict[str, object] = {"arm": arm}
    if arm in LIBRARY:
        what["fingerprint"] = of_arm(arm)
    else:
        what["revision"] = REVISION
    if arm in MGVAE_ARMS:
        what |= {"options": MGVAE_ARMS[arm], "code": code_digest(mgvae.MGVAEOverSampler.__module__)}
    if arm in PACKAGE:
        what["ctgan"] = version("ctgan")
    return hashlib.sha256(json.dumps(what, sort_keys=True, default=str).encode()).hexdigest()[:16]


def treated(arm: str, rows: Rows, *, seed: int) -> Treated:
    """Return the training rows as ``arm`` treats them, the real ones first and unchanged.

    Args:
        arm: one of ``ARMS``.
        rows: training rows of a fold.
        seed: of the fold; each arm draws from a stream of its own.
    """
    stream = derive(seed, arm)
    if arm in LIBRARY:
        return treat(arm, rows, Recipe(columns={}, training=Training()), seed=stream)
    if arm in MGVAE_ARMS:
        return _resampled(rows, MGVAE_ARMS[arm], stream)
    if arm == "adasyn":
        return _with(rows, adasyn_cases(rows.features, rows.event, seed=stream))
    cases = rows.features[rows.event == 1].reset_index(drop=True)
    return _with(rows, ctgan_cases(arm, cases, n=cases_to_add(rows.event, 0.5), seed=stream))


def _with(rows: Rows, cases: pd.DataFrame) -> Treated:
    features = pd.concat([rows.features, cases], ignore_index=True).astype(rows.features.dtypes.to_dict())
    return _weighted(rows, features, np.concatenate([rows.event, np.ones(len(cases), dtype=np.int64)]))


def _weighted(rows: Rows, features: pd.DataFrame, event: np.ndarray) -> Treated:
    """Return the rows with the library's weights, so that penalties mean the same in every arm."""
    return Treated(features, event, np.full(len(event), information_weight(rows.event, event)), len(rows))


def _resampled(rows: Rows, options: dict, seed: int) -> Treated:
    sampler = mgvae.MGVAEOverSampler(random_state=seed, **options)
    features, event = sampler.fit_resample(rows.features, rows.event, groups=rows.group)
    n = len(rows)
    if not (features.iloc[:n].equals(rows.features) and np.array_equal(np.asarray(event)[:n], rows.event)):
        raise ValueError("MGVAEOverSampler must return the rows that it was given first and unchanged; it did not.")
    return _weighted(rows, features.reset_index(drop=True), np.asarray(event, dtype=np.int64))
