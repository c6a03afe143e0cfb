"""Split a cohort into a test part and folds, by whole groups."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from mgvae.arrays import Array
from mgvae.cohort.build import Cohort
from mgvae.cohort.follow_up import FollowUp
from mgvae.cohort.groups import deal_groups
from mgvae.config.sections import Split
from mgvae.errors import OutcomeError
from mgvae.reproducibility import derive


def holdout(cohort: Cohort, split: Split, *, seed: int) -> Array:
    """Return the test part as bool ``(n,)``.

    Args:
        cohort: the eligible subjects.
        split: random (stratified by the outcome, see `_lowest`), or temporal: the latest index dates are the test part, so that
            every training subject was seen before the first day of it. A group is in the test part if its latest index date is.
            auto: temporal where there are index dates and it leaves both parts events and non-events, else random.
        seed: decides, with the names of groups and subjects, which groups a random split takes; a temporal split has no choice.

    Raises:
        OutcomeError: a side would have no event, or nothing but events.
    """
    if split.method == "auto" and cohort.index_date is not None:
        with suppress(OutcomeError):
            return holdout(cohort, split.model_copy(update={"method": "temporal"}), seed=seed)
    temporal = split.method == "temporal"
    test = _latest(cohort, split.test_fraction) if temporal else _lowest(cohort, split, seed=seed)
    remedy = "Change split.test_fraction" + (", or use split.method random." if temporal else ".")
    _check(cohort.event, [~test, test], parts="Training and test part", remedy=remedy)
    return test


def is_temporal(cohort: Cohort, test: Array) -> bool:
    """Return whether every training subject was seen before the first day of the test part."""
    if cohort.index_date is None or not 0 < test.sum() < len(test):
        return False
    last = _last_days(cohort, cohort.index_date)
    return bool(last[~test].max() < last[test].min())


def with_lost(cohort: Cohort, test: Array, *, seed: int) -> Cohort:
    """Return the cohort with its patients of unknown outcome on the sides of the split.

    They stay with their group. Of other groups, those of index dates of a temporal test part are in it, else a random share.

    Args:
        cohort: with or without follow-up.
        test: bool ``(n,)``.
        seed: of the share.
    """
    found = cohort.follow_up
    if found is None:
        return cohort
    groups, place = np.unique(found.lost_group, return_inverse=True)
    held = np.random.default_rng(derive(seed, "lost")).random(len(groups)) < test.mean()
    if found.lost_day is not None and cohort.index_date is not None and is_temporal(cohort, test):
        latest = pd.Series(found.lost_day).groupby(place).max().to_numpy()
        held = latest >= _last_days(cohort, cohort.index_date)[test].min()
    held = (held & ~np.isin(groups, cohort.group)) | np.isin(groups, cohort.group[test])
    return replace(cohort, follow_up=replace(found, lost_held=held[place]))


def followed_sides(cohort: Cohort, test: Array) -> tuple[FollowUp | None, FollowUp | None]:
    """Return the follow-up of the training and of the test part; None where the study does not say."""
    found = cohort.follow_up
    return (None, None) if found is None else (found.side(~test, held=False), found.side(test, held=True))


def folds(event: Array, group: Array, *, n_folds: int, seed: int) -> list[tuple[Array, Array]]:
    """Return grouped, stratified folds as increasing positions (training, test).

    Args:
        event: bool ``(n,)``.
        group: int64 ``(n,)``.
        n_folds: how many; each row is in the test positions of exactly one.
        seed: decides which groups go together.

    Raises:
        OutcomeError: a fold would have no event, or nothing but events.
    """
    fold = deal_groups(event, group, [1 / n_folds] * n_folds, seed=seed, use="folds")
    tests = [fold == number for number in range(n_folds)]
    holding = len(np.unique(group[event]))
    remedy = f"Events lie in {holding} groups: set evaluation.folds to at most {max(holding, 2)}."
    _check(event, tests, parts=f"The {n_folds} folds", remedy=remedy)
    return [(np.flatnonzero(~test), np.flatnonzero(test)) for test in tests]


def _lowest(cohort: Cohort, split: Split, *, seed: int) -> Array:
    """Return the groups with the lowest numbers, about ``split.test_fraction`` of all: bool.

    A group's number is a hash of its name, so it is the same in every extract. The test part of tomorrow's extract, of mostly
    the same patients, is therefore mostly today's: who comes or goes moves the limit a little, and only those change sides
    whose number lies near it. Groups with events are taken by events, the others by rows. The next window begins where the
    first quarter of this one ends.
    """
    fraction = split.test_fraction
    codes, first = _first_rows(cohort.group)
    rows = np.bincount(codes)
    events = np.bincount(codes, weights=cohort.event).astype(int)
    begin = np.uint64(int(split.window * fraction / 4 % 1 * 2**64))
    order = np.argsort(_numbers(cohort, first, seed) - begin, kind="stable")  # modulo 2**64
    taken = np.zeros(len(rows), dtype=bool)
    with_event, without = order[events[order] > 0], order[events[order] == 0]
    taken[with_event] = _filled(events[with_event], fraction * events.sum())
    taken[without] = _filled(rows[without], fraction * rows.sum() - rows[taken].sum())
    return np.asarray(taken[codes])


def _first_rows(group: Array) -> tuple[Array, Array]:
    """Return each row's group number, ``(n,)``, and a row of each group."""
    _, first, codes = np.unique(group, return_index=True, return_inverse=True)
    return codes, first


def _numbers(cohort: Cohort, rows: Array, seed: int) -> Array:
    """Return a uint64 hash for each row: of its group's name, else the subject's."""
    key = seed.to_bytes(8, "big")
    names = (
        f"subject/{subject}" if group is None else f"group/{group}"
        for subject, group in zip(cohort.subject[rows], cohort.group_name[rows], strict=True)
    )
    digests = (hashlib.blake2b(name.encode(), digest_size=8, key=key).digest() for name in names)
    return np.fromiter((int.from_bytes(one, "big") for one in digests), dtype=np.uint64, count=len(rows))


def _filled(amounts: Array, due: float) -> Array:
    """Take amounts in turn to fill ``due``: one at least, and not all of several.

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


def _latest(cohort: Cohort, fraction: float) -> Array:
    """Return the groups after the day that leaves about ``fraction``: bool."""
    if cohort.index_date is None:
        raise OutcomeError("A temporal split needs an index date; the cohort has none. Set index_date, or split.method random.")
    last = _last_days(cohort, cohort.index_date)
    days, counts = np.unique(last, return_counts=True)
    shares = 1 - np.cumsum(counts)[:-1] / len(last)  # of rows after each day but the last
    if not len(shares):
        raise OutcomeError(
            "A temporal split needs at least two different index dates; all are the same. Use split.method random."
        )
    return np.asarray(last > days[np.abs(shares - fraction).argmin()])


def _last_days(cohort: Cohort, index_date: pd.Series[Any]) -> Array:
    """Return the latest index date of each row's group, ``(n,)``."""
    return index_date.groupby(cohort.group).transform("max").to_numpy()


def _check(event: Array, sides: Sequence[Array], *, parts: str, remedy: str) -> None:
    for present, name in ((event, "event"), (~event, "non-event")):
        empty = sum(not present[side].any() for side in sides)
        if empty and present.any():
            raise OutcomeError(
                f"{parts} must each hold at least one {name}; {empty} would hold none of the {int(present.sum())}. {remedy}"
            )
    if not all(side.any() for side in sides):
        raise OutcomeError(f"{parts} must each hold at least one subject; there are {len(event)}. {remedy}")
