"""Compute the cells of an evaluation, an arm on a fit each, in any order and place."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, TypeVar

import numpy as np

from mgvae.cohort.stored_rows import AnyRows
from mgvae.config.sections import Arm
from mgvae.evaluation.arm_kinds import GENERATIVE
from mgvae.evaluation.fits import Fit
from mgvae.evaluation.majority import draw_majority
from mgvae.evaluation.one_split import ArmOutcome, Chain, run_arm, uses_torch
from mgvae.threads import one_thread

T = TypeVar("T")
OnDone = Callable[[int, int], None]
Cell = tuple[Fit, Arm]
Outcomes = dict[str, dict[Arm, ArmOutcome]]  # by name of the fit


class KeptCells(Protocol):
    """Keeps what an arm gave on a fit, so that a stopped evaluation goes on."""

    def load(self, name: str) -> ArmOutcome | None:
        """Return what was kept under ``name``, if anything."""
        ...

    def save(self, name: str, outcome: ArmOutcome, seconds: float) -> None:
        """Keep ``outcome``, which took ``seconds`` to compute."""
        ...


@dataclass(frozen=True)
class Run:
    """How the cells of an evaluation are computed; no number depends on it.

    Attributes:
        executor: computes cells side by side; None: here, one after another.
        on_done: called with (done, total) after each cell.
        kept: cells of an earlier run that was stopped, and where those of this one are kept; None for nowhere.
    """

    executor: Executor | None = None
    on_done: OnDone | None = None
    kept: KeptCells | None = None

    def part(self, before: int, total: int | None = None) -> Run:
        """Return a part of this run: its cells count from ``before`` on, of ``total`` if given."""
        on_done = self.on_done
        return self if on_done is None else replace(self, on_done=lambda done, of: on_done(before + done, total or of))

    def beside(self, function: Callable[..., T], *arguments: object) -> Callable[[], T]:
        """Return a function that gives the result of a call, which is made meanwhile where there are processes."""
        return partial(function, *arguments) if self.executor is None else self.executor.submit(function, *arguments).result


HERE = Run()


def compute_cells(rows: AnyRows, fits: Mapping[str, Fit], chain: Chain, run: Run = HERE) -> Outcomes:
    """Return what each arm gives on each fit, in their order, whichever cell ended first.

    Raises:
        OutcomeError: the fitting rows of a fit hold one class only.
    """
    found: Outcomes = {name: {} for name in fits}
    cells = longest_first([(fit, arm) for fit in fits.values() for arm in chain.fitted_arms])
    for done, (fit, arm, outcome) in enumerate(_found(rows, cells, chain, run), start=1):
        found[fit.name][arm] = outcome
        if run.on_done is not None:
            run.on_done(done, len(cells))
    return {name: {arm: of_fit[arm] for arm in chain.fitted_arms} for name, of_fit in found.items()}


def longest_first(cells: Sequence[Cell]) -> list[Cell]:
    """Return cells with those first that take long, so that all processes end together.

    The first cell keeps its place: what is wrong with a classifier shows before a generator is trained.
    """
    return [*cells[:1], *sorted(cells[1:], key=lambda cell: (cell[1] not in GENERATIVE, -len(cell[0].fitted)))]


def run_cell(rows: AnyRows, fit: Fit, arm: Arm, chain: Chain) -> tuple[ArmOutcome, float]:
    """Run one arm on one fit; return what it gives, and the seconds it took.

    Where only a part of the majority is learned from, what it gives is moved back to the share of events of all fitted rows.
    """
    start = time.perf_counter()
    drawn = draw_majority(rows.event[fit.fitted], rows.group[fit.fitted], chain.majority_rows, seed=fit.seed)
    with one_thread(torch=uses_torch(arm, chain)):
        outcome = run_arm(arm, rows.take(fit.fitted[drawn.rows]), rows.part(fit.predicted), chain, seed=fit.seed)
    raw = {name: drawn.moved_back(probability) for name, probability in outcome.raw.items()}
    share = float(drawn.moved_back(np.array(outcome.fitted_share)))
    return replace(outcome, raw=raw, fitted_share=share), time.perf_counter() - start


def _found(rows: AnyRows, cells: list[Cell], chain: Chain, run: Run) -> Iterator[tuple[Fit, Arm, ArmOutcome]]:
    missing = []
    for fit, arm in cells:
        kept = run.kept.load(_name(fit, arm)) if run.kept else None
        if kept is None:
            missing.append((fit, arm))
        else:
            yield fit, arm, kept
    for fit, arm, outcome, seconds in _computed(rows, missing, chain, run.executor):
        if run.kept:
            run.kept.save(_name(fit, arm), outcome, seconds)
        yield fit, arm, outcome


def _computed(
    rows: AnyRows, cells: list[Cell], chain: Chain, executor: Executor | None
) -> Iterator[tuple[Fit, Arm, ArmOutcome, float]]:
    if executor is None:
        for fit, arm in cells:
            yield fit, arm, *run_cell(rows, fit, arm, chain)
        return
    futures = {executor.submit(run_cell, rows, fit, arm, chain): (fit, arm) for fit, arm in cells}
    for future in as_completed(futures):
        yield *futures[future], *future.result()


def _name(fit: Fit, arm: Arm) -> str:
    return f"{fit.name}-{arm}"
