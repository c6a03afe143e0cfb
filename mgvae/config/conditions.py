"""Conditions on the columns of a data dictionary: names and levels found, kinds checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from mgvae.config.expression import (
    All,
    Arithmetic,
    Comparison,
    Condition,
    Either,
    Missing,
    Not,
    Number,
    Operand,
    Sign,
    Word,
)
from mgvae.config.levels import LEVEL_KINDS, Kind, Level, canonical
from mgvae.errors import nearest

DATE_ARITHMETIC = (("date", "-", "date"), ("date", "-", "number"), ("date", "+", "number"), ("number", "+", "date"))
WORDS_FOR_BOOLEANS = {"true": "1", "false": "0"}


class Described(Protocol):
    """What a condition must know of a column."""

    @property
    def kind(self) -> Kind:
        """Its kind."""

    @property
    def levels(self) -> tuple[Level, ...]:
        """Its levels, in order."""


@dataclass(frozen=True)
class Cell:
    """The value of a column in a row, as a number: of levels that are numbers, that number."""

    column: str


@dataclass(frozen=True)
class Term:
    """A sum, a difference or a product."""

    sign: Literal["+", "-", "*"]
    left: Value
    right: Value


Value = Cell | Number | Term


@dataclass(frozen=True)
class NumbersCompare:
    """Two numbers compared; those that differ by at most ``tolerance`` count as equal."""

    sign: Sign
    left: Value
    right: Value
    tolerance: float


@dataclass(frozen=True)
class LevelIsAmong:
    """Whether a column's level is one of those at ``positions``."""

    column: str
    positions: frozenset[int]


@dataclass(frozen=True)
class LevelsCompare:
    """The levels of two columns compared: position of the right one's levels among the left one's, -1 if it is none."""

    sign: Sign
    left: str
    right: str
    positions: tuple[int, ...]


@dataclass(frozen=True)
class IsMissing:
    """Whether a cell is missing."""

    column: str


@dataclass(frozen=True)
class MissingTogether:
    """Whether all cells are missing, or none is."""

    columns: tuple[str, ...]


@dataclass(frozen=True)
class Negation:
    """A condition that must not hold."""

    of: Bound


@dataclass(frozen=True)
class Conjunction:
    """Conditions that must all hold."""

    of: tuple[Bound, ...]


@dataclass(frozen=True)
class Disjunction:
    """Conditions of which one must hold."""

    of: tuple[Bound, ...]


Bound = NumbersCompare | LevelIsAmong | LevelsCompare | IsMissing | MissingTogether | Negation | Conjunction | Disjunction


def bind(condition: Condition, columns: Mapping[str, Described], *, tolerance: float) -> Bound:
    """Return ``condition`` with its words as columns and levels.

    Args:
        condition: as parsed.
        columns: the dictionary's.
        tolerance: numbers that differ by no more count as equal.
    Raises:
        ValueError: a word is neither a column nor a level of the column that it is compared with, or two things cannot be
            compared.
    """
    if isinstance(condition, Not):
        return Negation(bind(condition.of, columns, tolerance=tolerance))
    if isinstance(condition, All | Either):
        parts = tuple(bind(part, columns, tolerance=tolerance) for part in condition.of)
        return Conjunction(parts) if isinstance(condition, All) else Disjunction(parts)
    if isinstance(condition, Missing):
        return IsMissing(column_named(condition.of.text, columns))
    return _bound_comparison(condition, columns, tolerance)


def column_named(name: str, columns: Mapping[str, Described]) -> str:
    """Return the name of a column.

    Raises:
        ValueError: the dictionary has no such column.
    """
    if name not in columns:
        raise ValueError(f"must name columns of the data dictionary; it has no '{name}'.{nearest(name, columns)}")
    return name


def columns_of(bound: Bound) -> Iterator[str]:
    """Yield the columns that a condition names, some of them repeatedly."""
    if isinstance(bound, NumbersCompare):
        yield from [*cells_of(bound.left), *cells_of(bound.right)]
    elif isinstance(bound, LevelsCompare):
        yield from (bound.left, bound.right)
    elif isinstance(bound, LevelIsAmong | IsMissing):
        yield bound.column
    elif isinstance(bound, MissingTogether):
        yield from bound.columns
    else:
        for part in (bound.of,) if isinstance(bound, Negation) else bound.of:
            yield from columns_of(part)


def cells_of(value: Value) -> Iterator[str]:
    """Yield the columns that a number is calculated from."""
    if isinstance(value, Cell):
        yield value.column
    elif isinstance(value, Term):
        yield from [*cells_of(value.left), *cells_of(value.right)]


def _bound_comparison(condition: Comparison, columns: Mapping[str, Described], tolerance: float) -> Bound:
    sign, left, right = condition.sign, condition.left, condition.right
    if _is_level(left, columns) and not _is_level(right, columns):
        sign, left, right = _turned(sign), right, left
    name = _level_column(left, columns)
    if name is not None and not isinstance(right, Arithmetic):
        other = _level_column(right, columns)
        if other is not None:
            return _between_levels(sign, name, other, columns, tolerance)
        literal = _literal(right, columns)
        if literal is not None:
            return _with_level(sign, name, literal, columns, tolerance)
    operands = (_value(left, columns), _value(right, columns))
    if operands[0][1] != operands[1][1]:
        raise ValueError("must compare a date with another date column, and a number with a number; got one of each")
    return NumbersCompare(sign, operands[0][0], operands[1][0], tolerance)


def _turned(sign: Sign) -> Sign:
    turned: dict[Sign, Sign] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
    return turned.get(sign, sign)


def _is_level(operand: Operand, columns: Mapping[str, Described]) -> bool:
    return _literal(operand, columns) is not None


def _literal(operand: Operand, columns: Mapping[str, Described]) -> Level | None:
    """Return a level, or a number that may be one; None for a column and what is calculated."""
    if isinstance(operand, Number):
        return operand.value
    if isinstance(operand, Word) and operand.kind != "name" and (operand.kind == "text" or operand.text not in columns):
        return operand.text
    return None


def _level_column(operand: Operand, columns: Mapping[str, Described]) -> str | None:
    if not isinstance(operand, Word) or _literal(operand, columns) is not None:
        return None
    name = column_named(operand.text, columns)
    return name if columns[name].kind in LEVEL_KINDS else None


def _with_level(sign: Sign, name: str, literal: Level, columns: Mapping[str, Described], tolerance: float) -> Bound:
    column = columns[name]
    levels = [canonical(level) for level in column.levels]
    if not levels:
        raise ValueError(f"must know the levels of '{name}'; its entry has none. Give it a kind and categories")
    place = _place(literal, levels)
    if place is None and isinstance(literal, float) and _numeric(column) and sign not in ("==", "!="):
        return NumbersCompare(sign, Cell(name), Number(literal), tolerance)
    if place is None:
        hint = nearest(str(literal), [*levels, *columns])
        raise ValueError(f"must compare '{name}' with one of its {len(levels)} levels; '{canonical(literal)}' is none.{hint}")
    if sign in ("==", "!="):
        among = frozenset({place}) if sign == "==" else frozenset(range(len(levels))) - {place}
        return LevelIsAmong(name, among)
    if column.kind != "ordinal":
        if isinstance(literal, float) and _numeric(column):
            return NumbersCompare(sign, Cell(name), Number(literal), tolerance)
        raise ValueError(f"must compare '{name}' with == or !=: its kind is {column.kind}, so its levels have no order")
    return LevelIsAmong(name, frozenset(at for at in range(len(levels)) if holds(sign, at, place)))


def holds(sign: Sign, left: float, right: float) -> bool:
    """Return whether two exact numbers compare as ``sign`` says."""
    return {
        "<": left < right,
        "<=": left <= right,
        "==": left == right,
        "!=": left != right,
        ">=": left >= right,
        ">": left > right,
    }[sign]


def _place(literal: Level, levels: list[str]) -> int | None:
    text = canonical(literal)
    spelt = text if text in levels else WORDS_FOR_BOOLEANS.get(text.lower(), text)
    return levels.index(spelt) if spelt in levels else None


def _between_levels(sign: Sign, left: str, right: str, columns: Mapping[str, Described], tolerance: float) -> Bound:
    ours, theirs = ([canonical(level) for level in columns[name].levels] for name in (left, right))
    ordered = columns[left].kind == columns[right].kind == "ordinal" and ours == theirs
    if sign not in ("==", "!=") and not ordered:
        if _numeric(columns[left]) and _numeric(columns[right]):
            return NumbersCompare(sign, Cell(left), Cell(right), tolerance)
        raise ValueError(f"must compare '{left}' and '{right}' with == or !=, unless they are ordinal with the same levels")
    if not set(ours) & set(theirs):
        raise ValueError(f"must compare columns that share levels; '{left}' and '{right}' have none in common")
    return LevelsCompare(sign, left, right, tuple(ours.index(level) if level in ours else -1 for level in theirs))


def _numeric(column: Described) -> bool:
    return column.kind in LEVEL_KINDS and bool(column.levels) and not any(isinstance(level, str) for level in column.levels)


def _value(operand: Operand, columns: Mapping[str, Described]) -> tuple[Value, Literal["number", "date"]]:
    """Return an operand as a number, or as a date in days."""
    if isinstance(operand, Number):
        return operand, "number"
    if isinstance(operand, Word):
        if operand.kind == "text":
            raise ValueError(f"must compare numbers with numbers; got the text '{operand.text}'")
        name = column_named(operand.text, columns)
        if columns[name].kind in LEVEL_KINDS and not _numeric(columns[name]):
            raise ValueError(f"must calculate with numbers; the levels of '{name}' are text")
        return Cell(name), "date" if columns[name].kind == "date" else "number"
    (left, kind), (right, other) = _value(operand.left, columns), _value(operand.right, columns)
    both: Literal["number", "date"] = "number" if kind == other else "date"
    if "date" in (kind, other) and (kind, operand.sign, other) not in DATE_ARITHMETIC:
        raise ValueError("must add days to a date, or subtract days or another date from it; got another calculation")
    return Term(operand.sign, left, right), both
