"""Splits: a test part, folds and held-out parts. A group stays on one side, and both classes are shared out evenly."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from mgvae.cohort.build import Cohort
from mgvae.config.sections import Split
from mgvae.errors import OutcomeError
from mgvae.reproducibility import numpy_generator

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"


def holdout(cohort: Cohort, split: Split, *, seed: int) -> Array:
    """Return the test part as bool ``(n,)``.

    Args:
        cohort: the eligible subjects.
        split: random (stratified by the outcome, see `_lowest`), or temporal: the latest index dates are the test part, so that
            every training subject was seen before the first day of it. A group is in the test part if its latest index date is.
        seed: decides, with the names of groups and subjects, which groups a random split takes; a temporal split has no choice.

    Raises:
        OutcomeError: a side would have no event, or nothing but events.
    """
    if split.method == "temporal":
        test = _latest(cohort, split.test_fraction)
    else:
        test = _lowest(cohort, split.test_fraction, seed=seed)
    mend = "Change split.test_fraction" + (", or use split.method random." if split.method == "temporal" else ".")
    _check(cohort.event, [~test, test], what="Training and test part", mend=mend)
    return test


def folds(event: Array, group: Array, *, n_folds: int, seed: int) -> list[tuple[Array, Array]]:
    """Return the folds of a grouped, stratified cross-validation as pairs of positions (training, test), each increasing.

    Args:
        event: bool ``(n,)``.
        group: int64 ``(n,)``.
        n_folds: how many; each row is in the test positions of exactly one.
        seed: decides which groups go together.

    Raises:
        OutcomeError: a fold would have no event, or nothing but events.
    """
    fold = _deal(event, group, [1 / n_folds] * n_folds, seed=seed, use="folds")
    tests = [fold == number for number in range(n_folds)]
    holding = len(np.unique(group[event]))
    mend = f"Events lie in {holding} groups: set evaluation.folds to at most {max(holding, 2)}."
    _check(event, tests, what=f"The {n_folds} folds", mend=mend)
    return [(np.flatnonzero(~test), np.flatnonzero(test)) for test in tests]


def inner_part(event: Array, group: Array, *, fraction: float, seed: int) -> Array:
    """Return, as bool ``(n,)``, a part of training rows to be held apart: for calibration or early stopping.

    Args:
        event: bool ``(n,)``; where it has both classes, so has each side.
        group: int64 ``(n,)``.
        fraction: share of the rows.
        seed: decides which groups are taken.

    Raises:
        OutcomeError: a side would be empty or lack a class.
    """
    part = _part(event, group, fraction, seed=seed, use="inner part")
    _check(event, [~part, part], what="Training rows and rows held apart", mend="Use fewer folds or collect more subjects.")
    return part


def _lowest(cohort: Cohort, fraction: float, *, seed: int) -> Array:
    """Return bool ``(n,)``: the groups with the lowest numbers, about ``fraction`` of the events and of the rows.

    A group's number is a hash of its name, so it is the same in every extract. The test part of tomorrow's extract, of mostly
    the same patients, is therefore mostly today's: who comes or goes moves the limit a little, and only those change sides
    whose number lies near it. Groups with events are taken by events, the others by rows.
    """
    codes, first = _first_rows(cohort.group)
    rows = np.bincount(codes)
    events = np.bincount(codes, weights=cohort.event).astype(int)
    order = np.argsort(_numbers(cohort, first, seed), kind="stable")
    taken = np.zeros(len(rows), dtype=bool)
    with_event, without = order[events[order] > 0], order[events[order] == 0]
    taken[with_event] = _filled(events[with_event], fraction * events.sum())
    taken[without] = _filled(rows[without], fraction * rows.sum() - rows[taken].sum())
    return np.asarray(taken[codes])


def _first_rows(group: Array) -> tuple[Array, Array]:
    """Return the number of each row's group from 0, ``(n,)``, and a row of each group, ``(groups,)``."""
    _, first, codes = np.unique(group, return_index=True, return_inverse=True)
    return codes, first


def _numbers(cohort: Cohort, rows: Array, seed: int) -> Array:
    """Return a number for each of ``rows``, evenly spread over uint64: that of its group's name, else of the subject's."""
    key = seed.to_bytes(8, "big")
    names = (
        f"subject/{subject}" if group is None else f"group/{group}"
        for subject, group in zip(cohort.subject[rows], cohort.group_name[rows], strict=True)
    )
    digests = (hashlib.blake2b(name.encode(), digest_size=8, key=key).digest() for name in names)
    return np.fromiter((int.from_bytes(one, "big") for one in digests), dtype=np.uint64, count=len(rows))


def _filled(amounts: Array, due: float) -> Array:
    """Return which amounts, taken in turn, fill up what is due: bool, one at least, and not all where there are two.

    An amount is taken where less than half of it goes beyond what is due, so the sum ends within half an amount of it; one of
    which exactly half would is left for training. Of equal amounts the first are taken.
    """
    taken, have = np.zeros(len(amounts), dtype=bool), 0.0
    for place, amount in enumerate(amounts.tolist()):
        if have + amount / 2 < due:
            taken[place], have = True, have + amount
    if len(amounts) > 1 and not taken.any():
        taken[amounts.argmin()] = True
    if len(amounts) > 1 and taken.all():
        taken[-1] = False
    return taken


def _part(event: Array, group: Array, fraction: float, *, seed: int, use: str) -> Array:
    """Return bool ``(n,)``: a grouped, stratified part with ``fraction`` of the rows."""
    larger_first = [max(fraction, 1 - fraction), min(fraction, 1 - fraction)]
    side = _deal(event, group, larger_first, seed=seed, use=use)
    return np.asarray(side == (1 if fraction <= 0.5 else 0))


def _deal(event: Array, group: Array, shares: Sequence[float], *, seed: int, use: str) -> Array:
    """Return the side of each row, int ``(n,)``.

    Groups are dealt one by one, those with most events first, then the largest, in random order among equals; each goes to
    the side furthest behind its due: of events for a group that has some, else of rows. A side without an event comes before
    all others, and the many small groups at the end even out what the large ones left uneven.
    """
    codes = pd.factorize(group)[0]
    rows = np.bincount(codes)
    events = np.bincount(codes, weights=event).astype(int)
    order = np.lexsort((numpy_generator(seed, "split", use).random(len(rows)), -rows, -events))
    side = np.zeros(len(rows), dtype=np.int64)
    with_event = order[events[order] > 0]
    side[with_event] = _dealt(events[with_event], [0.0] * len(shares), shares)
    held = np.bincount(side[with_event], weights=rows[with_event], minlength=len(shares))
    without = order[events[order] == 0]
    side[without] = _dealt(rows[without], held.tolist(), shares)
    return side[codes]


def _dealt(amounts: Array, held: Sequence[float], shares: Sequence[float]) -> Array:
    """Return the side of each amount, given in turn to a side that has nothing, else to the one furthest behind its due."""
    have = list(held)
    due = [max(share * (sum(held) + float(amounts.sum())), 1e-9) for share in shares]
    out = np.empty(len(amounts), dtype=np.int64)
    for place, amount in enumerate(amounts.tolist()):
        # half of the amount counts already (Sainte-Lague's rule): the sides end within half an amount of their due
        filled = [(now + amount / 2) / want if now else 0.0 for now, want in zip(have, due, strict=True)]
        side = filled.index(min(filled))
        out[place], have[side] = side, have[side] + amount
    return out


def _latest(cohort: Cohort, fraction: float) -> Array:
    """Return bool ``(n,)``: the groups that reach beyond the day that leaves closest to ``fraction`` of the rows."""
    if cohort.index_date is None:
        raise OutcomeError("A temporal split needs an index date; the cohort has none. Set index_date, or split.method random.")
    last = cohort.index_date.groupby(cohort.group).transform("max").to_numpy()
    days, counts = np.unique(last, return_counts=True)
    shares = 1 - np.cumsum(counts)[:-1] / len(last)  # of rows after each day but the last
    if not len(shares):
        raise OutcomeError(
            "A temporal split needs at least two different index dates; all are the same. Use split.method random."
        )
    return np.asarray(last > days[np.abs(shares - fraction).argmin()])


def _check(event: Array, sides: Sequence[Array], *, what: str, mend: str) -> None:
    for present, name in ((event, "event"), (~event, "non-event")):
        empty = sum(not present[side].any() for side in sides)
        if empty and present.any():
            raise OutcomeError(
                f"{what} must each hold at least one {name}; {empty} would hold none of the {int(present.sum())}. {mend}"
            )
    if not all(side.any() for side in sides):
        raise OutcomeError(f"{what} must each hold at least one subject; there are {len(event)}. {mend}")
