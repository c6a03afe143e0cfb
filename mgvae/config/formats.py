"""How cells write text, numbers and dates: one normal spelling, and a column's `format`."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
DASHES = {ord(dash): "-" for dash in "\u2010\u2011\u2212"}  # hyphens and minus
INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u2060\ufeff]")  # soft hyphen, zero width, marks of direction
DIGIT = re.compile(r"(?![0-9])\d")  # full-width, Arabic and the like
BLANKS = re.compile(r"[^\S\r\n]+")
APOSTROPHE = "\u2019"

NUMBER_FORMAT = re.compile(r"(?P<prefix>\D*?)1(?P<group>[,. ']?)234(?P<point>[.,])5(?P<suffix>(?:\D.*)?)")
FORBIDDEN = re.compile(r"[<>=≤≥~±]")  # a number after one of these is a bound or a guess, not a measurement

TOKENS = {"YYYY": r"(?P<year>\d{4})", "MM": r"(?P<month>\d{1,2})", "DD": r"(?P<day>\d{1,2})", "MMM": r"(?P<name>[a-z]{3,9})\.?"}
CLOSED = re.compile("DDMM(?!M)|MMDD|DDYYYY|MMYYYY|YYYYMM(?!M)|YYYYDD")  # without separators a day and a month have two digits
TOKEN = re.compile("YYYY|MMM|MM|DD")
CLOCK = (
    r"(?:[01]?\d|2[0-4])(?:[:.]?[0-5]\d(?:[:.]?[0-6]\d(?:[.,]\d+)?)?)?"  # hours, minutes, seconds
    r"\s*(?:[ap]\.?m\.?)?\s*(?:Z|UTC|GMT|[A-Z]{3,4}|[+-]\d{2}(?::?\d{2})?)?"
)
TIME = rf"(?:(?:T|,?\s+|:){CLOCK})?"  # SAS writes 12JAN2020:08:30:00
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
NAMES = (*MONTHS, "january", "february", "march", "april", "june", "july", "august", "sept", "september", "october", "november")
ENGLISH = frozenset((*NAMES, "december"))


def plain_text(text: str) -> str:
    """Return text as one reads it: composed letters, single plain blanks, plain digits and hyphens, nothing invisible.

    Two texts that look alike on a screen, such as ``Café`` in composed and in decomposed letters, are one.
    """
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()
    text = INVISIBLE.sub("", unicodedata.normalize("NFC", text.translate(DASHES)))
    return BLANKS.sub(" ", DIGIT.sub(lambda digit: str(unicodedata.decimal(digit.group())), text)).strip()


def plain_name(text: str) -> str:
    """Return a column's name as plain text in one line."""
    return plain_text(text.replace("\r", " ").replace("\n", " "))


@dataclass(frozen=True)
class NumberFormat:
    """How a column writes its numbers, given by how it writes 1234.5.

    Attributes:
        group: what separates thousands; empty for nothing.
        point: the decimal point, a point or a comma.
        prefix: what stands before each number, such as a currency.
        suffix: what stands after it, such as ``%``.
    """

    group: str = ""
    point: str = "."
    prefix: str = ""
    suffix: str = ""

    def __str__(self) -> str:
        return f"{self.prefix}1{self.group}234{self.point}5{self.suffix}"

    def number(self, text: str) -> str | None:
        """Return a cell as a number with a decimal point; None where it is written otherwise."""
        match = _cell_pattern(self).fullmatch(plain_text(text).replace(APOSTROPHE, "'"))
        if match is None:
            return None
        digits = match["digits"].replace(self.group, "") if self.group else match["digits"]
        return digits.replace(self.point, ".")


@cache
def _cell_pattern(written: NumberFormat) -> re.Pattern[str]:
    group, point = re.escape(written.group), re.escape(written.point)
    whole = rf"(?:\d{{1,3}}(?:{group}\d{{3}})+|\d+)" if group else r"\d+"
    digits = rf"(?P<digits>[+-]?(?:{whole}(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?)"
    prefix, suffix = (re.escape(part.strip()) for part in (written.prefix, written.suffix))
    return re.compile(rf"{prefix}\s*{digits}\s*{suffix}", re.ASCII)


@cache
def number_format(text: str) -> NumberFormat:
    """Return the format that writes 1234.5 as ``text``, such as ``1,234.5`` or ``1234,5 %``.

    Raises:
        ValueError: it does not read so.
    """
    match = NUMBER_FORMAT.fullmatch(plain_text(text).replace(APOSTROPHE, "'"))
    if match is None or match["group"] == match["point"] or FORBIDDEN.search(match["prefix"]):
        raise ValueError(
            "a number's format is how the column writes 1234.5: '1,234.5', '1.234,5', '1 234.5', '1234,5', '1234.5 %'"
        )
    return NumberFormat(match["group"], match["point"], match["prefix"], match["suffix"])


@dataclass(frozen=True)
class DateFormat:
    """How a column writes its dates, such as ``DD.MM.YYYY``, ``DDMMMYYYY``, ``MMM DD, YYYY``."""

    text: str

    def day(self, text: str) -> str | None:
        """Return a cell as an ISO date; None where it is written otherwise or is no day."""
        match = _date_pattern(self.text).fullmatch(plain_text(text))
        if match is None:
            return None
        found = match.groupdict()
        month = found.get("month")
        if month is None:
            name = str(found["name"]).lower()
            month = str(MONTHS.index(name[:3]) + 1) if name in ENGLISH else "0"
        return f"{found['year']}-{int(month):02}-{int(found['day']):02}"


@cache
def _date_pattern(text: str) -> re.Pattern[str]:
    pieces, at = [], 0
    for token in TOKEN.finditer(text):
        pieces += [_literal(text[at : token.start()]), TOKENS[token.group()]]
        at = token.end()
    pattern = "".join(pieces) + _literal(text[at:])
    if CLOSED.search(text):
        pattern = pattern.replace("{1,2}", "{2}")
    return re.compile(pattern + TIME, re.ASCII | re.IGNORECASE)


def _literal(text: str) -> str:
    return r"\s+" if text == " " else r"\s*".join(re.escape(piece) for piece in text.split(" "))


@cache
def date_format(text: str) -> DateFormat:
    """Return a format of dates: ``YYYY``, ``DD`` and ``MM`` or ``MMM`` (a month's English name), once each.

    Raises:
        ValueError: it does not read so.
    """
    text = plain_text(text)
    tokens = sorted(TOKEN.findall(text))
    if tokens not in (["DD", "MM", "YYYY"], ["DD", "MMM", "YYYY"]) or re.search(r"\w", TOKEN.sub("", text)):
        raise ValueError(
            "a date's format has YYYY, DD and MM (or MMM, the month's English name) once each: 'DD.MM.YYYY', 'DDMMMYYYY'"
        )
    return DateFormat(text)
