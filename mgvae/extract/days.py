"""Days: text as dates, and dates that stand for "missing"."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import compute

from mgvae.arrays import IntArray
from mgvae.config.formats import CLOCK, DateFormat

DAY = rf"\d{{4}}-\d{{2}}-\d{{2}}(?:[T ]\s*{CLOCK})?|\d{{8}}(?:\.0+)?"
FIRST, LAST = (np.datetime64(text, "D") for text in ("0001-01-01", "9999-12-31"))  # what Python can read
PLAUSIBLE_YEARS = (1850, 2250)  # to 2250: some registers shift dates into the next century
NO_DAY = re.compile(r"[+-]?infinity|0000-\d\d-\d\d(?:[T ].*)?|\d{4,}-\d\d-\d\d(?:[T ].*)? BC|\d{5,}-\d\d-\d\d(?:[T ].*)?", re.I)
STANDS_FOR_NOTHING = frozenset(
    (
        *("0001-01-01", "1111-11-11", "1753-01-01", "1800-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "1901-01-01"),
        *("1960-01-01", "1970-01-01", "2099-12-31", "2100-01-01", "2199-12-31", "2200-01-01", "2999-12-31", "3000-01-01"),
        *("9999-01-01", "9999-09-09", "9999-12-30", "9999-12-31"),
    )
)
SPIKE = 5  # times as often as any other day
DAY_IN = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
FEWEST, YEAR = 5, 366


def as_days(text: pd.Series, written: DateFormat | None = None) -> pd.Series:
    """Return datetime64[us] days, NaT where a text is none.

    Args:
        text: ISO dates such as ``2024-02-29`` or ``20240229``, with or without a time (then the day on its own clock).
        written: another way in which they are written.
    """
    if written is not None:
        days = respelt(text, written.day)
    else:
        days = text.where(text.str.fullmatch(DAY).fillna(False).astype(bool)).str.slice(0, 10)
        days = days.str.replace(r"\.0*$", "", regex=True)
    days = days.where(~days.str.startswith("0000").fillna(False).astype(bool))
    return pd.to_datetime(days, format="ISO8601", errors="coerce").astype("datetime64[us]").dt.normalize()


def respelt(text: pd.Series, spell: Callable[[str], str | None]) -> pd.Series:
    """Return texts in another spelling, missing where they have none."""
    known = {cell: spell(cell) for cell in text.dropna().unique()}
    return pd.Series([known.get(cell) for cell in text], index=text.index, dtype="str")


def readable(cells: Any) -> Any:
    """Return an Arrow array of dates, as text where one is a day that no calendar here has.

    Such a day, like the infinity of PostgreSQL and DuckDB, becomes ``infinity`` or ``-infinity``.
    """
    whole = pa.types.is_date32(cells.type)
    a_day = 1 if whole else DAY_IN["ms" if pa.types.is_date64(cells.type) else cells.type.unit]
    days = compute.cast(cells, pa.int32() if whole else pa.int64()).fill_null(0).to_numpy(zero_copy_only=False) // a_day
    zoned = pa.types.is_timestamp(cells.type) and cells.type.tz is not None  # there the clock may show another day
    early, late = days < FIRST.astype(int) + zoned, days > LAST.astype(int) - zoned
    outside = early | late
    if not outside.any():
        return cells
    texts = np.full(len(cells), None, dtype=object)
    texts[~outside] = [None if day is None else str(day) for day in cells.filter(pa.array(~outside)).to_pylist()]
    texts[early], texts[late] = "-infinity", "infinity"
    return pa.array(texts, pa.string())


def stands_for_nothing(days: pd.Series) -> tuple[datetime.date, ...]:
    """Return the days that likely stand for "missing", such as 0001-01-01 or 9999-12-31, in order.

    They lie outside of the years 1850 to 2250; or they recur, are the first or last of a year, and lie further from most days
    than those are from each other; or they are a day that systems are known to write (1900-01-01) and are five times as
    frequent as any other.

    Args:
        days: datetime64 ``(n,)``, NaT for missing.
    """
    found, counts = np.unique(days.dropna().to_numpy().astype("datetime64[D]"), return_counts=True)
    dates = [day.item() for day in found]
    odd = [not PLAUSIBLE_YEARS[0] <= day.year <= PLAUSIBLE_YEARS[1] for day in dates]
    inner = np.flatnonzero(~np.array(odd, dtype=bool))
    for place in _apart([dates[at] for at in inner], counts[inner]):
        odd[inner[place]] = True
    return tuple(day for day, is_odd in zip(dates, odd, strict=True) if is_odd)


def _apart(dates: list[datetime.date], counts: IntArray) -> set[int]:
    """Return the places of days that stand apart from the middle 80 % of the distinct days."""
    found: set[int] = set()
    trimmed = max(1, len(dates) // 10)
    if len(dates) < FEWEST:
        return found
    number = np.array([day.toordinal() for day in dates])
    low, high = number[trimmed], number[-1 - trimmed]
    width = max(int(high - low), YEAR)
    often = counts >= SPIKE * np.partition(counts, -2)[-2] if counts.max() > SPIKE else np.zeros(len(dates), dtype=bool)
    for place in (*range(trimmed), *range(len(dates) - trimmed, len(dates))):
        day, gap = dates[place], max(low - number[place], number[place] - high)
        end_of_year = (day.month, day.day) in ((1, 1), (12, 30), (12, 31))
        if (gap > width and counts[place] > 1 and end_of_year) or (often[place] and str(day) in STANDS_FOR_NOTHING):
            found.add(place)
    return found
