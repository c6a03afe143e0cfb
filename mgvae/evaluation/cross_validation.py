"""Predict by repeated grouped cross-validation, and on the hold-out."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mgvae.arrays import FloatArray, IntArray
from mgvae.cohort.rows import Rows
from mgvae.cohort.split import folds
from mgvae.config.sections import Arm
from mgvae.errors import OutcomeError
from mgvae.evaluation.one_split import Chain, Key, Outcome, run_chain
from mgvae.reproducibility import derive
from mgvae.torch_runtime import one_thread

OnDone = Callable[[int, int], None]


@dataclass(frozen=True)
class Predictions:
    """Probabilities of N real rows by models that never saw them or their groups.

    Attributes:
        event: outcome in {0, 1}, ``(N,)``.
        group: group of each row, ``(N,)``.
        fold: the fold in which a row was tested, ``(repeats, N)``.
        prevalence: share of events among the rows that the row's model was fitted on, ``(repeats, N)``.
        probability: by arm, classifier and variant, ``(repeats, N)``.
        unavailable: arm -> why it could not be run on some split; such an arm is not in ``probability``.
        remarks: what a reader must know of some split, in full sentences.
    """

    event: IntArray
    group: IntArray
    fold: NDArray[np.int16]
    prevalence: FloatArray
    probability: dict[Key, FloatArray]
    unavailable: dict[Arm, str]
    remarks: tuple[str, ...] = ()

    @property
    def repeats(self) -> int:
        """How often each row was predicted."""
        return len(self.fold)


@dataclass(frozen=True)
class _Split:
    repeat: int
    fold: int
    train: Rows
    test: Rows
    place: IntArray  # where the test rows stand among those that are predicted
    seed: int


def cross_validate(
    rows: Rows,
    chain: Chain,
    *,
    n_folds: int,
    repeats: int,
    seed: int,
    executor: Executor | None = None,
    on_done: OnDone | None = None,
) -> Predictions:
    """Return out-of-fold predictions of ``rows``.

    Args:
        rows: the training part.
        chain: what is done on each split.
        n_folds: most folds; fewer where fewer groups have an event.
        repeats: how often the folds are drawn anew.
        seed: of folds, arms and classifiers.
        executor: computes the splits side by side; None: here, one after another.
        on_done: called with (done, total) after each split.
    Raises:
        OutcomeError: fewer than two groups with an event.
    """
    splits = _fold_splits(rows, n_folds=n_folds, repeats=repeats, seed=seed)
    return _collect(rows, splits, _run(splits, chain, executor, on_done))


def predict_holdout(train: Rows, test: Rows, chain: Chain, *, seed: int) -> Predictions:
    """Predict the test part by the chain fitted once on the training part; one repeat."""
    splits = [_holdout_split(train, test, seed=seed)]
    return _collect(test, splits, _run(splits, chain, None, None))


def predict_both(
    train: Rows,
    test: Rows,
    chain: Chain,
    *,
    n_folds: int,
    repeats: int,
    seed: int,
    executor: Executor | None = None,
    on_done: OnDone | None = None,
) -> tuple[Predictions, Predictions]:
    """Return both kinds of predictions, with all splits submitted at once."""
    inner = _fold_splits(train, n_folds=n_folds, repeats=repeats, seed=seed)
    outer = _holdout_split(train, test, seed=seed)
    outcomes = _run([outer, *inner], chain, executor, on_done)  # the largest first
    return _collect(train, inner, outcomes[1:]), _collect(test, [outer], outcomes[:1])


def usable_folds(rows: Rows, n_folds: int) -> int:
    """Return how many folds, at most ``n_folds``, can each have a group with an event.

    Raises:
        OutcomeError: fewer than two groups have an event.
    """
    groups = len(np.unique(rows.group[rows.event == 1]))
    if groups < 2:
        raise OutcomeError(f"Cross-validation needs events in at least 2 groups of the training part; got {groups}.")
    return min(n_folds, groups)


def _fold_splits(rows: Rows, *, n_folds: int, repeats: int, seed: int) -> list[_Split]:
    count = usable_folds(rows, n_folds)
    return [
        _Split(repeat, fold, rows.take(train), rows.take(test), test, derive(seed, "split", repeat, fold))
        for repeat in range(repeats)
        for fold, (train, test) in enumerate(
            folds(rows.event == 1, rows.group, n_folds=count, seed=derive(seed, "folds", repeat))
        )
    ]


def holdout_seed(seed: int) -> int:
    """Return the seed of the chain on the whole training part."""
    return derive(seed, "holdout")


def _holdout_split(train: Rows, test: Rows, *, seed: int) -> _Split:
    return _Split(0, 0, train, test, np.arange(len(test)), holdout_seed(seed))


def _run(splits: list[_Split], chain: Chain, executor: Executor | None, on_done: OnDone | None) -> list[Outcome]:
    outcomes: dict[int, Outcome] = {}

    def note(position: int, outcome: Outcome) -> None:
        outcomes[position] = outcome
        if on_done is not None:
            on_done(len(outcomes), len(splits))

    if executor is None:
        for position, split in enumerate(splits):
            note(position, _run_split(split, chain))
    else:
        futures = {executor.submit(_run_split, split, chain): position for position, split in enumerate(splits)}
        for future in as_completed(futures):
            note(futures[future], future.result())
    return [outcomes[position] for position in range(len(splits))]


def _run_split(split: _Split, chain: Chain) -> Outcome:
    with one_thread():
        return run_chain(split.train, split.test, chain, seed=split.seed)


def _collect(rows: Rows, splits: list[_Split], outcomes: list[Outcome]) -> Predictions:
    shape = (max(split.repeat for split in splits) + 1, len(rows))
    unavailable = {arm: reason for outcome in outcomes for arm, reason in outcome.unavailable.items()}
    keys = [key for key in outcomes[0].probability if key[0] not in unavailable]
    fold, prevalence = np.zeros(shape, dtype=np.int16), np.full(shape, np.nan)
    probability = {key: np.full(shape, np.nan) for key in keys}
    for split, outcome in zip(splits, outcomes, strict=True):
        fold[split.repeat, split.place] = split.fold
        prevalence[split.repeat, split.place] = outcome.prevalence
        for key in keys:
            probability[key][split.repeat, split.place] = outcome.probability[key]
    remarks = tuple(dict.fromkeys(remark for outcome in outcomes for remark in outcome.remarks))
    return Predictions(rows.event, rows.group, fold, prevalence, probability, unavailable, remarks)
