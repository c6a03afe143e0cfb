"""The user's table <-> the typed table that the model reads. Kinds are inferred from dtypes; values go back in the user's own.

Numbers (plain, nullable, Arrow, sparse) become float64, and a binary column where they take exactly two values. Booleans,
categories, text and objects become levels, in order where the dtype has one. Dates and durations become whole ticks since the
earliest, in the coarsest unit that holds them all. The typed table is what CONTRIBUTING describes; its columns are called by
position, since a user's labels may be repeated or no text.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from pandas.api import types

from mgvae.dictionary import Column
from mgvae.errors import TableError

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

MOST_LEVELS = (
    256  # levels of a column that the model tells apart; the rarest share one, and are drawn from it by their frequency
)
TICKS = {"D": 86_400 * 10**9, "h": 3600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 1000, "ns": 1}  # nanoseconds


@dataclass(frozen=True)
class Numbers:
    """A numeric column.

    Attributes:
        dtype: the user's.
    """

    dtype: Any

    @property
    def column(self) -> Column:
        """What the data dictionary would say."""
        return Column(kind="continuous")

    def typed(self, values: pd.Series) -> pd.Series:
        """Return float64 with NaN."""
        return pd.Series(_floats(values))

    def restored(self, typed: pd.Series, draws: np.random.Generator) -> pd.Series:
        """Return the user's values of typed ones."""
        return _numbers_as(typed.to_numpy(float), self.dtype)


@dataclass(frozen=True)
class Instants:
    """A column of dates or durations.

    Attributes:
        dtype: the user's.
        plain: the numpy dtype that carries its whole numbers, such as datetime64[us].
        origin: the earliest value, in units of ``plain``.
        tick: units that make one step of the typed column.
    """

    dtype: Any
    plain: str
    origin: int
    tick: int

    @property
    def column(self) -> Column:
        """What the data dictionary would say."""
        return Column(kind="date")

    def typed(self, values: pd.Series) -> pd.Series:
        """Return ticks since the origin, float64 with NaN."""
        whole, gone = _whole(values)
        return pd.Series(np.where(gone, np.nan, (whole - self.origin) / self.tick))

    def restored(self, typed: pd.Series, draws: np.random.Generator) -> pd.Series:
        """Return the user's values of typed ones."""
        ticks = typed.to_numpy(float)
        gone = np.isnan(ticks)
        whole = self.origin + np.rint(np.where(gone, 0.0, ticks)).astype(np.int64) * self.tick
        out = pd.Series(np.where(gone, np.iinfo(np.int64).min, whole).view(self.plain))
        zone = getattr(self.dtype, "tz", None)
        return out.dt.tz_localize("UTC").dt.tz_convert(zone) if zone is not None else out.astype(self.dtype)


@dataclass(frozen=True, eq=False)
class Levels:
    """A column of levels.

    Attributes:
        dtype: the user's.
        values: the user's value of each level that the model tells apart.
        ordered: whether their order means something.
        pooled: values that share one further level; it comes after the others.
        share: how often each pooled value occurs, summing to one.
        missing: what a missing cell is in a column of objects.
    """

    dtype: Any
    values: tuple[Any, ...]
    ordered: bool
    pooled: tuple[Any, ...]
    share: tuple[float, ...]
    missing: Any

    @property
    def count(self) -> int:
        """Levels that the model sees."""
        return len(self.values) + bool(self.pooled)

    @property
    def column(self) -> Column:
        """What the data dictionary would say. A constant is a number: a level column needs two levels."""
        if self.count < 2:
            return Column(kind="continuous")
        kind = "ordinal" if self.ordered else "binary" if self.count == 2 else "categorical"
        return Column(kind=kind, categories=tuple(range(self.count)))  # type: ignore[arg-type]

    def typed(self, values: pd.Series) -> pd.Series:
        """Return levels named by their position; for a constant, 0."""
        known = {value: float(place) for place, value in enumerate(self.values)}
        codes = values.astype(object).map(known).astype(float)
        if self.pooled:  # also what training did not see
            codes = codes.mask(codes.isna() & values.notna(), float(len(self.values)))
        if self.count < 2:
            return codes
        names = pd.CategoricalDtype([str(place) for place in range(self.count)], ordered=self.ordered)
        return pd.Series(pd.Categorical.from_codes(codes.fillna(-1).astype(int).tolist(), dtype=names))

    def restored(self, typed: pd.Series, draws: np.random.Generator) -> pd.Series:
        """Return the user's values of typed ones; a pooled level becomes one of its values, drawn by frequency."""
        codes = typed.fillna(-1).to_numpy(int) if self.count < 2 else typed.cat.codes.to_numpy(int)
        place = np.where(codes < 0, self.count + len(self.pooled) - bool(self.pooled), codes)  # the last entry: missing
        if self.pooled:
            other = np.flatnonzero(codes == len(self.values))
            place[other] += draws.choice(len(self.pooled), size=len(other), p=self.share)
        out = pd.Series(_objects([*self.values, *self.pooled, self.missing])[place])
        if types.is_numeric_dtype(self.dtype) and not types.is_bool_dtype(self.dtype):
            return _numbers_as(out.to_numpy(float), self.dtype)
        return out.astype(self.dtype)


Handler: TypeAlias = "Numbers | Instants | Levels"


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

    def restored(self, typed: pd.DataFrame, draws: np.random.Generator) -> pd.DataFrame:
        """Return a typed table in the user's labels, dtypes and values."""
        columns = {at: handler.restored(typed[str(at)], draws) for at, handler in enumerate(self.handlers)}
        out = pd.DataFrame(columns, index=pd.RangeIndex(len(typed)))
        out.columns = self.labels
        return out


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
        numbers = _floats(values)
        distinct = np.unique(numbers[~np.isnan(numbers)])
        return _two_numbers(values, distinct) if len(distinct) == 2 else Numbers(dtype)
    if _is_time(dtype):
        return _instants(values)
    return _levels(values)


def _two_numbers(values: pd.Series, distinct: Array) -> Levels:
    return Levels(values.dtype, tuple(distinct.tolist()), False, (), (), np.nan)


def _instants(values: pd.Series) -> Instants:
    whole, gone = _whole(values)
    seen = whole[~gone]
    plain = _plain(values).dtype
    name = f"{'datetime64' if plain.kind == 'M' else 'timedelta64'}[{np.datetime_data(plain)[0]}]"
    if not len(seen):
        return Instants(values.dtype, name, 0, 1)
    since = seen - seen.min()
    here = TICKS[np.datetime_data(plain)[0]]
    tick = next(size // here for size in TICKS.values() if size >= here and not (since % (size // here)).any())
    return Instants(values.dtype, name, int(seen.min()), tick)


def _levels(values: pd.Series) -> Levels:
    dtype = values.dtype
    try:
        if isinstance(dtype, pd.CategoricalDtype):
            codes, distinct = values.cat.codes.to_numpy(), list(dtype.categories)
        else:
            codes, uniques = pd.factorize(values)
            distinct = list(uniques)
    except TypeError:
        raise TableError(
            f"Column '{values.name}' must hold numbers, levels or times; got {dtype}. Convert or drop it."
        ) from None
    count = np.bincount(codes[codes >= 0], minlength=len(distinct))
    frequent = np.argsort(-count, kind="stable")
    frequent = frequent[count[frequent] > 0]
    kept = np.sort(frequent if len(frequent) <= MOST_LEVELS else frequent[: MOST_LEVELS - 1])
    rare = np.setdiff1d(frequent, kept)
    share = count[rare] / max(count[rare].sum(), 1)
    ordered = isinstance(dtype, pd.CategoricalDtype) and bool(dtype.ordered) and not len(rare)
    gone = values[values.isna()]
    missing = gone.iloc[0] if len(gone) else None
    named = [_plainly(distinct[place]) for place in range(len(distinct))]
    return Levels(
        dtype,
        tuple(named[place] for place in kept),
        ordered,
        tuple(named[place] for place in rare),
        tuple(share.tolist()),
        missing if types.is_object_dtype(dtype) else None,
    )


def _plainly(value: Any) -> Any:
    """Return a numpy scalar as the Python value that it holds."""
    return value.item() if isinstance(value, np.generic) and not isinstance(value, np.datetime64 | np.timedelta64) else value


def _floats(values: pd.Series) -> Array:
    numbers = np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))
    if np.isinf(numbers).any():
        raise TableError(
            f"Column '{values.name}' must hold finite numbers; got infinity in {int(np.isinf(numbers).sum())} cells."
            " Replace it by a number or by NaN."
        )
    return numbers


def _numbers_as(numbers: Array, dtype: Any) -> pd.Series:
    if isinstance(dtype, pd.SparseDtype):
        return _numbers_as(numbers, dtype.subtype).astype(dtype)
    whole = types.is_integer_dtype(dtype)
    numbers = np.rint(numbers) if whole else numbers
    if types.is_extension_array_dtype(dtype):  # nullable types: NaN must become NA
        return pd.Series(numbers).astype("Float64").astype("Int64" if whole else "Float64").astype(dtype)
    return pd.Series(numbers).astype(dtype)


def _is_time(dtype: Any) -> bool:
    if isinstance(dtype, pd.ArrowDtype):
        return dtype.kind in "mM"
    return types.is_datetime64_any_dtype(dtype) or types.is_timedelta64_dtype(dtype)


def _plain(values: pd.Series) -> Array:
    """Return dates or durations as numpy's, in UTC."""
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        values = values.dt.tz_convert("UTC").dt.tz_localize(None)
    return np.asarray(values.to_numpy() if not isinstance(values.dtype, pd.ArrowDtype) else values.array.to_numpy())


def _whole(values: pd.Series) -> tuple[Array, Array]:
    plain = _plain(values)
    return plain.view(np.int64), np.isnat(plain)


def _objects(values: list[Any]) -> Array:
    """Return a list as an array of objects, also where its entries are sequences."""
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out
