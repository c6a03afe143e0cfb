"""The sampler's arguments, checked and in the form that the library works with."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import column_or_1d

from mgvae.errors import TableError
from mgvae.model.encoding import Array


def layer_widths(hidden: Any) -> tuple[int, ...]:
    """Return the width of each hidden layer."""
    given = list(hidden)
    if not given or any(not isinstance(width, numbers.Integral) or width < 1 for width in given):
        raise TableError(f"hidden must be whole numbers of 1 or more, such as (128, 128); got {hidden!r}.")
    return tuple(int(width) for width in given)


def group_codes(groups: Any, rows: int) -> Array:
    """Return a code per row; without groups every row is its own."""
    if groups is None:
        return np.arange(rows)
    given = column_or_1d(groups)
    missing = int(pd.isna(given).sum())
    if missing:
        raise TableError(f"groups must have a value for every row; got {missing} missing. Give those rows groups of their own.")
    return np.asarray(pd.factorize(given)[0])


def column_positions(features: Any, table: pd.DataFrame) -> list[int]:
    """Return the positions of the columns that ``categorical_features`` names."""
    if isinstance(features, str):
        return []
    given = list(features)
    if len(given) == table.shape[1] and all(isinstance(one, bool | np.bool_) for one in given):
        return np.flatnonzero(given).tolist()
    names = list(table.columns)
    out = []
    for one in given:
        at = names.index(one) if one in names else one
        if not isinstance(at, int | np.integer) or not -len(names) <= at < len(names):
            raise TableError(f"categorical_features must hold columns of X, by name or position; got {one!r}.")
        out.append(int(at) % len(names))
    return out
