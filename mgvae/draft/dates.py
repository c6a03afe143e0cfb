"""Draft columns of dates: how they are written, and which stand for "missing"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from mgvae.arrays import BoolArray, IntArray
from mgvae.config.formats import NUMBER, DateFormat
from mgvae.draft import names
from mgvae.draft.entry import Drafted, left_out
from mgvae.draft.spellings import OTHER_DATE, days_spelt
from mgvae.extract.days import NO_DAY, STANDS_FOR_NOTHING, as_days, stands_for_nothing

MOST = 0.95  # share of the values that look like dates, where not all do
FEW_CODES = 5
EIGHT = 8  # digits
CLOCK_TIME = re.compile(r"(?:[01]?\d|2[0-4]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?(?:\s*[ap]m)?", re.IGNORECASE)
YEAR_MONTH = re.compile(r"(?:18[5-9]|19\d|2[01]\d|22[0-4])\d(?:0[1-9]|1[0-2])(?:\.0+)?")
COUNTED = ((7_000, 80_000), (1e9, 3e9), (1e12, 3e12), (1e15, 3e15))  # days since 1900 or 1960; seconds and less since 1970
WHEN = "a date; usable as a feature once cohort.yaml has an index_date"


class _Found(NamedTuple):
    """Values that stand for nothing, and how many other days are implausible."""

    codes: list[str]
    odd: int


def all_dates(values: Sequence[str], counts: IntArray) -> bool:
    """Return whether texts are ISO dates, but for those that stand for nothing."""
    return _dated(_days(values), values, counts) is not None


def date_entry(name: str, values: Sequence[str], counts: IntArray) -> Drafted | None:
    """Return the entry of a column of dates; None where it is none.

    Args:
        name: the column's.
        values: its distinct values, ``(n,)``.
        counts: rows that hold each, ``(n,)``.
    """
    found = _dated(_days(values), values, counts)
    return _otherwise(name, values, counts) if found is None else _entry(name, found)


def _entry(name: str, found: _Found, written: DateFormat | None = None) -> Drafted:
    drafted = Drafted(name, "date", ("excluded",), notes=(WHEN,))
    if written is not None:
        drafted = replace(drafted, format=written.text).note(f"written as {written.text}")
    if found.odd:
        drafted = drafted.note(f"{found.odd:,} different days are implausible, each in one row: correct them")
    return drafted.coded(found.codes)


def _otherwise(name: str, values: Sequence[str], counts: IntArray) -> Drafted | None:
    """Return the entry of dates in another spelling; None where they are no dates."""
    if all(NUMBER.fullmatch(value) and not _closed(value) for value in values):
        return _counted(name, values)
    if all(CLOCK_TIME.fullmatch(value) for value in values):
        return left_out(name, "times of day, which no kind of column has; hours as numbers can be used")
    fits = np.array([OTHER_DATE.fullmatch(value) is not None or _closed(value) for value in values])
    if fits.mean() <= MOST and counts[fits].sum() <= MOST * counts.sum():
        return None
    nothing = _days(values).dt.strftime("%Y-%m-%d").isin(STANDS_FOR_NOTHING).to_numpy(bool)
    forms, _ = days_spelt([value for value, fit in zip(values, fits & ~nothing, strict=True) if fit])
    if len(forms) == 1:
        found = _dated(_days(values, forms[0]), values, counts)
        if found is not None:
            return _entry(name, found, forms[0])
    if all(_closed(value) for value in values):
        return None  # eight digits that are no days are numbers
    if len(forms) > 1:
        said = " or ".join(form.text for form in forms)
        return left_out(name, f"dates that are not ISO (2024-02-29): kind date with format {said}, which the days do not tell")
    return left_out(name, "dates that are not ISO (2024-02-29), or not all of them; write them so to use them")


def _counted(name: str, values: Sequence[str]) -> Drafted | None:
    """Return the entry of numbers that are dates: year and month, or counted from an origin that is not given."""
    if len(values) > FEW_CODES and all(YEAR_MONTH.fullmatch(value) for value in values):
        return left_out(name, "likely a year and a month, as 202106: dates must be ISO dates (2024-02-29) to be used")
    numbers = [float(value) for value in values]
    counted = any(low <= min(numbers) and max(numbers) <= high for low, high in COUNTED)
    if len(values) > FEW_CODES and counted and names.dated(name):
        return left_out(name, "by its name a date, but a number counted from an origin that is not given: write ISO dates")
    return None


def _closed(value: str) -> bool:
    return len(value) == EIGHT and value.isdecimal() and value.isascii()


def _days(values: Sequence[str], written: DateFormat | None = None) -> pd.Series:
    return as_days(pd.Series(list(values), dtype="str"), written)


def _dated(days: pd.Series, values: Sequence[str], counts: IntArray) -> _Found | None:
    """Return what stands for nothing where the other values are days; None where they are not."""
    other: BoolArray = days.isna().to_numpy(bool)
    nothing = np.array([NO_DAY.fullmatch(value) is not None for value in values], dtype=bool)
    stray = other & ~nothing
    if (stray & (counts < 2)).any() or stray.sum() > FEW_CODES or (~other).sum() < 2:
        return None
    if counts[~other].sum() < 2 * counts[stray].sum():
        return None
    stands = np.array(stands_for_nothing(days.repeat(counts.tolist())), dtype="datetime64[us]")
    odd = days.isin(stands).to_numpy(bool)
    if (~other & ~odd).sum() < 2 or odd.sum() > FEW_CODES:
        return None
    known = odd & ((counts > 1) | days.dt.strftime("%Y-%m-%d").isin(STANDS_FOR_NOTHING).to_numpy(bool))
    codes = [value for value, code in zip(values, other | known, strict=True) if code]
    return _Found(codes, int((odd & ~known).sum()))
