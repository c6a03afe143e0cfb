"""What the sampler refuses or warns of before it trains: names of rows, few rare rows, recalibration."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from mgvae.arrays import Array
from mgvae.errors import SamplerWarning, TableError
from mgvae.sampler.column_types import LevelColumn, NumericColumn
from mgvae.sampler.column_values import factorize
from mgvae.sampler.table_types import TableTypes

FEWEST_ROWS = 15  # of a rare class
NAMING, FEWEST_NAMES = 0.5, 20  # share of rows with a level of their own beyond which levels name rows; and how many at least
SURE = 100  # rows: so many whole numbers that all differ are hardly measurements
NUMBERS = 0.95
RECALIBRATE = (
    "A classifier trained on resampled rows gives risks that are too high: recalibrate it on real rows, as "
    "CalibratedClassifierCV(make_pipeline(MGVAEOverSampler(), classifier)) does, which resamples the training parts alone."
    " This is said once."
)
_said: set[str] = set()


def check_columns(table: pd.DataFrame, fitted: TableTypes) -> None:
    """Refuse columns of levels that name rows; warn of numbers that are text or count rows.

    Raises:
        TableError: a column has nearly as many levels as rows: a synthetic row would bear the name of a real one.
    """
    for at, known in enumerate(fitted.column_types):
        values = table.iloc[:, at]
        name = table.columns[at]
        if isinstance(known, LevelColumn):
            _check_levels(name, values)
        elif isinstance(known, NumericColumn) and _counts_rows(values):
            _warn(f"Column '{name}' holds whole numbers that all differ: if they name rows or patients, drop it.")


def check_rows(labels: Sequence[Any], counts: Array, wanted: Mapping[int, int]) -> None:
    """Warn of rare classes with few rows, and once that risks need recalibration.

    Args:
        labels: of the classes.
        counts: rows of each class that are there.
        wanted: class -> rows to make.
    """
    for at, n in wanted.items():
        if n and counts[at] < FEWEST_ROWS:
            _warn(f"Class {labels[at]!r} has {counts[at]} rows; with fewer than {FEWEST_ROWS}, chance decides what is learned.")
    if any(wanted.values()) and RECALIBRATE not in _said:
        _said.add(RECALIBRATE)
        _warn(RECALIBRATE)


def _check_levels(name: Any, values: pd.Series) -> None:
    codes = factorize(values)[0]
    rows = int((codes >= 0).sum())
    distinct = int((np.bincount(codes[codes >= 0]) > 0).sum()) if rows else 0
    if distinct < FEWEST_NAMES:
        return
    numbers = _share_of_numbers(values)
    convert = f"{numbers:.0%} of its texts are numbers: convert it with pandas.to_numeric(..., errors='coerce')"
    if distinct > NAMING * rows:
        remedy = f"{convert}." if numbers >= NUMBERS else "Drop it, or group its values."
        raise TableError(
            f"Column '{name}' must not name rows: {distinct:,} different levels in {rows:,} rows, and a synthetic row would "
            f"bear one of a real row. {remedy[0].upper()}{remedy[1:]}"
        )
    if numbers >= NUMBERS:
        _warn(f"Column '{name}' is taken for levels, but {convert}.")


def _share_of_numbers(values: pd.Series) -> float:
    """Return the share of texts that are numbers; 0 where the column holds no text."""
    known = values.dropna()
    if types.is_numeric_dtype(values.dtype) or types.is_bool_dtype(values.dtype):
        return 0.0
    texts = known[[isinstance(value, str) for value in known]]
    return float(pd.to_numeric(texts.astype(object), errors="coerce").notna().sum() / len(known)) if len(known) else 0.0


def _counts_rows(values: pd.Series) -> bool:
    known = values.dropna()
    if len(known) < SURE or not known.is_unique or types.is_object_dtype(values.dtype):
        return False
    numbers: Array = known.to_numpy(dtype=np.float64)
    return bool((numbers == np.floor(numbers)).all())


def _warn(text: str) -> None:
    warnings.warn(text, SamplerWarning, stacklevel=4)
