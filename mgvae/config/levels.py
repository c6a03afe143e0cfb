"""Levels of a column, and the one spelling by which they are compared."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BeforeValidator

from mgvae.config.formats import plain_text

Kind = Literal["continuous", "count", "binary", "categorical", "ordinal", "date"]

NUMERIC_KINDS: tuple[Kind, ...] = ("continuous", "count")
LEVEL_KINDS: tuple[Kind, ...] = ("binary", "categorical", "ordinal")


def _check_level(value: object) -> object:
    if value is None:
        raise ValueError("null is no value of a column: put the word into quotes if cells hold it; empty cells need no entry")
    if not isinstance(value, bool | int | float | str):
        raise ValueError(f"must be text, a number, true or false; got {type(value).__name__}. Put text into quotes")
    return value


Level = Annotated[bool | int | float | str, BeforeValidator(_check_level)]


def canonical(level: object) -> str:
    """Return the spelling by which levels are compared.

    ``1``, ``1.0`` and ``True`` are all ``"1"``; text stays as it is.

    Parquet stores integers with missing cells as floats, so the number type of a level carries no meaning. Text is left
    alone but for blanks and letters that look alike: ``"010"`` and ``"10"`` are two diagnosis codes. A whole number keeps every
    digit.
    """
    if isinstance(level, bool):
        return str(int(level))
    if isinstance(level, Decimal):
        return _decimal(level)
    if isinstance(level, float) and level.is_integer():
        return str(int(level))
    return plain_text(str(level))


def _decimal(value: Decimal) -> str:
    if not value.is_finite():
        return canonical(float(value))
    if value == value.to_integral_value():
        return str(int(value))
    return str(float(value)) if Decimal(str(float(value))) == value else format(value.normalize(), "f")
