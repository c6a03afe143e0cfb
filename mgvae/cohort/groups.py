"""Deal groups of rows to parts, whole wherever that comes near the asked shares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from mgvae.arrays import Array, FloatArray
from mgvae.reproducibility import numpy_generator

NEAR = 2  # a part is near its due where it holds at least half and at most twice as many rows
EVEN = 1.25  # the same for folds of groups in random order: they usually come that near


@dataclass(frozen=True)
class Parts:
    """Rows dealt to parts.

    Attributes:
        part: number of each row's part, from 0, ``(n,)``; of a held-out part and the rest, 1 is held out.
        whole: whether each group lies in one part; False where rows were dealt one by one.
    """

    part: Array
    whole: bool = True

    @property
    def held_out(self) -> Array:
        """Whether each row is held out, bool ``(n,)``."""
        return np.asarray(self.part == 1)

    def remarks(self, purpose: str) -> tuple[str, ...]:
        """Return a sentence on ``purpose`` where groups are not whole, else nothing."""
        if self.whole:
            return ()
        return (
            f"{purpose} on single rows, because no choice of whole groups comes near the asked share. Rows of one group "
            "were on both sides, so for a new group the choice is too optimistic. Check 'group', or collect more groups.",
        )


def hold_out(group: Array, fraction: float, *, seed: int) -> Parts:
    """Hold out about ``fraction`` of the rows for early stopping.

    Groups are taken in random order until the share is reached, without those that would bring it beyond twice the share.
    Where that leaves less than half of it, the largest that fit are taken first: this finds a choice of groups between half
    and twice the share if there is one. Else rows are taken.

    Args:
        group: code of each row's group, ``(n,)``.
        fraction: share of the rows, below 0.5.
        seed: decides which groups are taken.

    Returns:
        Parts 0 and 1, both with rows if there are two rows.
    """
    _, code, size = np.unique(group, return_inverse=True, return_counts=True)
    n, order = len(code), numpy_generator(seed, "heldout groups").permutation(len(size))
    due = math.ceil(fraction * n)
    if len(size) == n:
        return Parts(np.isin(code, order[:due]).astype(np.int64))
    for turn in (order, order[np.argsort(-size[order], kind="stable")]):
        taken = _filled(size[turn], due, most=min(NEAR * due, n - 1))
        if NEAR * size[turn[taken]].sum() >= due:
            return Parts(np.isin(code, turn[taken]).astype(np.int64))
    return Parts(hold_out(np.arange(n), fraction, seed=seed).part, whole=False)


def balanced_folds(group: Array, most: int, *, seed: int) -> Parts:
    """Deal rows to two or more folds, at most ``most``, of about the same size.

    Groups are dealt in random order, fold by fold. Where that leaves a fold far from its share, the largest are dealt first,
    to as many folds as leave each near its share; where not even two folds do, rows are dealt.
    """
    _, code, size = np.unique(group, return_inverse=True, return_counts=True)
    order = numpy_generator(seed, "case folds").permutation(len(size))
    largest_first = order[np.argsort(-size[order], kind="stable")]
    fold = np.zeros(len(size), dtype=np.int64)
    if len(size) >= most:
        fold[order] = np.arange(len(size)) % most
        if _uneven(fold, size, most) <= EVEN or len(size) == len(code):
            return Parts(fold[code])
    for count in range(min(most, len(size)), 1, -1):
        fold[largest_first] = deal_amounts(size[largest_first], [1 / count] * count)
        if _uneven(fold, size, count) <= NEAR:
            return Parts(fold[code])
    if len(size) == len(code):
        return Parts(np.zeros(len(code), dtype=np.int64))
    return Parts(balanced_folds(np.arange(len(code)), most, seed=seed).part, whole=False)


def groups_by_event(event: Array, group: Array) -> tuple[int, int]:
    """Return how many groups have a row with the event, and how many one without."""
    return len(np.unique(group[event == 1])), len(np.unique(group[event == 0]))


def first_enough(amounts: Array, enough: int) -> int:
    """Return how many of the first parts hold ``enough`` of each kind together; all parts where they do not.

    Args:
        amounts: of each kind in each part, ``(parts, kinds)``.
        enough: so much of each kind is asked for.
    """
    reached = (np.cumsum(amounts, axis=0) >= enough).all(axis=1)
    return int(reached.argmax()) + 1 if reached.any() else len(amounts)


def deal_groups(event: Array, group: Array, shares: Sequence[float], *, seed: int, use: str) -> Array:
    """Deal whole groups in ``shares``; return the part of each row, ``(n,)``.

    Groups are dealt one by one, those with most events first, then the largest, in random order among equals; each goes to
    the part furthest behind its due: of events for a group that has some, else of rows. A part without an event comes before
    all others, and the many small groups at the end even out what the large ones left uneven.
    """
    codes = pd.factorize(group)[0]
    rows = np.bincount(codes)
    events = np.bincount(codes, weights=event).astype(int)
    order = np.lexsort((numpy_generator(seed, "split", use).random(len(rows)), -rows, -events))
    part = np.zeros(len(rows), dtype=np.int64)
    with_event = order[events[order] > 0]
    part[with_event] = deal_amounts(events[with_event], shares)
    have = np.bincount(part[with_event], weights=rows[with_event], minlength=len(shares))
    without = order[events[order] == 0]
    part[without] = deal_amounts(rows[without], shares, have.tolist())
    return part[codes]


def deal_amounts(amounts: Array, shares: Sequence[float], given: Sequence[float] | None = None) -> Array:
    """Return the part of each amount: an empty one, else the furthest behind.

    Args:
        amounts: rows or events of each group, ``(groups,)``.
        shares: of each part, summing to one.
        given: what each part has already; nothing by default.
    """
    have = np.zeros(len(shares)) if given is None else np.array(given, dtype=np.float64)
    due = np.maximum(np.asarray(shares) * (have.sum() + amounts.sum()), 1e-9)
    out = np.empty(len(amounts), dtype=np.int64)
    ends = np.flatnonzero(np.diff(amounts, append=np.nan) != 0) + 1  # of runs of equal amounts
    for start, end in pairwise([0, *ends.tolist()]):
        out[start:end] = _dealt_alike(float(amounts[start]), end - start, have, due)
        have += amounts[start] * np.bincount(out[start:end], minlength=len(have))
    return out


def _dealt_alike(amount: float, count: int, have: FloatArray, due: FloatArray) -> Array:
    """Return the part of each of ``count`` equal amounts, dealt one by one, see `deal_amounts`."""
    # no part goes further beyond its due than all others may have fallen behind, half an amount each
    most = np.minimum(np.ceil(np.maximum(due - have, 0) / amount) + len(have) + 1, count).astype(np.int64)
    part = np.repeat(np.arange(len(have)), most)
    taken = np.arange(len(part)) - np.repeat(np.cumsum(most) - most, most)
    now = have[part] + amount * taken
    # half of the amount counts already (Sainte-Lague's rule): the parts end within half an amount of their due
    filled = np.where(now > 0, (now + amount / 2) / due[part], 0.0)
    return part[np.lexsort((part, filled))[:count]]


def _filled(amounts: Array, due: int, *, most: int) -> Array:
    """Take amounts in turn until ``due``, never beyond ``most``; return a mask."""
    taken, have = np.zeros(len(amounts), dtype=bool), 0
    for place, amount in enumerate(amounts.tolist()):
        if have < due and have + amount <= most:
            taken[place], have = True, have + amount
    return taken


def _uneven(fold: Array, size: Array, count: int) -> float:
    """Return the largest factor between a fold's rows and its share of them."""
    rows = np.bincount(fold, weights=size, minlength=count) * count / size.sum()
    return float(max(rows.max(), 1 / rows.min())) if rows.min() else float("inf")
