"""Columns that seem to know the outcome: by what they hold, or by their name."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from mgvae.arrays import BoolArray, FloatArray, IntArray
from mgvae.cohort.build import FEW_EVENTS
from mgvae.config.dictionary import NUMERIC_KINDS
from mgvae.draft import names
from mgvae.draft.columns import numbers_of, present
from mgvae.draft.entry import Drafted
from mgvae.draft.scan import Seen

SURE, LIKELY = 0.98, 0.9  # single-column AUROC
ONLY_ROWS, ONLY_PREVALENCE = 10, 0.3  # so many rows, all with an event that is that rare, are no chance


def without_leaks(seen: Seen, drafted: Drafted, event: FloatArray | None) -> Drafted:
    """Return an entry, excluded with the reason where it likely leaks the outcome.

    What is excluded for another reason is judged too: that reason may be fixed.

    Args:
        seen: the column.
        drafted: its entry.
        event: 1 where the event happened, 0 where not, NaN where it is unknown, ``(n,)``; None where there is no outcome yet.
    """
    if drafted.kind is None or "identifier" in drafted.role:
        return drafted
    if names.afterwards(seen.name):
        drafted = drafted.excluded("by its name likely known only after the outcome; a feature if it is known before")
    elif names.whole_stay(seen.name):
        drafted = drafted.note("describes the whole stay; exclude it if the prediction is made earlier")
    return drafted if event is None else _separating(seen, drafted, event)


def _separating(seen: Seen, drafted: Drafted, event: FloatArray) -> Drafted:
    known = ~np.isnan(event)
    happened, values = event[known] == 1, _ordered(seen, drafted, event)[known]
    if not happened.any() or happened.all():
        return drafted
    auroc, enough = separation(values, happened), happened.sum() >= FEW_EVENTS
    if auroc >= SURE:
        reason = f"separates the outcome by itself (AUROC {auroc:.3f})"
        return drafted.excluded(f"{reason}: likely a leak") if enough else drafted.note(f"{reason}, in few events: a leak?")
    if only_with_event(_cells(seen, drafted)[known], happened):
        return drafted.excluded("a value of it, or its presence, occurs with the event only: likely a leak")
    return drafted.note(f"separates the outcome well by itself (AUROC {auroc:.2f}): a leak?") if auroc >= LIKELY else drafted


def separation(values: FloatArray, happened: BoolArray) -> float:
    """Return one column's AUROC in the better direction, missing cells at either end.

    Args:
        values: ``(n,)``, NaN for missing.
        happened: bool ``(n,)``, both values present.
    """
    best = 0.5
    for place in (-np.inf, np.inf) if np.isnan(values).any() else (-np.inf,):
        ranks = rankdata(np.where(np.isnan(values), place, values))
        events, others = int(happened.sum()), int((~happened).sum())
        auroc = (ranks[happened].sum() - events * (events + 1) / 2) / (events * others)
        best = max(best, auroc, 1 - auroc)
    return float(best)


def only_with_event(cells: IntArray, happened: BoolArray) -> bool:
    """Return whether a value, or its absence, recurs and only with a rare event.

    Args:
        cells: codes, ``(n,)``; -1 for missing.
        happened: bool ``(n,)``.
    """
    if happened.mean() > ONLY_PREVALENCE:
        return False
    for codes in (cells + 1, (cells >= 0).astype(np.int64)):
        rows, events = np.bincount(codes), np.bincount(codes, weights=happened)
        if ((rows >= ONLY_ROWS) & (rows == events)).any():
            return True
    return False


def _cells(seen: Seen, drafted: Drafted) -> IntArray:
    """Return the rows' codes, ``(n,)``, with -1 also for missing codes."""
    keep = np.append(present(seen, drafted), False)
    return np.where(keep[seen.codes], seen.codes, -1)


def _ordered(seen: Seen, drafted: Drafted, event: FloatArray) -> FloatArray:
    """Return numbers, or levels as their share of events, ``(n,)``; missing is NaN."""
    cells = _cells(seen, drafted)
    if drafted.kind == "date":  # whether it is given; which day depends on the index date
        scale = np.zeros(len(seen.values))
    elif drafted.kind in NUMERIC_KINDS:
        scale = numbers_of(seen.values, drafted.format)
    else:
        known = ~np.isnan(event) & (cells >= 0)
        rows = np.bincount(cells[known], minlength=len(seen.values))
        scale = np.bincount(cells[known], weights=event[known], minlength=len(seen.values)) / np.maximum(rows, 1)
    return np.where(cells >= 0, np.append(scale, np.nan)[cells], np.nan)
