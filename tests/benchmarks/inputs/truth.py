"""A made-up cohort whose values are known, and how it may be written."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

ROWS = 360
WARDS = ("Intensive Care", "Zürich", "Ward, 2", 'the "old" one', "B")
PHECODES = ("250.1", "250.10", "401.9", "428.0", "008.45")
FIRST = datetime.date(2021, 1, 1)
Spell = Callable[[float], str]
THIN = "\u202f"


def comma(text: str) -> str:
    """Return a number with commas and points exchanged."""
    return text.translate({ord(","): ".", ord("."): ","})


# how numbers are written; None where no reader can know, so that only a question is right
NUMBERS: dict[str, Spell] = {
    "plain": lambda value: f"{value:.1f}",
    "shortest": lambda value: f"{value:g}",
    "scientific": lambda value: f"{value:.6e}",
    "signed": lambda value: f"{value:+.1f}",
    "blanks around": lambda value: f"  {value:.1f} ",
    "thousands": lambda value: f"{value:,.1f}",
    "thousands, whole": lambda value: f"{value:,.0f}",
    "thousands by points": lambda value: comma(f"{value:,.1f}"),
    "thousands by points, whole": lambda value: comma(f"{value:,.0f}"),
    "thousands by blanks": lambda value: f"{value:,.1f}".replace(",", " "),
    "thousands by thin blanks": lambda value: f"{value:,.1f}".replace(",", THIN),
    "thousands by apostrophes": lambda value: f"{value:,.1f}".replace(",", "\u2019"),
    "decimal comma": lambda value: comma(f"{value:.1f}"),
    "decimal comma, three digits": lambda value: comma(f"{value:.3f}"),
    "percent": lambda value: f"{value:.1f}%",
    "percent after a blank": lambda value: f"{value:.1f} %",
    "unit": lambda value: f"{value:.0f} umol/l",
    "unit with digits": lambda value: f"{value:.1f} x10^9/l",
    "currency": lambda value: f"€{value:,.2f}",
}
WHOLE = ("thousands, whole", "thousands by points, whole", "unit")

DATES: dict[str, str] = {
    "iso": "%Y-%m-%d",
    "iso with time": "%Y-%m-%d 08:30:00",
    "iso with zone": "%Y-%m-%dT08:30:00+01:00",
    "eight digits": "%Y%m%d",
    "eight digits as a float": "%Y%m%d.0",
    "points": "%d.%m.%Y",
    "slashes": "%d/%m/%Y",
    "american": "%m/%d/%Y",
    "year first": "%Y/%m/%d",
    "sas": "%d%b%Y",
    "sas with time": "%d%b%Y:08:30:00",
    "named month": "%d-%b-%Y",
    "english": "%B %d, %Y",
    "two digits": "%d.%m.%y",
    "month and year": "%b-%y",
    "day first, closed": "%d%m%Y",
}
SENTINELS = ("", "9999-12-31", "0001-01-01", "1900-01-01", "infinity", "0000-00-00")
NULLS = ("", "NA", "\\N", "NaT", "<NA>", "(null)", "NULL", "#N/A", "?", ".", "n/a", "nan", "-", "[missing]", "1.#QNAN")
KEYS: dict[str, Callable[[int], str]] = {
    "short": lambda row: str(1000 + row),
    "long": lambda row: str(900_000_000_000_000_000 + row),
    "twenty digits": lambda row: str(10**19 + row),
    "zeros ahead": lambda row: f"{row:08}",
    "letters": lambda row: f"P-{row:04}",
    "uuid": lambda row: f"00000000-0000-4000-8000-{row:012x}",
    "with a point": lambda row: f"1.2.840.{row}",
}
ALIKE: dict[str, Callable[[str, int], str]] = {
    "as they are": lambda level, row: level,
    "decomposed": lambda level, row: level.replace("ü", "u\u0308") if row % 2 else level,
    "no-break blanks": lambda level, row: level.replace(" ", "\u00a0") if row % 2 else level,
    "double blanks": lambda level, row: level.replace(" ", "  ") if row % 3 else level,
    "zero width": lambda level, row: f"\u200b{level}" if row % 3 else level,
    "blanks around": lambda level, row: f" {level} " if row % 2 else level,
}


@dataclass(frozen=True)
class Cohort:
    """A table as it is, and as text as it is written.

    Attributes:
        truth: what it holds: numbers, text, days; missing is NaN, None or NaT.
        written: the same cells as text, missing as the word that the variant chose.
        typed: columns that are stored by their type where the container has types.
    """

    truth: pd.DataFrame
    written: pd.DataFrame
    typed: tuple[str, ...] = field(default=("age", "died"))


def cohort(rng: np.random.Generator, *, number: str, date: str, null: str, key: str, alike: str, sentinel: str = "") -> Cohort:
    """Return a cohort of 360 patients, 30 of them with the event."""
    row = np.arange(ROWS)
    value = np.round(np.exp(rng.normal(6.4, 0.9, ROWS)), 0 if number in WHOLE else 1)
    seen = [FIRST + datetime.timedelta(days=int(days)) for days in rng.integers(0, 700, ROWS)]
    ward = [WARDS[place] for place in rng.integers(0, len(WARDS), ROWS)]
    truth = pd.DataFrame(
        {
            "patient_id": [KEYS[key](int(number)) for number in row],
            "age": rng.integers(18, 95, ROWS).astype(float),
            "platelets": np.where(rng.random(ROWS) < 0.15, np.nan, value),
            "ward": [None if rng.random() < 0.15 else level for level in ward],
            "phecode": [PHECODES[place] for place in rng.integers(0, len(PHECODES), ROWS)],
            "admitted": pd.to_datetime(pd.Series([None if rng.random() < 0.1 else day for day in seen])),
            "died": (rng.permutation(ROWS) < 30).astype(int),
        }
    )
    spell, form = NUMBERS[number], DATES[date]
    written = truth.astype(object)
    written["age"] = [f"{age:.0f}" for age in truth["age"]]
    written["platelets"] = [null if np.isnan(cell) else spell(cell) for cell in truth["platelets"]]
    written["ward"] = [null if pd.isna(cell) else ALIKE[alike](cell, at) for at, cell in enumerate(truth["ward"])]
    written["admitted"] = [sentinel if pd.isna(cell) else cell.strftime(form) for cell in truth["admitted"]]
    written["died"] = [str(cell) for cell in truth["died"]]
    return Cohort(truth, written)
