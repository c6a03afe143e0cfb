"""Texts and numbers that commonly mean "missing"."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from mgvae.arrays import BoolArray, FloatArray, IntArray
from mgvae.config.formats import NUMBER

WORDS = frozenset(
    (
        *(
            "na",
            "n/a",
            "n.a",
            "n.a.",
            "nan",
            "-nan",
            "nat",
            "null",
            "missing",
            "undefined",
            "missing value",
            "missing data",
            "no data",
            "blank",
        ),
        *("not available", "not applicable", "n/a n/a", "1.#qnan", "-1.#ind", "1.#ind", "num!", "div/0!", "value!", "ref!"),
        *("name?", "null!", "keine angabe", "k.a.", "k. a."),
    )
)
BRACKETED = frozenset(("", "none", "unknown", "blank", "empty", "nil", "void", "not set", "not recorded"))  # else levels
SIGNS = re.compile(r"\?+|\.[a-z]|\*+|\.+|[-–—]+|_+")
ENCLOSED = re.compile(r"[<(\[{\"'#`]+(.*?)[>)\]}\"'#`]*")
PERHAPS = frozenset(
    (
        "none",
        "unknown",
        "unk",
        "unknown/invalid",
        "not known",
        "not recorded",
        "not measured",
        "not done",
        "not mapped",
        "nd",
        "n/d",
        "n.d",
        "n.d.",
        "nil",
        "empty",
    )
)

LOW = re.compile(r"-1|-(9+|8+|7+)(\.[09]+)?")
HIGH = re.compile(r"(9+|8+|7+|9+[78])(\.[09]+)?")
TWO_DIGITS = 99
SEVERAL = 2  # columns
NINES = [digit * length for digit in "789" for length in range(1, 9)]
SPELT = frozenset(
    ("-1", "-1.0", *(f"{sign}{nines}{part}" for sign in ("", "-") for nines in NINES for part in ("", ".0", ".00", ".9")))
)
SPIKE = 3  # times as often as any other value


def text_codes(values: Sequence[str]) -> list[str]:
    """Return texts that commonly mean "missing", such as ``?`` and ``(null)``, but not ``unknown``.

    A ``-`` beside a ``+`` is a result.
    """
    signed = any(re.fullmatch(r"\++", value) for value in values)
    return [value for value in values if _means_missing(value.lower()) and not (signed and value == "-")]


def _means_missing(text: str) -> bool:
    if text in WORDS or text == r"\n" or SIGNS.fullmatch(text):
        return True
    enclosed = ENCLOSED.fullmatch(text)
    return enclosed is not None and enclosed.group(1).strip() in WORDS | BRACKETED


def doubtful(values: Sequence[str]) -> list[str]:
    """Return levels that may mean "missing": ``unknown``, or -999 and the like among texts."""
    coded = [value for value in values if len(value) > 1 and (LOW.fullmatch(value) or HIGH.fullmatch(value))]
    few = 2 * len([value for value in values if NUMBER.fullmatch(value)]) < len(values)
    return [value for value in values if value.lower() in PERHAPS or (few and value in coded)]


def number_codes(values: FloatArray, counts: IntArray, shared: Sequence[float] = ()) -> list[float]:
    """Return the numbers that look like codes for "missing".

    Low ones are -1, -9, -99, -999 and the like where no other value is negative (-1 only among whole numbers), or that lie
    further below the rest than the rest is wide. High ones are 9, 99, 98, 999 and the like that lie further above the rest than
    the rest is wide; those of one or two digits must also be as frequent as the highest value of the rest, and twice there.

    Args:
        values: distinct numbers in ascending order, ``(n,)``.
        counts: rows that hold each, ``(n,)``.
        shared: codes of other columns. They are codes here as well if they recur at an end, and are negative where nothing else
            is, or three times as frequent as any other value.
    """
    with np.errstate(over="ignore"):
        low = _low(values)
        high = low + _high(values[low:], counts[low:])
    found = {float(value) for value in [*values[:low], *values[high:]]}
    found |= _shared(values, counts, [code for code in shared if code not in found], keep=np.isin(values, list(found)))
    return sorted(found)


def ends_in_codes(lowest: float, highest: float) -> bool:
    """Return whether `number_codes` may find one among numbers from ``lowest`` to ``highest``."""
    return bool(_run(np.array([lowest]), LOW) or _run(np.array([highest]), HIGH))


def shared_codes(columns: Iterable[tuple[Sequence[str], IntArray]]) -> tuple[float, ...]:
    """Return the numbers that look like codes for "missing" in at least two columns.

    Args:
        columns: distinct values as text, and how many rows hold each.
    """
    found: Counter[float] = Counter()
    for values, counts in columns:
        if SPELT.isdisjoint(values):
            continue
        rows: Counter[float] = Counter()
        for value, count in zip(values, counts, strict=True):
            if NUMBER.fullmatch(value):
                rows[float(value)] += int(count)
        if len(rows) > 2 and 2 * sum(rows.values()) > counts.sum():
            numbers = np.array(sorted(rows))
            found.update(number_codes(numbers, np.array([rows[number] for number in numbers])))
    return tuple(sorted(code for code, columns_of in found.items() if columns_of >= SEVERAL))


def _shared(values: FloatArray, counts: IntArray, codes: Sequence[float], *, keep: BoolArray) -> set[float]:
    found: set[float] = set()
    for code in codes:
        rest = ~keep & ~np.isin(values, codes)
        at = np.flatnonzero(values == code)
        if not at.size or rest.sum() < 2 or counts[at[0]] < 2:
            continue
        outside = code < values[rest][0] or code > values[rest][-1]
        negative = code < 0 <= values[rest][0]
        if outside and (negative or counts[at[0]] >= SPIKE * counts[rest].max()):
            found.add(float(code))
    return found


def _low(values: FloatArray) -> int:
    """Return how many values at the lower end are codes."""
    candidates = _run(values, LOW)
    body = values[candidates:]
    if not candidates or len(body) < 2:
        return 0
    if body[0] < 0:
        far = values[:candidates] < body[0] - (body[-1] - body[0])
        return int(far.sum())
    if values[candidates - 1] == -1 and (body != np.floor(body)).any():
        return candidates - 1
    return candidates


def _high(values: FloatArray, counts: IntArray) -> int:
    """Return the place of the first code at the upper end; past the end without one."""
    last = len(values)
    for start in range(max(last - _run(values[::-1], HIGH), 2), last):
        below = values[:start]
        far = values[start] - below[-1] > below[-1] - below[0]
        rare = values[start] <= TWO_DIGITS and counts[start:].sum() < max(2, counts[start - 1])
        if far and not rare:
            return start
    return last


def _run(values: FloatArray, pattern: re.Pattern[str]) -> int:
    """Return how many values at the beginning are spelt like a code."""
    length = 0
    while length < len(values) and pattern.fullmatch(f"{values[length]:.12g}"):
        length += 1
    return length
