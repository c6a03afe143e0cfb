"""Values that look like codes for "missing", among texts and among numbers."""

from __future__ import annotations

import re

import numpy as np

from mgvae.cohort import Array

TEXT_CODES = frozenset(
    ("?", "na", "n/a", "n.a.", "nan", "null", ".", "..", "-", "--", "<na>", "missing", "(missing)", "<missing>")
) | {"#n/a", "#num!", "#div/0!", "#value!", "#ref!", "#name?", "#null!", "not available", "not applicable"}
PERHAPS = frozenset(
    ("none", "unknown", "unk", "unknown/invalid", "not known", "not recorded", "not measured", "not done", "not mapped", "nd")
)
LOW = re.compile(r"-1|-(9+|8+|7+)(\.[09]+)?")
HIGH = re.compile(r"(9+|8+|7+|9+[78])(\.[09]+)?")
TWO_DIGITS = 99


def text_codes(values: tuple[str, ...]) -> list[str]:
    """Return the texts that commonly mean "missing", such as ``?``. ``unknown`` is an answer, and not among them."""
    return [value for value in values if value.lower() in TEXT_CODES]


def number_codes(values: Array, counts: Array) -> list[float]:
    """Return the numbers that look like codes for "missing".

    Low ones are -1, -9, -99, -999 and the like where no other value is negative (-1 only among whole numbers), or that lie
    further below the rest than the rest is wide. High ones are 9, 99, 98, 999 and the like that lie further above the rest than
    the rest is wide; those of one or two digits must also be as frequent as the highest value of the rest, and twice there.

    Args:
        values: distinct numbers in ascending order, ``(n,)``.
        counts: rows that hold each, ``(n,)``.
    """
    with np.errstate(over="ignore"):
        low = _low(values)
        high = low + _high(values[low:], counts[low:])
    return [float(value) for value in [*values[:low], *values[high:]]]


def _low(values: Array) -> int:
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


def _high(values: Array, counts: Array) -> int:
    """Return where the codes at the upper end begin; the number of values where there are none."""
    last = len(values)
    for start in range(max(last - _run(values[::-1], HIGH), 2), last):
        below = values[:start]
        far = values[start] - below[-1] > below[-1] - below[0]
        rare = values[start] <= TWO_DIGITS and counts[start:].sum() < max(2, counts[start - 1])
        if far and not rare:
            return start
    return last


def _run(values: Array, pattern: re.Pattern[str]) -> int:
    """Return how many values at the beginning are spelt like a code."""
    length = 0
    while length < len(values) and pattern.fullmatch(f"{values[length]:.12g}"):
        length += 1
    return length
