"""Check rules between columns on typed tables, all rows at once.

A comparison with a missing cell is undecided (Kleene's three-valued logic); a row breaks a rule that is certainly false.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from mgvae.arrays import BoolArray, FloatArray, IntArray
from mgvae.config.conditions import (
    Bound,
    Cell,
    Conjunction,
    Disjunction,
    IsMissing,
    LevelIsAmong,
    LevelsCompare,
    MissingTogether,
    Negation,
    NumbersCompare,
    Value,
    cells_of,
    columns_of,
)
from mgvae.config.dictionary import Column, Dictionary
from mgvae.config.expression import Number, Sign
from mgvae.config.levels import LEVEL_KINDS, canonical
from mgvae.config.rules import Rule

ROUNDING = 1e-9  # relative difference below which two numbers are equal: sums of decimals are not exact
NANOSECONDS_A_DAY = 86_400 * 10**9

Truth = tuple[BoolArray, BoolArray]  # where a condition certainly holds; where it certainly does not


@dataclass(frozen=True)
class Place:
    """Where the column that a rule names lies in a table.

    Attributes:
        name: the table's column.
        positions: how many of the column's levels, the first ones, the table's categories are, whatever they are called; None:
            categories are called as the levels are.
        origin, step: a number or date is ``origin + step * cell``, dates in days.
    """

    name: str
    positions: int | None = None
    origin: float = 0.0
    step: float = 1.0


@dataclass(frozen=True)
class RowRules:
    """Rules that a table can be checked by.

    Attributes:
        rules: as stated.
        columns: the columns that they name.
        places: where a column lies in the table, if not under its own name.
    """

    rules: tuple[Rule, ...]
    columns: Mapping[str, Column]
    places: Mapping[str, Place] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.rules)

    @cached_property
    def bound(self) -> tuple[Bound, ...]:
        """The rules as conditions on the columns."""
        return tuple(rule.bound(self.columns) for rule in self.rules)

    def place(self, name: str) -> Place:
        """Return where a column lies."""
        return self.places.get(name, Place(name))

    def broken(self, table: pd.DataFrame) -> BoolArray:
        """Return which rule each row breaks, bool ``(n, rules)``."""
        values = _Cells(self, table)
        return np.column_stack([np.zeros((len(table), 0), bool), *(truth(bound, values)[1] for bound in self.bound)])


NO_RULES = RowRules((), {})


def rules_within(dictionary: Dictionary, names: Collection[str]) -> RowRules:
    """Return the rules of a dictionary that name columns among ``names`` alone."""
    kept = [rule for rule in dictionary.rules if set(columns_of(rule.bound(dictionary.columns))) <= set(names)]
    return RowRules(tuple(kept), dictionary.columns)


class _Cells:
    """The cells of a table as numbers, levels' positions, and whether they are missing; each column is read once."""

    def __init__(self, rules: RowRules, table: pd.DataFrame) -> None:
        self.rules, self.table = rules, table
        self._codes: dict[str, IntArray] = {}

    def codes(self, name: str) -> IntArray:
        """Return positions among the column's levels, ``(n,)``; -1 where missing or none of them."""
        if name not in self._codes:
            place = self.rules.place(name)
            self._codes[name] = _codes(self.table[place.name], self.rules.columns[name], place)
        return self._codes[name]

    def numbers(self, name: str) -> FloatArray:
        """Return numbers, or dates in days, ``(n,)``; NaN where missing."""
        column, place = self.rules.columns[name], self.rules.place(name)
        if column.kind in LEVEL_KINDS:
            return np.append(np.array(column.levels, dtype=float), np.nan)[self.codes(name)]
        cells = self.table[place.name]
        if pd.api.types.is_datetime64_any_dtype(cells):
            days = cells.to_numpy("datetime64[ns]").astype(np.int64) / NANOSECONDS_A_DAY
            return np.where(cells.isna(), np.nan, np.floor(days))
        return place.origin + place.step * cells.to_numpy(float)

    def missing(self, name: str) -> BoolArray:
        """Return whether cells are missing, bool ``(n,)``."""
        return self.table[self.rules.place(name).name].isna().to_numpy(bool)


def _codes(cells: pd.Series, column: Column, place: Place) -> IntArray:
    if place.positions is not None:
        named = isinstance(cells.dtype, pd.CategoricalDtype)  # a column with one level is 0 where it is given
        codes = cells.cat.codes.to_numpy(np.int64) if named else cells.fillna(-1).to_numpy(np.int64)
        return np.where(codes < place.positions, codes, -1)
    levels = pd.Index([canonical(level) for level in column.levels], dtype=object)
    if isinstance(cells.dtype, pd.CategoricalDtype):
        places = levels.get_indexer(pd.Index(cells.cat.categories, dtype=object))
        return np.append(places, -1)[cells.cat.codes.to_numpy()].astype(np.int64)
    return levels.get_indexer(pd.Index(cells.astype(object))).astype(np.int64)


def truth(bound: Bound, cells: _Cells) -> Truth:
    """Return where a condition certainly holds, and where it certainly does not, bool ``(n,)`` each."""
    if isinstance(bound, Negation):
        holds, fails = truth(bound.of, cells)
        return fails, holds
    if isinstance(bound, Conjunction | Disjunction):
        parts = [truth(part, cells) for part in bound.of]
        holds, fails = (np.array([part[side] for part in parts]) for side in (0, 1))
        if isinstance(bound, Conjunction):
            return np.asarray(holds.all(axis=0)), np.asarray(fails.any(axis=0))
        return np.asarray(holds.any(axis=0)), np.asarray(fails.all(axis=0))
    if isinstance(bound, NumbersCompare):
        return _compared(bound.sign, number(bound.left, cells), number(bound.right, cells), bound.tolerance)
    return _of_levels(bound, cells)


def _of_levels(bound: LevelIsAmong | LevelsCompare | IsMissing | MissingTogether, cells: _Cells) -> Truth:
    if isinstance(bound, IsMissing):
        missing = cells.missing(bound.column)
        return missing, ~missing
    if isinstance(bound, MissingTogether):
        missing = np.column_stack([cells.missing(name) for name in bound.columns])
        together = np.asarray(missing.all(axis=1) == missing.any(axis=1))
        return together, ~together
    if isinstance(bound, LevelIsAmong):
        codes = cells.codes(bound.column)
        among = np.isin(codes, list(bound.positions))
        return among & (codes >= 0), ~among & (codes >= 0)
    left, right = cells.codes(bound.left), cells.codes(bound.right)
    known = (left >= 0) & (right >= 0)
    other = np.append(bound.positions, -1)[right]
    return tuple(known & part for part in _compared(bound.sign, left.astype(float), other.astype(float), 0.0))  # type: ignore[return-value]


def _compared(sign: Sign, left: FloatArray, right: FloatArray, tolerance: float) -> Truth:
    """Return where two numbers compare as ``sign`` says, and where not; neither where one is missing."""
    known = ~(np.isnan(left) | np.isnan(right))
    with np.errstate(invalid="ignore"):
        equal = np.abs(left - right) <= tolerance + ROUNDING * np.maximum(np.abs(left), np.abs(right))
        less = (left < right) & ~equal
    found = {"==": equal, "!=": ~equal, "<": less, ">=": ~less, "<=": less | equal, ">": ~(less | equal)}[sign]
    return known & found, known & ~found


def number(value: Value, cells: _Cells) -> FloatArray:
    """Return a number calculated in each row, ``(n,)``; NaN where a part is missing."""
    if isinstance(value, Number):
        return np.full(len(cells.table), value.value)
    if isinstance(value, Cell):
        return cells.numbers(value.column)
    left, right = number(value.left, cells), number(value.right, cells)
    return left + right if value.sign == "+" else left - right if value.sign == "-" else left * right


def calculated(rules: RowRules, value: Value, table: pd.DataFrame) -> FloatArray:
    """Return what ``value`` is in each row of a table, ``(n,)``."""
    return number(value, _Cells(rules, table))


def definition(bound: Bound, columns: Mapping[str, Column]) -> tuple[str, Value] | None:
    """Return column and value if a rule says that a number equals what others give.

    Such a rule, ``urban + rural == visits``, is hardly ever met by numbers that are drawn apart.
    """
    if not isinstance(bound, NumbersCompare) or bound.sign != "==":
        return None
    for cell, value in ((bound.right, bound.left), (bound.left, bound.right)):
        if (
            isinstance(cell, Cell)
            and cell.column not in cells_of(value)
            and columns[cell.column].kind not in (*LEVEL_KINDS, "date")
        ):
            return cell.column, value
    return None


def rows_broken(rules: RowRules, tables: Sequence[pd.DataFrame]) -> tuple[int, int]:
    """Return how many rows of some tables break any rule, and how many rows there are."""
    broken = sum(int(rules.broken(table).any(axis=1).sum()) for table in tables)
    return broken, sum(len(table) for table in tables)
