"""Columns that seem to know the outcome: by what they hold, or by their name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mgvae.arrays import FloatArray, IntArray
from mgvae.cohort.separation import LEAK, Cells, separation, suspicion
from mgvae.config.dictionary import NUMERIC_KINDS
from mgvae.draft import names
from mgvae.draft.columns import numbers_of, present
from mgvae.draft.entry import Drafted
from mgvae.draft.scan import Look, Seen

BACK = "likely a leak; a feature only if it is known at the index date"
AFTERWARDS = "by its name likely known only after the outcome; a feature if it is known before"
FEWEST, DISTINCT = 50, 20  # rows known in both, and distinct numbers, from which an order is no chance
SOON = 0.05  # quantile of the follow-up
BROKEN, BY_CHANCE, REACH = 0.001, 0.95, 0.25  # shares of rows that break it, that keep it by chance; of the longest follow-up


def without_leaks(seen: Seen, drafted: Drafted, event: FloatArray | None, outcome: str = "") -> Drafted:
    """Return an entry, excluded with the reason where it likely leaks the outcome.

    What is excluded for another reason is judged too: that reason may be fixed.

    Args:
        seen: the column.
        drafted: its entry.
        event: 1 where the event happened, 0 where not, NaN where it is unknown, ``(n,)``; None where there is no outcome yet.
        outcome: name of the outcome's column.
    """
    if drafted.kind is None or "identifier" in drafted.role:
        return drafted
    if names.afterwards(seen.name, outcome):
        drafted = drafted.excluded(AFTERWARDS)
    elif names.whole_stay(seen.name):
        drafted = drafted.excluded("describes the whole stay, which ends after the prediction is made; a feature if it is over")
    return drafted if event is None else _separating(seen, drafted, event)


def _separating(seen: Seen, drafted: Drafted, event: FloatArray) -> Drafted:
    known = ~np.isnan(event)
    happened, cells = event[known] == 1, cells_of(seen, drafted).take(known)
    reason = suspicion(cells, happened)
    if reason is not None:
        return drafted.excluded(f"{reason}: {BACK}")
    if not happened.any() or happened.all():
        return drafted
    found = separation(cells, happened)
    few = f"separates the outcome well by itself (AUROC {found.auroc:.2f}), in few events: a leak?"
    return drafted.note(few) if found.auroc >= LEAK else drafted


def within_follow_up(look: Look, columns: Sequence[Drafted]) -> tuple[Drafted, ...]:
    """Return the entries, excluded where numbers are times within a follow-up that was excluded by its name.

    Such a column never exceeds the follow-up of its row, reaches far into the longest, and would often exceed others: the
    day of a later event. Or it is never below it: the longer follow-up of another event.
    """
    pairs = list(zip(look.columns, columns, strict=True))
    numbers = {seen.name: cells_of(seen, drafted).numbers for seen, drafted in pairs if _times(seen, drafted)}
    follow_up = {
        drafted.name: numbers[drafted.name] for drafted in columns if AFTERWARDS in drafted.notes and drafted.name in numbers
    }
    out = []
    for drafted in columns:
        own = numbers.get(drafted.name)
        beside = [name for name, ends in follow_up.items() if own is not None and ends is not None and _ordered(own, ends)]
        reason = (
            f"never on the other side of '{beside[0]}' and as far-reaching: a time after the index date? {BACK}"
            if beside
            else ""
        )
        out.append(drafted.excluded(reason) if beside and drafted.predicts else drafted)
    return tuple(out)


def _ordered(own: FloatArray, ends: FloatArray) -> bool:
    return never_later(own, ends) or never_later(ends, own)


def never_later(times: FloatArray, ends: FloatArray) -> bool:
    """Return whether times lie within follow-ups that end with ``ends``, and not by chance; NaN is missing."""
    known = ~np.isnan(times) & ~np.isnan(ends)
    if known.sum() < FEWEST or times[known].max() < REACH * ends[known].max():
        return False
    known &= times > np.quantile(ends[known], SOON)  # earlier ones could hardly be later than an end
    if known.sum() < FEWEST:
        return False
    own, ordered = times[known], np.sort(ends[known])
    by_chance = 1 - np.searchsorted(ordered, own, side="left").mean() / len(own)
    return bool((own > ends[known]).mean() <= BROKEN and by_chance <= BY_CHANCE)


def _times(seen: Seen, drafted: Drafted) -> bool:
    return drafted.kind in NUMERIC_KINDS and "identifier" not in drafted.role and len(seen.values) >= DISTINCT


def cells_of(seen: Seen, drafted: Drafted) -> Cells:
    """Return a column's cells as its entry reads them; of a date whether it is given."""
    keep = np.append(present(seen, drafted), False)
    codes: IntArray = np.where(keep[seen.codes], seen.codes, -1)
    if drafted.kind == "date":  # which day it is depends on the index date
        return Cells(np.where(codes < 0, -1, 0))
    if drafted.kind not in NUMERIC_KINDS:
        return Cells(codes)
    return Cells(codes, np.where(codes >= 0, np.append(numbers_of(seen.values, drafted.format), np.nan)[codes], np.nan))
