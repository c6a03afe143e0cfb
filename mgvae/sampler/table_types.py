"""The user's table <-> the typed table that the model reads. Kinds are inferred from dtypes; values go back in the user's own.

Numbers (plain, nullable, Arrow, sparse, or alone in a column of objects) become float64, and a binary column where they take
exactly two values. Booleans, categories, text and other objects become levels, in order where the dtype has one. Dates and
durations become whole steps since the earliest, in the coarsest unit that holds them all. The typed table is what CONTRIBUTING
describes; its columns are called by position, since a user's labels may be repeated or no text.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from mgvae.config.dictionary import Column
from mgvae.errors import TableError
from mgvae.sampler.column_types import (
    IN_OBJECTS,
    Array,
    Handler,
    Levels,
    Numbers,
    Steps,
    distances,
    factorized,
    floats,
    times_dtype,
    whole_numbers,
)

MOST_LEVELS = 256  # levels that the model tells apart; the rarest share one, and are drawn from it by their frequency
EXACT = 2**53  # whole numbers from which a float may lose the last digits
UNITS = {"D": 86_400 * 10**9, "h": 3600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 1000, "ns": 1}  # nanoseconds


@dataclass(frozen=True, eq=False)
class Frame:
    """How each column of a user's table is read and given back, by position.

    Attributes:
        labels: the user's column labels.
        handlers: one per column.
    """

    labels: pd.Index
    handlers: tuple[Handler, ...]

    @property
    def columns(self) -> Mapping[str, Column]:
        """The data dictionary of the typed table."""
        return {str(at): handler.column for at, handler in enumerate(self.handlers)}

    def typed(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the typed table of ``table``, numbered from 0.

        Raises:
            TableError: the table has another number of columns, or a number is infinite.
        """
        if table.shape[1] != len(self.handlers):
            raise TableError(f"X must have the {len(self.handlers)} columns it was fitted on; got {table.shape[1]}.")
        table = table.reset_index(drop=True)
        return pd.DataFrame({str(at): handler.typed(table.iloc[:, at]) for at, handler in enumerate(self.handlers)})

    def published(self) -> Frame:
        """Return what may leave memory; see `Levels.published`."""
        return Frame(self.labels, tuple(one.published() if isinstance(one, Levels) else one for one in self.handlers))

    def restored(self, typed: pd.DataFrame, draws: np.random.Generator) -> pd.DataFrame:
        """Return a typed table in the user's labels, dtypes and values."""
        columns = {at: handler.restored(typed[str(at)], draws) for at, handler in enumerate(self.handlers)}
        out = pd.DataFrame(columns, index=pd.RangeIndex(len(typed)))
        out.columns = self.labels
        return out


def with_categories(table: pd.DataFrame, like: pd.DataFrame) -> pd.DataFrame:
    """Return ``table`` with the categories of ``like`` where these hold its own: a saved sampler knows only frequent ones."""
    out = {}
    for at in range(table.shape[1]):
        column, other = table.iloc[:, at], like.iloc[:, at].dtype
        if isinstance(column.dtype, pd.CategoricalDtype) and isinstance(other, pd.CategoricalDtype):
            column = column.astype(other) if set(column.cat.categories) <= set(other.categories) else column
        out[at] = column
    return pd.DataFrame(out, index=table.index).set_axis(table.columns, axis=1)


def read_frame(table: pd.DataFrame, *, categorical: Collection[int] = ()) -> Frame:
    """Return how to read ``table``.

    Args:
        table: the user's, ``(N, P)``.
        categorical: positions of columns whose values are names, whatever their dtype.
    Raises:
        TableError: a column holds what is neither a number, a level nor a time, or an infinite number.
    """
    handlers = tuple(_handler(table.iloc[:, at], named=at in categorical) for at in range(table.shape[1]))
    return Frame(table.columns, handlers)


def _handler(values: pd.Series, *, named: bool) -> Handler:
    dtype = values.dtype
    if named or types.is_bool_dtype(dtype):
        return _levels(values)
    if types.is_complex_dtype(dtype):
        raise TableError(f"Column '{values.name}' must hold numbers, levels or times; got dtype {dtype}. Convert or drop it.")
    if types.is_numeric_dtype(dtype):
        return _numbers(values)
    if _is_time(dtype):
        return _steps(values, times_dtype(values))
    held = types.infer_dtype(values, skipna=True) if types.is_object_dtype(dtype) else ""
    if held in IN_OBJECTS:
        floats(values)
        return Numbers(dtype, held, _missing(values))
    return _levels(values)


def _numbers(values: pd.Series) -> Handler:
    numbers = floats(values)
    seen = numbers[~np.isnan(numbers)]
    low, high = (seen.min(), seen.max()) if len(seen) else (0.0, 0.0)
    if low < high and ((seen == low) | (seen == high)).all():
        two = sorted(factorized(values)[1])
        if len(two) == 2:  # not so where a float cannot tell them apart
            return Levels(values.dtype, tuple(two), (), missing=np.nan)
    if types.is_integer_dtype(values.dtype) and max(-low, high) >= EXACT:
        return _large(values, "uint64" if low >= 0 else "int64")
    return Numbers(values.dtype)


def _large(values: pd.Series, plain: str) -> Handler:
    """Return how to read whole numbers beyond `EXACT`: by their distances where a float can tell these apart."""
    whole, gone = whole_numbers(values, plain)
    low, high = int(whole[~gone].min()), int(whole[~gone].max())
    return _steps(values, plain) if high - low < EXACT else Numbers(values.dtype, limits=(low, high))


def _steps(values: pd.Series, plain: str) -> Steps:
    whole, gone = whole_numbers(values, plain)
    if gone.all():
        return Steps(values.dtype, plain, 0, 1, 0)
    origin = int(whole[~gone].min())
    since = distances(whole[~gone], origin)
    step = _step(since, np.datetime_data(np.dtype(plain))[0]) if plain[-1] == "]" else 1
    return Steps(values.dtype, plain, origin, step, int(since.max()) // step)


def _step(since: Array, unit: str) -> int:
    """Return the coarsest step of which all distances, in ``unit``, are multiples."""
    here = UNITS[unit]
    return next(size // here for size in UNITS.values() if size >= here and not (since % np.uint64(size // here)).any())


def _levels(values: pd.Series) -> Levels:
    dtype = values.dtype
    codes, distinct = factorized(values)
    count = np.bincount(codes[codes >= 0], minlength=len(distinct))
    frequent = np.argsort(-count, kind="stable")
    frequent = frequent[count[frequent] > 0]
    kept = np.sort(frequent if len(frequent) <= MOST_LEVELS else frequent[: MOST_LEVELS - 1])
    rare = np.setdiff1d(frequent, kept)
    share = count[rare] / max(count[rare].sum(), 1)
    return Levels(
        dtype,
        values=tuple(distinct[place] for place in kept),
        counts=() if types.is_numeric_dtype(dtype) else tuple(count[kept].tolist()),
        ordered=isinstance(dtype, pd.CategoricalDtype) and bool(dtype.ordered) and not len(rare),
        shared=bool(len(rare)),
        pooled=tuple(distinct[place] for place in rare),
        share=tuple(share.tolist()),
        missing=_missing(values) if types.is_object_dtype(dtype) else np.nan if dtype.kind == "f" else None,
    )


def _missing(values: pd.Series) -> Any:
    """Return what the first missing cell is; None where there is none."""
    gone = values[values.isna()]
    return gone.iloc[0] if len(gone) else None


def _is_time(dtype: Any) -> bool:
    if isinstance(dtype, pd.ArrowDtype):
        return dtype.kind in "mM"
    return types.is_datetime64_any_dtype(dtype) or types.is_timedelta64_dtype(dtype)
