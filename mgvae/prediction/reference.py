"""Invented patients against whom contributions are measured: no patient's row leaves the study.

Each column holds the quantiles of the training patients, missing cells in their share, and is dealt to the invented patients by
itself, so that a row is made of many patients' cells. Levels of fewer than one in forty patients do not occur.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

SIZE, DIGITS = 20, 4  # invented patients; significant digits of their numbers
Cells = list[float | str | None]


def invent_reference(features: pd.DataFrame, *, seed: int) -> dict[str, Cells]:
    """Return the columns of the invented patients.

    Args:
        features: of the training patients, ``(N, P)``, at least one; see `mgvae.cohort.build.Cohort.features`.
        seed: deals the cells.
    """
    generator = np.random.default_rng(seed)
    return {str(name): _dealt(_quantiles(features[name]), generator) for name in features}


def reference_rows(cells: Mapping[str, Cells], like: pd.DataFrame) -> pd.DataFrame:
    """Return the invented patients as a table.

    Args:
        cells: of `invent_reference`.
        like: a table whose columns and dtypes it gets.
    """
    return pd.DataFrame({name: pd.Series(cells[str(name)], dtype=dtype) for name, dtype in like.dtypes.items()})


def _quantiles(column: pd.Series[Any]) -> Cells:
    """Return the middles of twenty equal parts of a column, sorted; levels in their order, missing cells last."""
    levels = isinstance(column.dtype, pd.CategoricalDtype)
    numbers = column.cat.codes.astype(float).where(column.notna()) if levels else column.astype(float)
    at = ((2 * np.arange(SIZE) + 1) * len(numbers)) // (2 * SIZE)
    found = numbers.sort_values(na_position="last").to_numpy()[at]
    if levels:
        return [None if np.isnan(one) else str(column.cat.categories[int(one)]) for one in found]
    return [None if np.isnan(one) else float(f"{one:.{DIGITS}g}") for one in found]


def _dealt(cells: Cells, generator: np.random.Generator) -> Cells:
    return [cells[place] for place in generator.permutation(len(cells))]
