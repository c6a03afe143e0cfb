"""The types of a user's columns: numbers, times in steps, and levels.

Each type turns a column into the typed column that the model reads, and typed values back into the user's dtype.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from pandas.api import types

from mgvae.arrays import Array
from mgvae.config.dictionary import Column
from mgvae.errors import TableError
from mgvae.sampler.column_values import factorize, first_missing, from_floats, to_floats, to_objects, to_python, to_times

MOST_LEVELS = 256  # levels that the model distinguishes; the rarest share one, and are drawn from it by their frequency
FEWEST_ROWS = 5  # rows from which a level's name may be saved: a rarer one may identify a person
EXACT = 2**53  # whole numbers from which a float may lose the last digits
UNITS = {"D": 86_400 * 10**9, "h": 3600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 1000, "ns": 1}  # nanoseconds
NUMBERS_IN_OBJECTS: dict[str, Callable[[float], Any]] = {  # by pandas' name for the kind of object
    "integer": round,
    "floating": float,
    "mixed-integer-float": float,
    "decimal": lambda number: Decimal(int(number) if number.is_integer() else repr(number)),
}


@dataclass(frozen=True)
class NumericColumn:
    """A column of numbers.

    Attributes:
        dtype: the user's.
        object_kind: what the numbers are in a column of objects, a key of `NUMBERS_IN_OBJECTS`; None in any other.
        missing: what a missing cell is in a column of objects.
    """

    dtype: Any
    object_kind: str | None = None
    missing: Any = None

    @classmethod
    def fit(cls, values: pd.Series) -> NumericColumn:
        """Return the type of a column of numbers.

        Raises:
            TableError: a number is infinite, or a whole number that a float cannot represent exactly.
        """
        numbers = to_floats(values)
        in_objects = types.is_object_dtype(values.dtype)
        kind = types.infer_dtype(values, skipna=True) if in_objects else None
        too_large = int((np.abs(numbers) >= EXACT).sum())
        if too_large and (kind == "integer" or types.is_integer_dtype(values.dtype)):
            raise TableError(
                f"Column '{values.name}' must hold whole numbers below 2^53, which a float represents exactly; got larger"
                f" ones in {too_large} cells. Drop it if it identifies rows, or convert it with .astype(float) or .astype(str)."
            )
        return cls(values.dtype, kind, first_missing(values) if in_objects else None)

    @property
    def column(self) -> Column:
        """The entry of the data dictionary."""
        return Column(kind="continuous")

    def to_typed(self, values: pd.Series) -> pd.Series:
        """Return float64 with NaN."""
        return pd.Series(to_floats(values))

    def to_user(self, typed: pd.Series, draws: np.random.Generator) -> pd.Series:
        """Return typed values in the user's dtype."""
        numbers = typed.to_numpy(float)
        if self.object_kind is None:
            return from_floats(numbers, self.dtype)
        convert = NUMBERS_IN_OBJECTS[self.object_kind]
        cells = [self.missing if np.isnan(number) else convert(number) for number in numbers.tolist()]
        return pd.Series(to_objects(cells), dtype=object)


@dataclass(frozen=True)
class StepColumn:
    """A column of dates or durations, in whole steps from the earliest.

    Attributes:
        dtype: the user's.
        numpy_dtype: the dtype that carries them, such as datetime64[us].
        origin: the earliest value, in units of ``numpy_dtype``.
        step: units that make one step of the typed column.
        last_step: steps to the latest value.
    """

    dtype: Any
    numpy_dtype: str
    origin: int
    step: int
    last_step: int

    @classmethod
    def fit(cls, values: pd.Series) -> StepColumn:
        """Return the type of a column of times, with the coarsest step that fits all."""
        times = to_times(values)
        whole = times[~np.isnat(times)].view(np.int64)
        if not len(whole):
            return cls(values.dtype, str(times.dtype), 0, 1, 0)
        origin = int(whole.min())
        distance = _distances(whole, origin)
        unit = UNITS[np.datetime_data(times.dtype)[0]]
        coarser = (size // unit for size in UNITS.values() if size >= unit)
        step = next(size for size in coarser if not (distance % np.uint64(size)).any())
        return cls(values.dtype, str(times.dtype), origin, step, int(distance.max()) // step)

    @property
    def column(self) -> Column:
        """The entry of the data dictionary."""
        return Column(kind="date")

    def to_typed(self, values: pd.Series) -> pd.Series:
        """Return steps since the origin, float64 with NaN; 0 for an earlier value."""
        times = to_times(values).astype(self.numpy_dtype)
        whole = times.view(np.int64)
        steps = np.where(whole < self.origin, 0, _distances(whole, self.origin)) / self.step
        return pd.Series(np.where(np.isnat(times), np.nan, steps))

    def to_user(self, typed: pd.Series, draws: np.random.Generator) -> pd.Series:
        """Return typed values in the user's dtype, at most the latest in training."""
        steps = typed.to_numpy(float)
        missing = np.isnan(steps)
        steps = np.rint(np.where(missing, 0.0, steps))
        last = steps >= float(self.last_step)  # a float next to the largest whole number may be above it
        offset = np.where(last, np.uint64(self.last_step), np.where(last, 0.0, steps).astype(np.uint64)) * np.uint64(self.step)
        whole = offset + np.uint64(self.origin % 2**64)
        out = pd.Series(np.where(missing, np.iinfo(np.int64).min, whole.view(np.int64)).view(self.numpy_dtype))
        zone = getattr(self.dtype, "tz", None) or getattr(getattr(self.dtype, "pyarrow_dtype", None), "tz", None)
        return (out if zone is None else out.dt.tz_localize("UTC").dt.tz_convert(zone)).astype(self.dtype)


@dataclass(frozen=True, eq=False)
class LevelColumn:
    """A column of levels.

    Attributes:
        dtype: the user's.
        values: the user's value of each level that the model distinguishes.
        counts: training rows at each level; empty where levels are numbers or booleans, which identify nobody.
        ordered: whether their order has a meaning.
        rare_level: whether all rarer values share one further level, which comes after the others.
        substitutes: values drawn for the shared level, and for suppressed ones.
        substitute_shares: how often each of them is drawn, summing to one.
        missing: what a missing cell is in a column of objects.
        suppressed: places of ``values`` whose names were left out of a file.
    """

    dtype: Any
    values: tuple[Any, ...]
    counts: tuple[int, ...] = ()
    ordered: bool = False
    rare_level: bool = False
    substitutes: tuple[Any, ...] = ()
    substitute_shares: tuple[float, ...] = ()
    missing: Any = None
    suppressed: tuple[int, ...] = ()

    @classmethod
    def fit(cls, values: pd.Series) -> LevelColumn:
        """Return the type of a column of levels, of which `MOST_LEVELS` are distinguished.

        Raises:
            TableError: the values cannot be compared.
        """
        dtype = values.dtype
        codes, distinct = factorize(values)
        count = np.bincount(codes[codes >= 0], minlength=len(distinct))
        frequent = np.argsort(-count, kind="stable")
        frequent = frequent[count[frequent] > 0]
        kept = np.sort(frequent if len(frequent) <= MOST_LEVELS else frequent[: MOST_LEVELS - 1])
        rare = np.setdiff1d(frequent, kept)
        return cls(
            dtype,
            values=tuple(distinct[place] for place in kept),
            counts=() if types.is_numeric_dtype(dtype) else tuple(count[kept].tolist()),
            ordered=isinstance(dtype, pd.CategoricalDtype) and bool(dtype.ordered) and not len(rare),
            rare_level=bool(len(rare)),
            substitutes=tuple(distinct[place] for place in rare),
            substitute_shares=tuple((count[rare] / max(count[rare].sum(), 1)).tolist()),
            missing=first_missing(values) if types.is_object_dtype(dtype) else np.nan if dtype.kind == "f" else None,
        )

    @property
    def count(self) -> int:
        """How many levels the model distinguishes."""
        return len(self.values) + self.rare_level

    @property
    def column(self) -> Column:
        """The entry of the data dictionary; that of a number for a constant."""
        if self.count < 2:
            return Column(kind="continuous")
        kind = "ordinal" if self.ordered else "binary" if self.count == 2 else "categorical"
        return Column(kind=kind, categories=tuple(range(self.count)))  # type: ignore[arg-type]

    def to_typed(self, values: pd.Series) -> pd.Series:
        """Return levels named by position; unknown values are unnamed levels or missing."""
        positions, distinct = factorize(values)
        known = {value: place for place, value in enumerate(self.values) if place not in self.suppressed}
        unknown = len(self.values) if self.rare_level else self.suppressed[0] if self.suppressed else -1
        places = np.array([*(known.get(value, unknown) for value in distinct), -1])  # the last entry: missing
        codes = places[positions]
        if self.count < 2:
            return pd.Series(np.where(codes < 0, np.nan, codes))
        names = pd.CategoricalDtype([str(place) for place in range(self.count)], ordered=self.ordered)
        return pd.Series(pd.Categorical.from_codes(codes, dtype=names))

    def to_user(self, typed: pd.Series, draws: np.random.Generator) -> pd.Series:
        """Return typed values in the user's dtype, substitutes for unnamed levels."""
        codes = typed.fillna(-1).to_numpy(int) if self.count < 2 else typed.cat.codes.to_numpy(int)
        place = np.where(codes < 0, len(self.values) + len(self.substitutes), codes)  # the last entry: missing
        if self.substitutes:
            unnamed = np.flatnonzero(np.isin(codes, [len(self.values), *self.suppressed]))
            drawn = draws.choice(len(self.substitutes), size=len(unnamed), p=self.substitute_shares)
            place[unnamed] = len(self.values) + drawn
        used, positions = np.unique(place, return_inverse=True)
        entries = [*self.values, *self.substitutes, self.missing]
        cells = pd.Series(to_objects([entries[at] for at in used]), dtype=object).astype(self.dtype)
        return cells.take(positions).reset_index(drop=True)

    def suppress_rare(self) -> LevelColumn:
        """Return the type without names of levels of fewer than `FEWEST_ROWS` rows.

        The frequent ones substitute for them, as often as they occur; where there is none, a missing cell does.
        """
        frequent = [at for at in range(len(self.values)) if not self.counts or self.counts[at] >= FEWEST_ROWS]
        suppressed = tuple(sorted(set(range(len(self.values))) - set(frequent)))
        dtype = self.dtype
        if isinstance(dtype, pd.CategoricalDtype):
            kept = {self.values[at] for at in frequent}
            categories = dtype.categories[[to_python(value) in kept for value in dtype.categories]]
            dtype = pd.CategoricalDtype(categories, ordered=dtype.ordered)
        values = tuple(None if at in suppressed else value for at, value in enumerate(self.values))
        if not suppressed and not self.rare_level:
            return replace(self, dtype=dtype)
        weight = np.array([self.counts[at] if self.counts else 1 for at in frequent] or [1], dtype=float)
        return replace(
            self,
            dtype=dtype,
            values=values,
            substitutes=tuple(self.values[at] for at in frequent) or (self.missing,),
            substitute_shares=tuple((weight / weight.sum()).tolist()),
            suppressed=suppressed,
        )


ColumnType: TypeAlias = "NumericColumn | StepColumn | LevelColumn"


def _distances(whole: Array, origin: int) -> Array:
    """Return ``whole - origin``, at least 0, also where the difference needs 64 bits."""
    return whole.view(np.uint64) - np.uint64(origin % 2**64)
