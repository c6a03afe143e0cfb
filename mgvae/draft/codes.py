"""Columns of codes: numbers that name something and measure nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from mgvae.arrays import FloatArray, IntArray
from mgvae.config.formats import NUMBER

EXACT = 2**53  # beyond, not every whole number is a float of its own
KEY_DIGITS = 16
WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
LETTER_CODE = re.compile(r"[A-Z]\d{2}[\dA-Z]?(?:\.\d*)?", re.IGNORECASE)  # ICD: V58.11, E849, C50
SPARSE, OFTEN, LEAST = 100, 10, 3
DIGITS = (2, 3)  # before the point, of codes that resemble ICD-9


def long_keys(values: Sequence[str]) -> bool:
    """Return whether whole numbers are keys: too long for exact numbers, and equally long."""
    if not all(WHOLE.fullmatch(value) for value in values):
        return False
    lengths = [len(value.lstrip("+-0")) for value in values]
    return max(lengths) >= KEY_DIGITS and max(map(_size, values)) > EXACT and max(lengths) - min(lengths) <= 1


def _size(value: str) -> int:
    return abs(int(value)) if len(value) <= len(str(EXACT)) + 4 else EXACT + 1


def zeros_ahead(values: Sequence[str]) -> bool:
    """Return whether all are digits, and some begin with a zero that a number would not have, as in 008.45."""
    return all(NUMBER.fullmatch(value) for value in values) and any(re.fullmatch(r"[+-]?0\d.*", value) for value in values)


def several_spellings(values: Sequence[str]) -> bool:
    """Return whether one number occurs in two spellings with a point, as 250.1 and 250.10."""
    pointed = [value for value in values if "." in value and NUMBER.fullmatch(value) and float(value) != 0]  # -0.0 is 0.0
    return len({float(value) for value in pointed}) < len(pointed)


def lettered(values: Sequence[str]) -> bool:
    """Return whether texts look like codes of a letter and digits, such as V58.11."""
    return any(LETTER_CODE.fullmatch(value) for value in values)


def resemble(values: Sequence[str], counts: IntArray) -> bool:
    """Return whether numbers with a point look like ICD-9 codes.

    They have two or three digits before the point, and are few, far between and frequent, or one number has two spellings.

    Args:
        values: distinct numbers as text, ``(n,)``.
        counts: rows that hold each, ``(n,)``.
    """
    wholes = {len(value.partition(".")[0]) for value in values}
    if len(values) < LEAST or not wholes <= set(DIGITS) or not all(value[:1].isdigit() for value in values):
        return False
    if several_spellings(values):
        return True
    numbers: FloatArray = np.array([float(value) for value in values])
    step = 10.0 ** -max(len(value.partition(".")[2]) for value in values)
    slots = (numbers.max() - numbers.min()) / step
    often = counts.sum() >= OFTEN * len(values)
    return bool(2 * sum("." in value for value in values) > len(values) and slots >= SPARSE * len(values) and often)
