"""Columns of texts: two levels, levels that look ranked, categories, and texts that are no levels."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mgvae.dictionary import Kind
from mgvae.drafting import codes
from mgvae.drafting.column import Drafted

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
YES = ("yes", "y", "true", "t", "positive", "pos", "present", "ever", "dead", "abnormal", "case", "died")


def of_levels(name: str, values: Sequence[str]) -> Drafted:
    """Return the entry of a column of at least two distinct texts that are its levels."""
    notes = _notes(values)
    if len(values) == 2:
        return Drafted(name, "binary", categories=tuple(two(values)), notes=notes)
    order = ranked(values)
    kind: Kind = "categorical" if order is None else "ordinal"
    said = () if order is None else ("the levels look ranked; check their order",)
    return Drafted(name, kind, categories=tuple(order or values), notes=(*said, *notes))


def two(values: Sequence[str]) -> list[str]:
    """Return two levels, the one that denies first."""
    return sorted(values, key=lambda value: (value.lower() not in NO_FIRST, value))


def denies(value: object) -> bool:
    """Return whether a level says "no"."""
    return str(value).lower() in (*NO_FIRST, "0")


def ranked(values: Sequence[str]) -> list[str] | None:
    """Return the levels in their order, None where they have none that shows: bands of numbers, stages, degrees."""
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
    perhaps = [value for value in values if value.lower() in codes.PERHAPS]
    if perhaps:
        notes.append(f"{' and '.join(map(repr, perhaps))} kept as a level; a missing code if it means that")
    return tuple(notes)
