"""How one column of a user's table is read by the model and given back in the user's own dtype: numbers, steps or levels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from pandas.api import types

from mgvae.config.dictionary import Column
from mgvae.errors import TableError

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

FEWEST = 5  # rows from which the name of a level may leave memory: a rarer one may belong to one person
IN_OBJECTS: dict[str, Callable[[float], Any]] = {  # numbers that a column of objects may hold, by pandas' name for them
    "integer": round,
    "floating": float,
    "mixed-integer-float": float,
    "decimal": lambda number: Decimal(int(number) if number.is_integer() else repr(number)),
}


@dataclass(frozen=True)
class Numbers:
    """A numeric column.

    Attributes:
        dtype: the user's.
        held: what the numbers are in a column of objects, a key of `IN_OBJECTS`; None in any other.
        missing: what a missing cell is in a column of objects.
        limits: least and largest value, where whole numbers are too large for a float to tell apart; else empty.
    """

    dtype: Any
    held: str | None = None
    missing: Any = None
    limits: tuple[int, ...] = ()

    @property
    def column(self) -> Column:
        """What the data dictionary would say."""
        return Column(kind="continuous")

    def typed(self, values: pd.Series) -> pd.Series:
        """Return float64 with NaN."""
        return pd.Series(floats(values))

    def restored(self, typed: pd.Series, draws: np.random.Generator) -> pd.Series:
        """Return the user's values of typed ones."""
        numbers = typed.to_numpy(float)
        if self.limits:
            return _limited(numbers, self.limits, self.dtype)
        if self.held is None:
            return _numbers_as(numbers, self.dtype)
        made = IN_OBJECTS[self.held]
        return pd.Series(objects([self.missing if np.isnan(one) else made(one) for one in numbers.tolist()]), dtype=object)


@dataclass(frozen=True)
class Steps:
    """A column of dates, durations or large whole numbers close together: whole steps from the least.

    Attributes:
        dtype: the user's.
        plain: the numpy dtype that carries its whole numbers, such as datetime64[us] or uint64.
        origin: the least value, in units of ``plain``.
        step: units that make one step of the typed column.
        most: steps to the largest value.
    """

    dtype: Any
    plain: str
    origin: int
    step: int
    most: int

    @property
    def column(self) -> Column:
        """What the data dictionary would say."""
        return Column(kind="date")

    def typed(self, values: pd.Series) -> pd.Series:
        """Return steps since the origin, float64 with NaN; a value before the origin counts as the origin."""
        whole, gone = whole_numbers(values, self.plain)
        since = np.where(whole < self.origin, 0, distances(whole, self.origin)) / self.step
        return pd.Series(np.where(gone, np.nan, since))

    def restored(self, typed: pd.Series, draws: np.random.Generator) -> pd.Series:
        """Return the user's values of typed ones; none lies beyond the largest in training."""
        steps = typed.to_numpy(float)
        gone = np.isnan(steps)
        steps = np.rint(np.where(gone, 0.0, steps))
        last = steps >= float(self.most)  # a float next to the largest whole number may be above it
        offset = np.where(last, np.uint64(self.most), np.where(last, 0.0, steps).astype(np.uint64)) * np.uint64(self.step)
        whole = offset + np.uint64(self.origin % 2**64)
        if self.plain[-1] != "]":
            return _missing_where(gone, pd.Series(whole.view(self.plain)), self.dtype)
        out = pd.Series(np.where(gone, np.iinfo(np.int64).min, whole.view(np.int64)).view(self.plain))
        zone = getattr(self.dtype, "tz", None) or getattr(getattr(self.dtype, "pyarrow_dtype", None), "tz", None)
        return (out if zone is None else out.dt.tz_localize("UTC").dt.tz_convert(zone)).astype(self.dtype)


@dataclass(frozen=True, eq=False)
class Levels:
    """A column of levels.

    Attributes:
        dtype: the user's.
        values: the user's value of each level that the model tells apart.
        counts: training rows at each of them; empty where they are numbers or booleans, whose names tell of nobody.
        ordered: whether their order means something.
        shared: whether all rarer values share one further level, which comes after the others.
        pooled: what stands for the shared level, and for those withheld.
        share: how often each of them does, summing to one.
        missing: what a missing cell is in a column of objects.
        withheld: places of ``values`` whose names were left out of a file.
    """

    dtype: Any
    values: tuple[Any, ...]
    counts: tuple[int, ...]
    ordered: bool = False
    shared: bool = False
    pooled: tuple[Any, ...] = ()
    share: tuple[float, ...] = ()
    missing: Any = None
    withheld: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        """Levels that the model sees."""
        return len(self.values) + self.shared

    @property
    def column(self) -> Column:
        """What the data dictionary would say. A constant is a number: a level column needs two levels."""
        if self.count < 2:
            return Column(kind="continuous")
        kind = "ordinal" if self.ordered else "binary" if self.count == 2 else "categorical"
        return Column(kind=kind, categories=tuple(range(self.count)))  # type: ignore[arg-type]

    def typed(self, values: pd.Series) -> pd.Series:
        """Return levels named by their position; for a constant, 0. What is unknown joins those without a name of their own."""
        at, distinct = factorized(values)
        known = {value: place for place, value in enumerate(self.values) if place not in self.withheld}
        unknown = len(self.values) if self.shared else self.withheld[0] if self.withheld else -1
        places = np.array([*(known.get(value, unknown) for value in distinct), -1])  # the last entry: missing
        codes = places[at]
        if self.count < 2:
            return pd.Series(np.where(codes < 0, np.nan, codes))
        names = pd.CategoricalDtype([str(place) for place in range(self.count)], ordered=self.ordered)
        return pd.Series(pd.Categorical.from_codes(codes, dtype=names))

    def restored(self, typed: pd.Series, draws: np.random.Generator) -> pd.Series:
        """Return the user's values of typed ones; a level without a name of its own becomes one of those that stand for it."""
        codes = typed.fillna(-1).to_numpy(int) if self.count < 2 else typed.cat.codes.to_numpy(int)
        place = np.where(codes < 0, len(self.values) + len(self.pooled), codes)  # the last entry: missing
        if self.pooled:
            other = np.flatnonzero(np.isin(codes, [len(self.values), *self.withheld]))
            place[other] = len(self.values) + draws.choice(len(self.pooled), size=len(other), p=self.share)
        used, at = np.unique(place, return_inverse=True)
        entries = [*self.values, *self.pooled, self.missing]
        return (
            pd.Series(objects([entries[one] for one in used]), dtype=object).astype(self.dtype).take(at).reset_index(drop=True)
        )

    def published(self) -> Levels:
        """Return what may be written into a file: without the names of levels that fewer than `FEWEST` rows have.

        The others stand for them, as often as they occur; where there is none, a missing cell does.
        """
        known = [at for at in range(len(self.values)) if not self.counts or self.counts[at] >= FEWEST]
        withheld = tuple(sorted(set(range(len(self.values))) - set(known)))
        dtype = self.dtype
        if isinstance(dtype, pd.CategoricalDtype):
            dtype = pd.CategoricalDtype(_those(dtype.categories, {self.values[at] for at in known}), ordered=dtype.ordered)
        values = tuple(None if at in withheld else value for at, value in enumerate(self.values))
        if not withheld and not self.shared:
            return replace(self, dtype=dtype)
        weight = np.array([self.counts[at] if self.counts else 1 for at in known] or [1], dtype=float)
        pooled = tuple(self.values[at] for at in known) or (self.missing,)
        return replace(
            self, dtype=dtype, values=values, pooled=pooled, share=tuple((weight / weight.sum()).tolist()), withheld=withheld
        )


Handler: TypeAlias = "Numbers | Steps | Levels"


def factorized(values: pd.Series) -> tuple[Array, list[Any]]:
    """Return for each cell the position of its value among the distinct ones, -1 where missing, and these values.

    Raises:
        TableError: the values cannot be told apart.
    """
    try:
        if isinstance(values.dtype, pd.CategoricalDtype):
            return values.cat.codes.to_numpy().astype(np.int64), [_plainly(one) for one in values.cat.categories]
        codes, distinct = pd.factorize(values)
        return codes, [_plainly(one) for one in distinct]
    except (TypeError, NotImplementedError):
        raise TableError(
            f"Column '{values.name}' must hold numbers, levels or times; got {values.dtype}. Convert or drop it."
        ) from None


def floats(values: pd.Series) -> Array:
    """Return numbers as float64, missing as NaN.

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


def whole_numbers(values: pd.Series, plain: str) -> tuple[Array, Array]:
    """Return dates, durations (as ``plain``, in UTC, then as whole numbers) or whole numbers, and where they are missing."""
    gone = values.isna().to_numpy()
    if plain[-1] != "]":
        return np.asarray(values.fillna(0).to_numpy(dtype=plain)), gone
    return _times(values).astype(plain).view(np.int64), gone


def times_dtype(values: pd.Series) -> str:
    """Return the numpy dtype that carries a column of dates or durations, such as datetime64[us]."""
    return str(_times(values).dtype)


def distances(whole: Array, origin: int) -> Array:
    """Return ``whole - origin`` for whole numbers that are not below it, also where the difference needs 64 bits."""
    return whole.view(np.uint64) - np.uint64(origin % 2**64)


def objects(values: list[Any]) -> Array:
    """Return a list as an array of objects, also where its entries are sequences."""
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def _times(values: pd.Series) -> Array:
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        values = values.dt.tz_convert("UTC").dt.tz_localize(None)
    if isinstance(values.dtype, pd.ArrowDtype):
        kind = values.dtype.pyarrow_dtype
        unit = {"date32[day]": "s", "date64[ms]": "ms"}.get(str(kind)) or kind.unit
        target = f"duration[{unit}]" if values.dtype.kind == "m" else f"timestamp[{unit}]"
        return np.asarray(values.array.__arrow_array__().cast(target).to_numpy(zero_copy_only=False))
    return np.asarray(values.to_numpy())


def _numbers_as(numbers: Array, dtype: Any) -> pd.Series:
    if isinstance(dtype, pd.SparseDtype):
        return _numbers_as(numbers, dtype.subtype).astype(dtype)
    whole = types.is_integer_dtype(dtype)
    numbers = np.rint(numbers) if whole else numbers
    if types.is_extension_array_dtype(dtype):  # nullable types: NaN must become NA
        return pd.Series(numbers).astype("Float64").astype("Int64" if whole else "Float64").astype(dtype)
    return pd.Series(numbers).astype(dtype)


def _limited(numbers: Array, limits: tuple[int, ...], dtype: Any) -> pd.Series:
    """Return whole numbers within ``limits``: the float next to a limit may lie beyond it, and beyond the dtype."""
    low, high = limits
    kind: Any = np.uint64 if high >= 2**63 else np.int64
    gone = np.isnan(numbers)
    above, below = numbers >= float(high), numbers <= float(low)
    whole = np.rint(np.where(above | below | gone, 0.0, numbers)).astype(kind)
    whole[above], whole[below] = high, low
    return _missing_where(gone, pd.Series(whole), dtype)


def _missing_where(gone: Array, whole: pd.Series, dtype: Any) -> pd.Series:
    if not gone.any():
        return whole.astype(dtype)
    return whole.astype("UInt64" if whole.dtype.kind == "u" else "Int64").mask(gone).astype(dtype)


def _those(categories: pd.Index, kept: set[Any]) -> pd.Index:
    return categories[[_plainly(one) in kept for one in categories]]


def _plainly(value: Any) -> Any:
    """Return a numpy scalar as the Python value that it holds."""
    return value.item() if isinstance(value, np.generic) and not isinstance(value, np.datetime64 | np.timedelta64) else value
