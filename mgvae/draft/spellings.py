"""Numbers and dates in other spellings: what a whole column agrees on, as a `format`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mgvae.config.formats import APOSTROPHE, DateFormat, NumberFormat, date_format, plain_text

AFFIXED = re.compile(
    r"(?P<prefix>[$€£¥]|(?:USD|EUR|GBP|CHF|JPY)\b)?\s*(?P<digits>[+-]?(?:\d[\d.,' ]*\d|\d)[.,]?(?:[eE][+-]?\d+)?|[+-]?[.,]\d+)"
    r"(?P<suffix>\s*(?:/?[^\W\d_]|[%‰°$€£¥]).*)?"
)
SPELT = tuple(NumberFormat(*pair) for pair in [("", "."), ("", ","), (",", "."), (" ", "."), ("'", "."), (".", ",")])
GROUPED = (*SPELT, NumberFormat(" ", ","), NumberFormat("'", ","))
THREE = re.compile(r"[+-]?[1-9]\d{0,2}(?:[.,]\d{3})+")
SHORT = re.compile(r"[+-]?(?:0|[1-9]\d{0,2})")
ENOUGH = 5  # distinct numbers of more than three digits, all with groups, are no chance

SEPARATORS = (".", "/", "-", " ")
NUMERIC_DAYS = tuple(
    form for sign in SEPARATORS for form in (f"DD{sign}MM{sign}YYYY", f"MM{sign}DD{sign}YYYY", f"YYYY{sign}MM{sign}DD")
)
NAMED_DAYS = (
    *(f"DD{sign}MMM{sign}YYYY" for sign in ("", *SEPARATORS)),
    *("DD. MMM YYYY", "DD MMM, YYYY", "MMM DD, YYYY", "MMM DD YYYY", "MMM-DD-YYYY", "MMM/DD/YYYY", "YYYY-MMM-DD", "YYYYMMMDD"),
    *("YYYY MMM DD", "YYYY/MMM/DD", "MMM. DD, YYYY", "DD-MMM, YYYY"),
)
CLOSED_DAYS = ("DDMMYYYY", "MMDDYYYY")
DAYS = tuple(date_format(form) for form in (*NUMERIC_DAYS, *NAMED_DAYS, *CLOSED_DAYS))
NUMERIC_DATE = r"\d{1,2}[./ -]\d{1,2}[./ -]\d{2,4}|\d{4}[./ -]\d{1,2}[./ -]\d{1,2}|\d{4}[/-]\d{1,2}|\d{1,2}[/-]\d{4}"
# first three letters of months in English, German, French, Spanish, Italian, Portuguese, Dutch, Polish, Czech, Nordic
MONTH = (
    "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mär|mai|okt|dez|fév|fev|avr|jui|aoû|aou|déc|ene|abr|ago|dic|gen|mag|giu|"
    "lug|set|ott|out|mei|mrt|sty|lut|kwi|maj|cze|lip|sie|wrz|paź|paz|lis|gru|led|úno|bře|dub|kvě|čvn|čvc|srp|zář|říj|pro|des"
)
WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun|mo|di|mi|do|fr|sa|so|lun|mar|mer|jeu|ven|sam|dim)[^\W\d]*\.?,?\s+)?"
WEEK = r"\d{4}-?W\d{2}(?:-?\d)?"
NAMED_DATE = (
    rf"(?:\d{{1,4}}(?:st|nd|rd|th)?[ ./-]*)?(?:{MONTH})[^\W\d_]*\.?[ ,./'-]*(?:\d{{1,2}}(?:st|nd|rd|th)?,?[ /-]+)?\d{{2,4}}"
)
OTHER_DATE = re.compile(rf"{WEEKDAY}(?:{WEEK}|{NUMERIC_DATE}|{NAMED_DATE})(?:[T :,].*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Numbers:
    """Numbers in another spelling.

    Attributes:
        values: as plain numbers.
        format: how they are written; None where the column does not agree, or two readings are possible.
        note: what a person must know.
    """

    values: tuple[str, ...]
    format: NumberFormat | None
    note: str


class _Affixed(NamedTuple):
    prefix: str
    digits: str
    suffix: str


def numbers_spelt(values: Sequence[str]) -> Numbers | None:
    """Return what numbers a column of texts writes in another way; None where it is no such column."""
    known = [part for part in map(_parts, values) if part is not None]
    if len(known) < max(len(values), 1):
        return None
    suffixes = sorted({part.suffix.strip() for part in known})
    if len(suffixes) > 1 or len({part.prefix for part in known}) > 1:
        said = ", ".join(repr(suffix) if suffix else "nothing" for suffix in suffixes[:ENOUGH])
        note = f"numbers that are followed by different texts ({said}): bring them to one unit to use them"
        return None if len(suffixes) > ENOUGH or suffixes[-1] == "" else Numbers((), None, note)
    digits = [part.digits for part in known]
    fitting = [form for form in GROUPED if all(form.number(text) is not None for text in digits)]
    prefix, suffix = known[0].prefix, _suffix(values[0], known[0])
    if not fitting or (fitting[0] == GROUPED[0] and not prefix and not suffix):
        return None
    chosen = _chosen(fitting, digits)
    if chosen is None:
        note = "thousands with a separator, or decimals: name which by format: '1,234.5' or '1234,5', and a kind"
        return Numbers((), None, note)
    full = NumberFormat(chosen.group, chosen.point, prefix, suffix)
    plain = tuple(full.number(value) or "" for value in values)
    return Numbers(plain, full, _note(full))


def is_spelt(value: str) -> bool:
    """Return whether a text is a number in any spelling, whatever it carries."""
    return _parts(value) is not None


def grouped_by_points(values: Sequence[str]) -> bool:
    """Return whether numbers such as 1.482 beside 837 are likely thousands, not decimals."""
    pointed = [value for value in values if "." in value]
    return (
        len(pointed) >= ENOUGH
        and 2 * ENOUGH <= len(values) != len(pointed)
        and all(THREE.fullmatch(value) for value in pointed)
        and all(SHORT.fullmatch(value) for value in values if "." not in value)
        and sum(len(value.lstrip("+-")) == 3 for value in values if "." not in value) >= ENOUGH
    )


def _parts(value: str) -> _Affixed | None:
    match = AFFIXED.fullmatch(plain_text(value).replace(APOSTROPHE, "'"))
    return None if match is None else _Affixed(match["prefix"] or "", match["digits"], (match["suffix"] or "").strip())


def _suffix(value: str, part: _Affixed) -> str:
    """Return a suffix with a blank before it where the cell has one."""
    return f" {part.suffix}" if part.suffix and value[: -len(part.suffix)].endswith(" ") else part.suffix


def _chosen(fitting: Sequence[NumberFormat], digits: Sequence[str]) -> NumberFormat | None:
    """Return the format that numbers have; None where commas may be either of two things."""
    if fitting[0] != NumberFormat("", ",") or NumberFormat(",", ".") not in fitting:
        return fitting[0]
    grouped = [text for text in digits if "," in text]
    if not all(THREE.fullmatch(text) for text in grouped):
        return fitting[0]
    short = [text for text in digits if "," not in text]
    if len(grouped) >= ENOUGH and short and all(SHORT.fullmatch(text) for text in short):
        return NumberFormat(",", ".")
    return None


def _note(form: NumberFormat) -> str:
    parts = []
    if form.group:
        parts.append(f"thousands separated by '{form.group}'")
    if form.point == ",":
        parts.append("a decimal comma")
    if form.prefix or form.suffix:
        parts.append(f"'{(form.prefix + form.suffix).strip()}' in each cell")
    return f"numbers with {' and '.join(parts)}, read by their format"


def days_spelt(values: Sequence[str]) -> tuple[tuple[DateFormat, ...], tuple[str, ...]]:
    """Return the formats in which all values are days, and the days in the first; both empty where there is none.

    Two formats mean that the order of day and month cannot be decided.
    """
    fitting = [form for form in DAYS if all(form.day(value) is not None for value in values)]
    read = {form: tuple(form.day(value) or "" for value in values) for form in fitting}
    sound = [form for form in fitting if all(_sound(day) for day in read[form])]
    if not sound:
        return (), ()
    different = {read[form]: form for form in reversed(sound)}
    chosen = sound[0]
    if len(different) == 1 or "." in chosen.text:  # with points the day comes first
        return (chosen,), read[chosen]
    return tuple(form for form in sound if different.get(read[form]) is form), read[chosen]


def _sound(day: str) -> bool:
    """Return whether an ISO date has a month and a day that may be."""
    return 1 <= int(day[5:7]) <= 12 and 1 <= int(day[8:10]) <= 31
