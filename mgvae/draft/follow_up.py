"""Times within a follow-up, and the events that they are the times of: found by their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations

import numpy as np

from mgvae.arrays import BoolArray, FloatArray
from mgvae.config.dictionary import NUMERIC_KINDS
from mgvae.draft.entry import Drafted
from mgvae.draft.leaks import AFTERWARDS, BACK, cells_of
from mgvae.draft.scan import Look, Seen

FEWEST, DISTINCT = 50, 20  # rows known in both, and distinct numbers, from which an order is no chance
SOON = 0.05  # quantile of the follow-up
BROKEN, BY_CHANCE, REACH = 0.001, 0.95, 0.25  # shares of rows that break it, that keep it by chance; of the longest follow-up
CENSORED, EARLIER = 0.99, 0.5  # share of rows without an event whose time is the end, with it whose time is before


def without_follow_up(look: Look, columns: Sequence[Drafted]) -> tuple[Drafted, ...]:
    """Return the entries, excluded where they are times within a follow-up, or say whether such a time is that of an event.

    A follow-up is a number that was excluded as a leak or by its name. A time within it never exceeds the follow-up of its row,
    reaches far into the longest and would often exceed others, or is never below it in the same sense. An event is a column of
    two levels, in one of which such a time is the end of the follow-up, and in the other before it.
    """
    pairs = list(zip(look.columns, columns, strict=True))
    numbers = {seen.name: cells_of(seen, drafted).numbers for seen, drafted in pairs if _may_be_time(seen, drafted)}
    times = {name: values for name, values in numbers.items() if values is not None}
    ends = {drafted.name: times[drafted.name] for drafted in columns if drafted.name in times and _leaks(drafted)}
    out = tuple(_judged_time(drafted, times.get(drafted.name), ends) for drafted in columns)
    known = {drafted.name: times[drafted.name] for drafted in out if drafted.name in times and _leaks(drafted)}
    return tuple(_judged_event(seen, drafted, known) for seen, drafted in zip(look.columns, out, strict=True))


def _judged_time(drafted: Drafted, own: FloatArray | None, ends: Mapping[str, FloatArray]) -> Drafted:
    if own is None or not drafted.predicts:
        return drafted
    beside = next((name for name, end in ends.items() if never_later(own, end) or never_later(end, own)), None)
    if beside is None:
        return drafted
    return drafted.excluded(f"never on the other side of '{beside}' and as far-reaching: a time after the index date? {BACK}")


def _judged_event(seen: Seen, drafted: Drafted, times: Mapping[str, FloatArray]) -> Drafted:
    if not drafted.predicts or drafted.kind != "binary":
        return drafted
    codes = cells_of(seen, drafted).codes
    levels = [codes == level for level in np.unique(codes[codes >= 0])]
    for (name, time), (end_name, end) in permutations(times.items(), 2):
        if any(is_event(event, other, time, end) for event, other in permutations(levels, 2)):
            return drafted.excluded(f"says whether '{name}' is the time of an event or '{end_name}', the end: {BACK}")
    return drafted


def never_later(times: FloatArray, ends: FloatArray) -> bool:
    """Return whether times lie within follow-ups that end with ``ends``, and not by chance; NaN is missing.

    Rows with the longest follow-up tell nothing: no time can exceed it.
    """
    known = ~np.isnan(times) & ~np.isnan(ends)
    if known.sum() < FEWEST or times[known].max() < REACH * ends[known].max():
        return False
    broken = (times[known] > ends[known]).mean()
    early = known & (ends < ends[known].max())
    if broken > BROKEN or not early.any():
        return False
    early &= times > np.quantile(ends[early], SOON)  # earlier ones could hardly be later than an end
    if early.sum() < FEWEST:
        return False
    by_chance = 1 - np.searchsorted(np.sort(ends[early]), times[early], side="left").mean() / early.sum()
    return bool(by_chance <= BY_CHANCE)


def is_event(with_event: BoolArray, without: BoolArray, time: FloatArray, end: FloatArray) -> bool:
    """Return whether rows with an event have its time before the end, and others the end itself."""
    known = ~np.isnan(time) & ~np.isnan(end)
    with_event, without = with_event & known, without & known
    if min(with_event.sum(), without.sum()) < DISTINCT:
        return False
    return bool((time == end)[without].mean() >= CENSORED and (time < end)[with_event].mean() >= EARLIER)


def _leaks(drafted: Drafted) -> bool:
    return any(note == AFTERWARDS or BACK in note for note in drafted.notes)


def _may_be_time(seen: Seen, drafted: Drafted) -> bool:
    return drafted.kind in NUMERIC_KINDS and "identifier" not in drafted.role and len(seen.values) >= DISTINCT
