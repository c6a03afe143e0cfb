"""The index date: what is dated later cannot predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from mgvae.config.formats import date_format
from mgvae.draft.columns import present
from mgvae.draft.entry import Drafted
from mgvae.draft.leaks import AFTERWARDS, BACK
from mgvae.draft.scan import Look, Seen
from mgvae.errors import ConfigError, nearest

WAITING = "index_date"  # a word of the note on dates that wait for one
OTHERWISE = (BACK, AFTERWARDS, "missing in")  # words of other reasons for an exclusion


def without_later(look: Look, columns: Sequence[Drafted], index_date: str) -> tuple[Drafted, ...]:
    """Return the entries with dates as predictors where none is later than the index date.

    Raises:
        ConfigError: the index date is no date column.
    """
    dates = {column.name: seen for seen, column in zip(look.columns, columns, strict=True) if column.kind == "date"}
    if index_date not in dates:
        known = ", ".join(dates) or "none"
        hint = nearest(index_date, dates)
        raise ConfigError(f"--as-of {index_date}: must be a column of dates; those of {look.label} are: {known}.{hint}")
    index = _days(dates[index_date], next(column for column in columns if column.name == index_date))
    return tuple(_judged(column, dates.get(column.name), index, index_date) for column in columns)


def _judged(column: Drafted, seen: Seen | None, index: pd.Series, index_date: str) -> Drafted:
    if seen is None:
        return column
    notes = tuple(note for note in column.notes if WAITING not in note)
    column = replace(column, notes=notes)
    if column.name == index_date:
        return column.note("the index date, by --as-of")
    later = int((_days(seen, column) > index).sum())
    if later:
        return column.note(f"dated later than '{index_date}' in {later:,} rows")
    if any(reason in note for note in notes for reason in OTHERWISE):
        return column
    return replace(column, role=("feature",)).note(f"never later than '{index_date}'")


def _days(seen: Seen, column: Drafted) -> pd.Series:
    """Return the day of each row; NaT where it is missing."""
    values = seen.values if column.format is None else [date_format(column.format).day(value) for value in seen.values]
    texts = pd.Series(values, dtype=object).where(present(seen, column))
    days = pd.to_datetime(texts, errors="coerce", format="mixed", utc=True).dt.floor("D")
    return pd.Series(days.to_numpy()[np.where(seen.codes < 0, 0, seen.codes)]).mask(seen.codes < 0)
