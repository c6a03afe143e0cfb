"""Who the rows belong to: subjects, patients with several rows, places of care."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mgvae.arrays import IntArray
from mgvae.cohort.repeats import FEWEST, Repeats, repeated_patients
from mgvae.config.dictionary import LEVEL_KINDS
from mgvae.draft import names
from mgvae.draft.columns import MOST_LEVELS, numbers_of, present
from mgvae.draft.entry import Drafted, identifier
from mgvae.draft.scan import Look, Seen
from mgvae.draft.values import FEW, all_whole, plain

PLACE = "a place of care: performance is reported by it; name it as group to keep each place on one side of every split"
MOST_JUDGED = 30  # columns of few levels that are looked at where no trait is known by its name
MIXING = np.uint64(1_099_511_628_211)  # FNV-1a


def as_place(seen: Seen, drafted: Drafted) -> Drafted:
    """Return the entry of a place of care as levels or, of many, as an identifier; never as a number."""
    if not names.site(seen.name) or seen.stored in ("date", "other") or drafted.kind == "date":
        return drafted
    keep = present(seen, drafted)
    known = tuple(value for value, kept in zip(seen.values, keep, strict=True) if kept)
    numbers = numbers_of(known)
    numeric = not np.isnan(numbers).any()
    if len(known) < 2 or len(known) == len(seen) or (numeric and not all_whole(numbers)):
        return drafted
    if len(known) > MOST_LEVELS:
        return identifier(seen.name, f"a place of care with {len(known):,} values: name it as group, unless patients repeat")
    if drafted.kind not in LEVEL_KINDS:
        levels = tuple(plain(value) for value in np.unique(numbers)) if numeric else known
        drafted = replace(drafted, kind="categorical", categories=levels, range=None, notes=())
    return replace(drafted, role=("feature", "subgroup")).note(PLACE) if drafted.kind == "categorical" else drafted


def repeats_of(look: Look, columns: Sequence[Drafted], outcome: str) -> Repeats | None:
    """Return the column whose values are patients with several rows, by what never changes within one.

    Of several the one that is given in most rows, then by its name, then the coarsest.
    """
    codes = {seen.name: _in_order(seen, drafted) for seen, drafted in zip(look.columns, columns, strict=True)}
    candidates = {
        seen.name: codes[seen.name]
        for seen, drafted in zip(look.columns, columns, strict=True)
        if seen.name != outcome and _may_name(seen, drafted)
    }
    traits = {name: cells for name, cells in codes.items() if names.trait(name) and len(np.unique(cells)) <= FEW}
    few = [
        seen.name
        for seen, drafted in zip(look.columns, columns, strict=True)
        if seen.name != outcome and drafted.predicts and 2 <= len(seen.values) <= FEW
    ]
    any_few = {name: codes[name] for name in few[:: max(1, len(few) // MOST_JUDGED)]}
    found = repeated_patients(candidates, traits) if traits else repeated_patients(candidates, any_few, least=2)
    return min(found, key=lambda one: (-one.rows, not names.person(one.name), not names.identifies(one.name)), default=None)


def _may_name(seen: Seen, drafted: Drafted) -> bool:
    """Return whether values may be names: whole numbers or texts, some of them in several rows."""
    if seen.stored in ("date", "other") or not FEWEST <= len(seen.values) < len(seen):
        return False
    if "identifier" in drafted.role or drafted.kind == "count":
        return True
    return drafted.kind is None and bool(np.isnan(numbers_of(seen.values)).any())


def _in_order(seen: Seen, drafted: Drafted) -> IntArray:
    """Return numbers of the rows' values in the order of the values, ``(n,)``; -1 for missing."""
    numbers = numbers_of(seen.values)
    place = np.arange(len(seen.values)) if np.isnan(numbers).any() else np.argsort(np.argsort(numbers, kind="stable"))
    place = np.where(present(seen, drafted), place, -1)
    return np.append(place, -1)[seen.codes].astype(np.int64)


def copies(look: Look) -> int:
    """Return how many rows equal an earlier one in all columns but those that differ in every row."""
    mixed = np.full(look.rows, MIXING, dtype=np.uint64)
    for seen in look.columns:
        if len(seen.values) < look.rows:
            mixed = (mixed ^ (seen.codes + 1).astype(np.uint64)) * MIXING
            mixed ^= mixed >> np.uint64(29)
    return look.rows - len(np.unique(mixed))
