"""Draft from values: levels and their order, ranges of numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

import numpy as np

from mgvae.arrays import FloatArray
from mgvae.config.dictionary import Kind, Level
from mgvae.draft import names
from mgvae.draft.entry import Drafted
from mgvae.draft.nulls import doubtful

BAND = re.compile(r"[\[(]?\s*(\d+\.?\d*)\s*(?:-|–|to|,|\.\.)\s*(\d+\.?\d*)\s*[)\]]?(?:\s*[a-z]+)?", re.IGNORECASE)
OPEN_BELOW = re.compile(r"(?:<|<=|≤|under|below)\s*(\d+\.?\d*)", re.IGNORECASE)
OPEN_ABOVE = re.compile(r"(?:>|>=|≥|over|above)\s*(\d+\.?\d*)|(\d+\.?\d*)\s*(?:\+|and over|or more)", re.IGNORECASE)
ROMAN = {name: place for place, name in enumerate(("0", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x"))}
RANKED = (
    ("none", "trace", "minimal", "mild", "moderate", "severe", "very severe", "critical"),
    ("never", "rarely", "seldom", "sometimes", "often", "always"),
    ("very low", "low", "medium", "normal", "high", "very high"),
    ("poor", "fair", "good", "very good", "excellent"),
    ("tiny", "small", "medium", "large", "huge"),
    ("first", "second", "third", "fourth", "fifth"),
)

NO_FIRST = ("no", "n", "false", "f", "negative", "neg", "absent", "none", "never", "alive", "normal", "control")


def of_levels(name: str, values: Sequence[str]) -> Drafted:
    """Return the entry of a column of at least two distinct texts that are its levels."""
    notes = _notes(values)
    if len(values) == 2:
        return Drafted(name, "binary", categories=tuple(two(values)), notes=notes)
    order = ranked(values)
    kind: Kind = "categorical" if order is None else "ordinal"
    ranking = () if order is None else ("the levels look ranked; check their order",)
    return Drafted(name, kind, categories=tuple(order or values), notes=(*ranking, *notes))


def two(values: Sequence[str]) -> list[str]:
    """Return two levels, the one that denies first."""
    return sorted(values, key=lambda value: (value.lower() not in NO_FIRST, value))


def denies(value: object) -> bool:
    """Return whether a level says "no"."""
    return str(value).lower() in (*NO_FIRST, "0")


def ranked(values: Sequence[str]) -> list[str] | None:
    """Return levels in the order of bands, stages or degrees; None without an order."""
    places = [_band(value) for value in values]
    if all(place is not None for place in places) and len(set(places)) == len(values):
        return [value for _, value in sorted(zip(places, values, strict=True), key=lambda pair: pair[0] or ())]
    lowered = [value.lower() for value in values]
    stages = [re.sub(r"^(stage|grade|class|nyha|killip)\s*", "", value) for value in lowered]
    for scale in (ROMAN, *({word: place for place, word in enumerate(scale)} for scale in RANKED)):
        if all(stage in scale for stage in stages) and len(set(stages)) == len(values) > 2:
            return [value for _, value in sorted(zip([scale[stage] for stage in stages], values, strict=True))]
    return None


def _band(value: str) -> tuple[float, float] | None:
    for pattern, end in ((BAND, 0), (OPEN_BELOW, -1), (OPEN_ABOVE, 1)):
        match = pattern.fullmatch(value.strip())
        if match and end == 0:
            return float(match.group(1)), float(match.group(2))
        if match:
            return float(match.group(1) or match.group(match.lastindex or 1)), float(end) * float("inf")
    return None


def _notes(values: Sequence[str]) -> tuple[str, ...]:
    lowered = [value.lower() for value in values]
    notes = []
    if len(set(lowered)) < len(lowered):
        notes.append("some levels differ only in capital letters")
    perhaps = doubtful(values)
    if perhaps:
        notes.append(f"{' and '.join(map(repr, perhaps))} kept as a level; a missing code if it means that")
    return tuple(notes)


FEW = 10  # distinct whole numbers: as likely levels as amounts
EXACT = 1e15
EXACT_FLOATS = 2.0**53


def of_numbers(name: str, values: FloatArray, *, most_levels: int) -> Drafted:
    """Return the entry of at least two distinct numbers in ascending order."""
    whole = all_whole(values)
    if len(values) == 2:
        return Drafted(name, "binary", categories=(plain(values[0]), plain(values[1])))
    if whole and names.coded(name) and len(values) <= most_levels:
        levels = tuple(plain(value) for value in values)
        note = "whole numbers, taken for codes of categories because of the name; count or ordinal if they are amounts or ranks"
        return Drafted(name, "categorical", categories=levels, notes=(note,))
    if whole and values[0] >= 0 and values[-1] < EXACT_FLOATS:
        note = f"only {len(values)} whole numbers: a count, or codes of categories (then categorical, or ordinal if ranked)?"
        return Drafted(name, "count", notes=(note,) if len(values) <= FEW else ())
    return Drafted(name, "continuous")


def all_whole(values: FloatArray) -> bool:
    """Return whether all values are whole numbers."""
    return bool((values == np.floor(values)).all())


def rounded(value: float, way: Callable[[float], int]) -> float:
    """Return a positive number rounded to two digits by `math.floor` or `math.ceil`."""
    if not math.isfinite(value) or value <= 0:
        return value
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    if step == 0 or not math.isfinite(value / step):
        return value
    return float(f"{way(round(value / step, 9)) * step:.2g}")


def plain(value: float | np.floating) -> Level:
    """Return a number as one would write it: whole where it is whole."""
    number = float(value)
    return int(number) if number.is_integer() and abs(number) < EXACT else number
