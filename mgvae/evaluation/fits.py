"""The plan of a cross-fitted evaluation: which rows each fit sees and predicts.

Each tested fold is predicted by a fit on all other folds, and recalibrated by what is learned from predictions of these other
folds. Those come from fits without two folds: the fit without folds i and j serves the recalibration of fold i (it predicts
fold j) and that of fold j (it predicts fold i). All pairs of k folds are k (k - 1) / 2 further fits a repeat; as two numbers
are learned, no more pairs are taken than bring each fold `ENOUGH` events and others. With fewer than four folds, inner folds of
the other rows take the place of pairs, no more than bring `NESTED_ENOUGH`. No row serves to fit or to recalibrate a model that
predicts it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from mgvae.arrays import BoolArray, IntArray
from mgvae.cohort.groups import first_enough, groups_by_event
from mgvae.cohort.rows import Rows
from mgvae.cohort.split import folds
from mgvae.errors import OutcomeError
from mgvae.reproducibility import derive

FEWEST_FOR_PAIRS = 4  # with fewer folds, too little would be left without two of them
ENOUGH = 100  # groups with an event, and without, that recalibrate a fold; see tests/benchmarks/recalibration.py
NESTED_ENOUGH = 1000  # the same on inner folds, whose fits have half of the rows: 100 would add 0.03 to the error of a slope
INNER_FOLDS = 2  # few folds are asked for where fits are dear, or where few groups have an event
ON_ROWS = (
    "Recalibration was learned on single rows, because too few groups have an event. Rows of one group were on both sides, so "
    "for a new group the probabilities are less certain than the report says. Check 'group', or collect more groups."
)


@dataclass(frozen=True)
class Fit:
    """One run of the chain.

    Attributes:
        name: unique in the plan.
        fitted, predicted: positions of the rows, increasing.
        seed: of arms and classifiers.
    """

    name: str
    fitted: IntArray
    predicted: IntArray
    seed: int


@dataclass(frozen=True)
class Tested:
    """Rows that a fit tests, and the predictions from which it is recalibrated.

    Attributes:
        repeat, fold: where the rows stand in the cross-validation.
        fit: name of the fit that predicts them.
        rows: their positions.
        inner: (name of a fit, positions of rows it predicts that ``fit`` was fitted on) for the recalibration.
    """

    repeat: int
    fold: int
    fit: str
    rows: IntArray
    inner: tuple[tuple[str, IntArray], ...]


@dataclass(frozen=True)
class Plan:
    """All fits of an evaluation and what they test.

    Attributes:
        fits: by name, the largest first.
        folds: the tested folds of all repeats.
        remarks: sentences on groups that could not be kept whole.
    """

    fits: dict[str, Fit]
    folds: tuple[Tested, ...]
    remarks: tuple[str, ...] = ()


def usable_folds(rows: Rows, n_folds: int) -> int:
    """Return how many folds, at most ``n_folds``, can each have a group with an event.

    Raises:
        OutcomeError: fewer than two groups have an event.
    """
    groups = len(np.unique(rows.group[rows.event == 1]))
    if groups < 2:
        raise OutcomeError(f"Cross-validation needs events in at least 2 groups of the training part; got {groups}.")
    return min(n_folds, groups)


def plan_folds(
    rows: Rows, *, n_folds: int, repeats: int, seed: int, usable: BoolArray | None = None, enough: int | None = None
) -> Plan:
    """Return the plan of a repeated grouped cross-validation.

    Args:
        rows: the training part.
        n_folds: most folds; fewer where fewer groups have an event.
        repeats: how often the folds are drawn anew.
        seed: of folds, arms and classifiers.
        usable: bool ``(N,)``, the rows to fit and recalibrate on, all by default; every row is tested.
        enough: so many groups with an event, and without, recalibrate a fold where as many are in the others; None: `ENOUGH`,
            or `NESTED_ENOUGH` with fewer than four folds.
    Raises:
        OutcomeError: fewer than two groups with an event.
    """
    count = usable_folds(rows, n_folds)
    allowed = np.ones(len(rows), dtype=bool) if usable is None else usable
    fits: dict[str, Fit] = {}
    tested: list[Tested] = []
    remarks: tuple[str, ...] = ()
    for repeat in range(repeats):
        parts = [test for _, test in folds(rows.event == 1, rows.group, n_folds=count, seed=derive(seed, "folds", repeat))]
        draw = _Draw(rows, allowed, repeat, seed, tuple(parts))
        outer = [draw.fit(fold) for fold in range(count)]
        if count >= FEWEST_FOR_PAIRS:
            inner, found, noted = draw.paired(ENOUGH if enough is None else enough)
        else:
            inner, found, noted = draw.nested(NESTED_ENOUGH if enough is None else enough)
        remarks += noted
        fits |= {fit.name: fit for fit in (*outer, *inner)}
        tested += [
            Tested(repeat, fold, fit.name, part, tuple(found[fold]))
            for fold, (fit, part) in enumerate(zip(outer, parts, strict=True))
        ]
    return Plan(fits, tuple(tested), tuple(dict.fromkeys(remarks)))


@dataclass(frozen=True)
class _Draw:
    """One draw of the folds.

    Attributes:
        parts: the rows of each fold.
    """

    rows: Rows
    usable: BoolArray
    repeat: int
    seed: int
    parts: tuple[IntArray, ...]

    def fit(self, *left_out: int) -> Fit:
        """Return the fit without the folds ``left_out``, which it predicts."""
        predicted = np.sort(np.concatenate([self.parts[fold] for fold in left_out]))
        name = "-".join(["repeat", str(self.repeat), "without", *map(str, left_out)])
        return Fit(name, self._others(predicted), predicted, derive(self.seed, "split", self.repeat, *left_out))

    def paired(self, enough: int) -> tuple[list[Fit], list[list[tuple[str, IntArray]]], tuple[str, ...]]:
        """Return the fits without two folds, and what each fold takes from them."""
        fits, taken = [], [[] for _ in self.parts]  # type: tuple[list[Fit], list[list[tuple[str, IntArray]]]]
        brought = [self._groups(self._usable(part)) for part in self.parts]
        for one, other in chosen_pairs(brought, enough):
            fit = self.fit(one, other)
            fits.append(fit)
            taken[one].append((fit.name, self._usable(self.parts[other])))
            taken[other].append((fit.name, self._usable(self.parts[one])))
        return fits, taken, ()

    def nested(self, enough: int) -> tuple[list[Fit], list[list[tuple[str, IntArray]]], tuple[str, ...]]:
        """Return fits on inner folds of each fold's fitting rows, and what the fold takes: no more than are enough."""
        fits: list[Fit] = []
        taken: list[list[tuple[str, IntArray]]] = []
        remarks: tuple[str, ...] = ()
        for fold, part in enumerate(self.parts):
            fitted = self._others(part)
            inner, whole = _inner_folds(self.rows.take(fitted), seed=derive(self.seed, "inner folds", self.repeat, fold))
            remarks += () if whole else (ON_ROWS,)
            brought = [self._groups(fitted[test]) for _, test in inner]
            inner = inner[: first_enough(np.reshape(brought, (-1, 2)), enough)]
            of_fold = [
                Fit(
                    f"repeat-{self.repeat}-without-{fold}-inner-{place}",
                    fitted[train],
                    fitted[test],
                    derive(self.seed, "split", self.repeat, fold, "inner", place),
                )
                for place, (train, test) in enumerate(inner)
            ]
            fits += of_fold
            taken.append([(fit.name, fit.predicted) for fit in of_fold])
        return fits, taken, remarks

    def _groups(self, positions: IntArray) -> tuple[int, int]:
        """Return how many groups have a row with the event, and how many one without."""
        return groups_by_event(self.rows.event[positions], self.rows.group[positions])

    def _others(self, left_out: IntArray) -> IntArray:
        kept = self.usable.copy()
        kept[left_out] = False
        return np.flatnonzero(kept)

    def _usable(self, positions: IntArray) -> IntArray:
        return positions[self.usable[positions]]


def chosen_pairs(brought: Sequence[tuple[int, int]], enough: int) -> list[tuple[int, int]]:
    """Return the pairs of folds to be left out together, in order.

    The folds stand on a circle. Neighbours are paired first, then those at distance 2, and so on: first while both folds lack
    rows to recalibrate on, then while one does. Either a fold has enough in the end, or it is paired with all others.

    Args:
        brought: of each fold, how many groups with an event and how many without it brings to its partners.
        enough: how many of both a fold needs of its partners.
    """
    count = len(brought)
    had = np.zeros((count, 2), dtype=np.int64)
    pairs = sorted(combinations(range(count), 2), key=lambda pair: min(pair[1] - pair[0], count - pair[1] + pair[0]))
    chosen: list[tuple[int, int]] = []
    for needed in (np.all, np.any):
        for pair in pairs:
            if pair not in chosen and needed((had[list(pair)] < enough).any(axis=1)):
                chosen.append(pair)
                had[list(pair)] += np.asarray(brought)[list(pair[::-1])]
    return sorted(chosen)


def _inner_folds(rows: Rows, *, seed: int) -> tuple[list[tuple[IntArray, IntArray]], bool]:
    """Return inner folds, of single rows where too few groups have an event.

    There is none with a single event: nothing can be learned then.
    """
    for group, whole in ((rows.group, True), (np.arange(len(rows)), False)):
        alike = Rows(rows.features, rows.event, group)
        try:
            return folds(alike.event == 1, group, n_folds=usable_folds(alike, INNER_FOLDS), seed=seed), whole
        except OutcomeError:
            continue
    return [], True
