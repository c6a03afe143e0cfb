"""The cells of a user's column as floats, whole numbers or distinct values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from mgvae.arrays import Array
from mgvae.errors import TableError


def factorize(values: pd.Series) -> tuple[Array, list[Any]]:
    """Return each cell's position among the distinct values, and these values.

    Args:
        values: a column, ``(N,)``.
    Returns:
        Positions ``(N,)``, -1 where missing; and the distinct values.
    Raises:
        TableError: the values cannot be compared.
    """
    try:
        if isinstance(values.dtype, pd.CategoricalDtype):
            return values.cat.codes.to_numpy().astype(np.int64), [to_python(value) for value in values.cat.categories]
        codes, distinct = pd.factorize(values)
        return codes, [to_python(value) for value in distinct]
    except (TypeError, NotImplementedError):
        raise TableError(
            f"Column '{values.name}' must hold numbers, levels or times; got {values.dtype}. Convert or drop it."
        ) from None


def to_floats(values: pd.Series) -> Array:
    """Return numbers as float64, missing as NaN, ``(N,)``.

    Raises:
        TableError: one is infinite.
    """
    if types.is_object_dtype(values.dtype):
        values = values.mask(values.isna(), np.nan)
    numbers = np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))
    if np.isinf(numbers).any():
        raise TableError(
            f"Column '{values.name}' must hold finite numbers; got infinity in {int(np.isinf(numbers).sum())} cells."
            " Replace it by a number or by NaN."
        )
    return numbers


def from_floats(numbers: Array, dtype: Any) -> pd.Series:
    """Return float64 numbers as a column of a numeric dtype, NaN as missing."""
    if isinstance(dtype, pd.SparseDtype):
        return from_floats(numbers, dtype.subtype).astype(dtype)
    whole = types.is_integer_dtype(dtype)
    numbers = np.rint(numbers) if whole else numbers
    if types.is_extension_array_dtype(dtype):  # nullable types: NaN must become NA
        return pd.Series(numbers).astype("Float64").astype("Int64" if whole else "Float64").astype(dtype)
    return pd.Series(numbers).astype(dtype)


def to_times(values: pd.Series) -> Array:
    """Return dates or durations as datetime64 (in UTC) or timedelta64, ``(N,)``."""
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        values = values.dt.tz_convert("UTC").dt.tz_localize(None)
    if isinstance(values.dtype, pd.ArrowDtype):
        kind = values.dtype.pyarrow_dtype
        unit = {"date32[day]": "s", "date64[ms]": "ms"}.get(str(kind)) or kind.unit
        target = f"duration[{unit}]" if values.dtype.kind == "m" else f"timestamp[{unit}]"
        return np.asarray(values.array.__arrow_array__().cast(target).to_numpy(zero_copy_only=False))
    return np.asarray(values.to_numpy())


def first_missing(values: pd.Series) -> Any:
    """Return the first missing cell, such as None or NaN; None where there is none."""
    missing = values[values.isna()]
    return missing.iloc[0] if len(missing) else None


def to_objects(values: list[Any]) -> Array:
    """Return a list as an array of objects, also where its entries are sequences."""
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def to_python(value: Any) -> Any:
    """Return a numpy scalar, unless it is a time, as the Python value that it holds."""
    return value.item() if isinstance(value, np.generic) and not isinstance(value, np.datetime64 | np.timedelta64) else value
