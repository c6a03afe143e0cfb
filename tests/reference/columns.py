"""Simulated columns of all kinds, by turns: c0 is continuous, c1 a count, c2 binary, c3 categorical, c4 ordinal, and so on."""

from __future__ import annotations

import numpy as np
import pandas as pd

LEVELS = list("abcdefghijkl")
RARER = 1 / np.arange(1, 13) ** 2 / (1 / np.arange(1, 13) ** 2).sum()
KINDS = (
    {"kind": "continuous"},
    {"kind": "count"},
    {"kind": "binary", "categories": ["a", "b"]},
    {"kind": "categorical", "categories": LEVELS},
    {"kind": "ordinal", "categories": [1, 2, 3, 4]},
)


def of_all_kinds(columns: int) -> dict[str, dict[str, object]]:
    """Return what a study says of ``columns`` columns."""
    return {f"c{i}": KINDS[i % len(KINDS)] for i in range(columns)}


def drawn(n: int, columns: int, rng: np.random.Generator) -> dict[str, pd.Series]:
    """Return ``n`` values of each: skewed numbers with ties, counts with many zeros, rare levels, 2 % or 20 % missing."""
    draw = (
        lambda: np.round(np.exp(rng.normal(size=n)), 1),
        lambda: rng.poisson(np.exp(rng.normal(size=n) - 0.5)).astype(float),
        lambda: rng.choice(["a", "b"], n, p=[0.97, 0.03]).astype(object),
        lambda: rng.choice(LEVELS, n, p=RARER).astype(object),
        lambda: rng.choice(list("1234"), n).astype(object),
    )
    return {f"c{i}": pd.Series(draw[i % len(draw)]()).mask(rng.random(n) < (0.2 if i % 2 else 0.02)) for i in range(columns)}
