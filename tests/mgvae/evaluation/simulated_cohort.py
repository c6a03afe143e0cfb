"""A cohort whose event follows a known model, and short ways to set up a chain."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mgvae.cohort.rows import Rows
from mgvae.config.sections import Training
from mgvae.evaluation.arms import Recipe
from mgvae.evaluation.one_split import Chain


def simulated(n: int, *, seed: int = 0, prevalence: float = 0.05, group_size: int = 1, strength: float = 1.0) -> Rows:
    """Draw a typed table whose event follows a logistic model.

    It has missing cells, whole numbers, nominal and ordinal levels.
    """
    rng = np.random.default_rng(seed)
    severity, age = rng.normal(size=n), rng.integers(18, 95, size=n).astype(float)
    site, stage = rng.integers(0, 3, size=n), rng.integers(0, 4, size=n)
    line = strength * (severity + 0.03 * (age - 55) + 0.6 * (site == 2) + 0.4 * (stage - 1.5))
    line += np.log(prevalence / (1 - prevalence)) - np.median(line)
    event = (rng.random(n) < 1 / (1 + np.exp(-line))).astype(np.int64)
    gaps = rng.random(n) < 0.2
    features = pd.DataFrame(
        {
            "severity": np.where(gaps, np.nan, severity),
            "age": age,
            "noise": np.where(gaps | (rng.random(n) < 0.1), np.nan, rng.normal(size=n)),
            "site": pd.Categorical.from_codes(np.where(rng.random(n) < 0.05, -1, site), ["a", "b", "c"]),
            "stage": pd.Categorical.from_codes(stage, ["0", "1", "2", "3"], ordered=True),
            "sex": pd.Categorical.from_codes(rng.integers(0, 2, size=n), ["f", "m"]),
        }
    )
    return Rows(features, event, np.arange(n) // group_size)


def with_events(rows: Rows, events: int) -> Rows:
    """Keep all non-events and the first ``events`` events."""
    keep = (rows.event == 0) | (np.cumsum(rows.event) <= events)
    kept = rows.take(keep)
    return Rows(kept.features, kept.event, np.unique(kept.group, return_inverse=True)[1])


def chain(*arms: str, classifiers: tuple[str, ...] = ("logistic_regression",)) -> Chain:
    return Chain(arms, classifiers, Recipe(columns={}, training=Training()))
