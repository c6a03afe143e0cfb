"""Columns that seem to know the outcome: by what they hold, or by their name."""

from __future__ import annotations

import numpy as np

from mgvae.arrays import FloatArray, IntArray
from mgvae.cohort.separation import LEAK, Cells, separation, suspicion
from mgvae.config.dictionary import NUMERIC_KINDS
from mgvae.draft import names
from mgvae.draft.columns import numbers_of, present
from mgvae.draft.entry import Drafted
from mgvae.draft.scan import Seen

BACK = "likely a leak; a feature only if it is known at the index date"
AFTERWARDS = "by its name likely known only after the outcome; a feature if it is known before"


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


def cells_of(seen: Seen, drafted: Drafted) -> Cells:
    """Return a column's cells as its entry reads them; of a date whether it is given."""
    keep = np.append(present(seen, drafted), False)
    codes: IntArray = np.where(keep[seen.codes], seen.codes, -1)
    if drafted.kind == "date":  # which day it is depends on the index date
        return Cells(np.where(codes < 0, -1, 0))
    if drafted.kind not in NUMERIC_KINDS:
        return Cells(codes)
    return Cells(codes, np.where(codes >= 0, np.append(numbers_of(seen.values, drafted.format), np.nan)[codes], np.nan))
