"""A small mixed table with every kind of column, for the tests of the model."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mgvae.config.dictionary import Column
from mgvae.config.sections import Training

COLUMNS = {
    "age": Column(kind="continuous", range=(18, 110)),
    "crp": Column(kind="continuous", unit="mg/l"),
    "visits": Column(kind="count"),
    "sex": Column(kind="binary", categories=("f", "m")),
    "ward": Column(kind="categorical", categories=("a", "b", "c", "never")),
    "stage": Column(kind="ordinal", categories=("I", "II", "III", "IV")),
    "first_seen": Column(kind="date"),
}


def levels(values, column, *, ordered=False):
    """Return a categorical column with the dictionary's levels."""
    return pd.Categorical(values, categories=[str(level) for level in column.levels], ordered=ordered)


def mixed(n=400, *, seed=0, missing=True):
    """Return a typed feature table; one factor runs through all its columns."""
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=n)
    ward = np.array(["a", "b", "c"], dtype=object)[np.clip(np.round(factor + rng.normal(size=n) * 0.5 + 1), 0, 2).astype(int)]
    stage = np.array(["I", "II", "III", "IV"], dtype=object)[np.clip(np.round(factor + 1.5), 0, 3).astype(int)]
    crp = np.round(np.exp(factor + rng.normal(size=n)), 1)
    visits = rng.poisson(np.exp(factor / 2)).astype(float)
    if missing:
        crp[rng.random(n) < 0.2] = np.nan
        ward[rng.random(n) < 0.1] = None
        stage[rng.random(n) < 0.1] = None
    return pd.DataFrame(
        {
            "age": np.round(60 + 10 * factor + rng.normal(size=n) * 5),
            "crp": crp,
            "visits": visits,
            "sex": levels(np.where(rng.random(n) < 0.5, "f", "m"), COLUMNS["sex"]),
            "ward": levels(ward, COLUMNS["ward"]),
            "stage": levels(stage, COLUMNS["stage"], ordered=True),
            "first_seen": np.round(-400 * rng.random(n)),
        }
    )


def cohort(n=400, events=30, *, seed=0):
    """Return features, event and group of a cohort whose cases are older, sicker and few."""
    pool = mixed(8 * n, seed=seed)
    rng = np.random.default_rng(seed + 1)
    order = np.argsort(-(pool["age"].to_numpy() + rng.normal(size=len(pool)) * 8))
    case, other = order[: len(pool) // 8], order[len(pool) // 8 :]
    at = np.concatenate([rng.choice(case, events, replace=False), rng.choice(other, n - events, replace=False)])
    event = np.arange(n) < events
    mix = rng.permutation(n)
    return pool.iloc[at[mix]].reset_index(drop=True), event[mix], np.arange(n)


def quick(**changes):
    """Return settings with which a training takes about a second."""
    values = {
        "latent_dim": 3,
        "hidden": (24, 24),
        "batch_size": 64,
        "pretrain_epochs": 12,
        "finetune_epochs": 8,
        "warmup_fraction": 0.2,
        "ewc_lambda": "auto",
        "ewc_grid": (1.0, 10.0),
        "device": "cpu",
    }
    return Training(**(values | changes))
