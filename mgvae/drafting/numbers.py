"""Columns of numbers: counts, amounts, levels written as numbers, and the range that tomorrow's extract must keep to."""

from __future__ import annotations

import math

import numpy as np

from mgvae.cohort import Array
from mgvae.dictionary import Level
from mgvae.drafting import names
from mgvae.drafting.column import Bounds, Drafted

FEW = 10  # distinct whole numbers: as likely levels as amounts
EXACT = 1e15


def of_numbers(name: str, values: Array, *, most_levels: int) -> Drafted:
    """Return the entry of a column of at least two distinct numbers, in ascending order."""
    whole = all_whole(values)
    if len(values) == 2:
        return Drafted(name, "binary", categories=(plain(values[0]), plain(values[1])))
    if whole and names.coded(name) and len(values) <= most_levels:
        levels = tuple(plain(value) for value in values)
        note = "whole numbers, taken for codes of categories because of the name; count or ordinal if they are amounts or ranks"
        return Drafted(name, "categorical", categories=levels, notes=(note,))
    if whole and values[0] >= 0:
        note = f"only {len(values)} whole numbers: a count, or codes of categories (then categorical, or ordinal if ranked)?"
        return Drafted(name, "count", range=widened(values), notes=(note,) if len(values) <= FEW else ())
    return Drafted(name, "continuous", range=widened(values))


def all_whole(values: Array) -> bool:
    """Return whether all values are whole numbers."""
    return bool((values == np.floor(values)).all())


def widened(values: Array) -> Bounds | None:
    """Return a range for the values and for those that are still to come.

    The observed one would refuse tomorrow's oldest patient. This one is wider by its own width on each side, but begins at 0
    where nothing is negative, and is rounded outwards to two digits: wide enough for new patients, and narrow enough to catch
    a change of unit or a code such as 9999.
    """
    low, high = float(values[0]), float(values[-1])
    width = high - low
    lower = 0.0 if low >= 0 else -_outwards(width - low)
    upper = _outwards(high + width) if high + width > 0 else 0.0
    bounds = (lower if math.isfinite(lower) else None, upper if math.isfinite(upper) else None)
    return bounds if lower < upper and bounds != (None, None) else None


def _outwards(value: float) -> float:
    """Return a positive number rounded up to two significant digits."""
    if not math.isfinite(value) or value <= 0:
        return value
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    if step == 0 or not math.isfinite(value / step):
        return value
    rounded = math.ceil(round(value / step, 9)) * step
    return float(f"{rounded:.2g}")


def plain(value: float | np.floating) -> Level:
    """Return a number as one would write it: whole where it is whole."""
    number = float(value)
    return int(number) if number.is_integer() and abs(number) < EXACT else number
