"""Redevelop models on bootstrap samples of the patients, whole groups drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from mgvae.arrays import FloatArray, IntArray
from mgvae.classifiers.recalibration import Recalibration, fit_recalibration, offset
from mgvae.cohort.groups import deal_groups, first_enough, groups_by_event
from mgvae.cohort.split import folds
from mgvae.cohort.stored_rows import AnyRows
from mgvae.config.sections import Arm, Classifier
from mgvae.errors import OutcomeError
from mgvae.evaluation.arm_kinds import RECALIBRATION_FOLDS
from mgvae.evaluation.cells import Outcomes, Run, compute_cells
from mgvae.evaluation.fits import Fit
from mgvae.evaluation.measures.instability import Redeveloped
from mgvae.evaluation.one_split import Chain
from mgvae.reproducibility import derive, numpy_generator

CLASSIFIER: Classifier = "logistic_regression"  # of all redeveloped models: the others take ten times as long
CELLS = 20_000_000  # numbers in memory at once
MOST_COMPARED = 100_000  # patients; more tell a mean difference of predictions no better
POSITIONS = 8  # numbers for each patient in a development: positions of its fits, predictions
MOST_TRIES = 100
ENOUGH = 1000  # groups with an event, and without, that recalibrate a development: with fewer, that adds to what it differs by


@dataclass(frozen=True)
class Development:
    """A model's development on patients, drawn with replacement or not.

    Attributes:
        outer: fits the model, which predicts the original patients.
        inner: fits on parts of the same draw, from whose predictions of the other parts the recalibration is learned.
    """

    outer: Fit
    inner: tuple[Fit, ...]

    @property
    def fits(self) -> tuple[Fit, ...]:
        """All fits."""
        return (self.outer, *self.inner)


@dataclass(frozen=True)
class Redevelopments:
    """Models of an arm, developed on the original patients and on bootstrap samples.

    Attributes:
        original: predictions by the original model, moved back to the prevalence, ``(S,)``.
        line: its recalibration; as the others', None where none was learned.
        moved: predictions by the redeveloped models, moved back to the prevalence, ``(B, S)``.
        lines: their recalibrations, ``B``.
        reasons: why the arm could not be run on a sample, one for each failure.
        remarks: what a reader must know, in full sentences.
    """

    original: FloatArray
    line: Recalibration | None
    moved: Redeveloped
    lines: tuple[Recalibration | None, ...]
    reasons: tuple[str, ...]
    remarks: tuple[str, ...]


def redevelop(
    rows: AnyRows, chain: Chain, arm: Arm, *, count: int, predicted: IntArray, relearn: bool, seed: int, run: Run
) -> Redevelopments:
    """Develop an arm on the original patients and on ``count`` bootstrap samples of them.

    A group is drawn whole or not at all. One that was drawn twice lies in one inner part, with all its copies. The samples are
    the same for every arm.

    Args:
        rows: the original patients.
        chain: its recipe is used.
        arm: how the imbalance is treated.
        count: number of bootstrap samples, B.
        predicted: positions of the patients whose predictions are compared, increasing, ``(S,)``.
        relearn: whether each development learns its own recalibration.
        seed: of the samples, the arm and the classifier.
        run: how the cells are computed.
    Raises:
        OutcomeError: no sample with and without the event was found, or the arm cannot be run on the original patients.
        TrainingError: as the latter, of a generator.
    """
    alone = replace(chain, arms=(arm,), classifiers=(CLASSIFIER,))
    plan = (_development(rows, place, predicted, relearn=relearn, seed=seed) for place in range(count + 1))
    found: list[tuple[FloatArray, Recalibration | None]] = []
    reasons: list[str] = []
    remarks: dict[str, None] = {}
    for development, outcomes in _computed(rows, plan, alone, run):
        outcome = outcomes[development.outer.name][arm]
        remarks |= dict.fromkeys(outcome.remarks)
        failures = [one for fit in development.fits if (one := outcomes[fit.name][arm].unavailable) is not None]
        if failures and not found:
            raise OutcomeError(failures[0])
        if failures:
            reasons.append(failures[0])
        else:
            found.append(_predictions(rows, development, outcomes, arm))
    moved, lines = zip(*found, strict=True)
    again = np.stack(moved[1:]).astype(np.float32) if len(moved) > 1 else np.empty((0, len(predicted)), dtype=np.float32)
    return Redevelopments(moved[0], lines[0], again, lines[1:], tuple(reasons), tuple(remarks))


def draw(rows: AnyRows, *, seed: int) -> IntArray:
    """Return the positions of a bootstrap sample of the groups, increasing, with both classes.

    Raises:
        OutcomeError: a hundred samples lacked one class.
    """
    generator = numpy_generator(seed, "draw")
    _, group = np.unique(rows.group, return_inverse=True)
    groups = int(group.max()) + 1
    for _ in range(MOST_TRIES):
        counts = np.bincount(generator.integers(groups, size=groups), minlength=groups)[group]
        if 0 < counts @ rows.event < counts.sum():
            return np.repeat(np.arange(len(rows)), counts)
    raise OutcomeError(
        f"A redevelopment needs rows with and without the event; {MOST_TRIES} draws of {groups} groups lacked one class."
    )


def compared_rows(rows: AnyRows, count: int, *, seed: int) -> IntArray:
    """Return the positions of the patients whose predictions are compared, increasing.

    All of them, or as large a part at natural prevalence as ``count`` models may predict at once, at most `MOST_COMPARED`.
    """
    share = min(CELLS / count, MOST_COMPARED) / len(rows)
    if share >= 1:
        return np.arange(len(rows))
    part = deal_groups(rows.event == 1, np.arange(len(rows)), [share, 1 - share], seed=seed, use="compared rows")
    return np.flatnonzero(part == 0)


def _development(rows: AnyRows, place: int, predicted: IntArray, *, relearn: bool, seed: int) -> Development:
    """Return the development on the original patients at place 0, else on a sample."""
    own = derive(seed, "redevelopment", place)
    drawn = draw(rows, seed=own) if place else np.arange(len(rows))
    name = f"redevelopment-{place}"
    outer = Fit(name, drawn, predicted, own)
    event, group = rows.event[drawn] == 1, rows.group[drawn]
    with_event, _ = groups_by_event(event, group)
    if not relearn or with_event < 2:  # where one group has all events, nothing can be learned from other groups
        return Development(outer, ())
    parts = folds(event, group, n_folds=min(RECALIBRATION_FOLDS, with_event), seed=own)
    parts = parts[: first_enough(np.array([groups_by_event(event[test], group[test]) for _, test in parts]), ENOUGH)]
    inner = [Fit(f"{name}-{i}", drawn[train], drawn[test], derive(own, i)) for i, (train, test) in enumerate(parts)]
    return Development(outer, tuple(inner))


def _computed(rows: AnyRows, plan: Iterator[Development], chain: Chain, run: Run) -> Iterator[tuple[Development, Outcomes]]:
    """Yield each development with its outcomes, computed in batches to bound memory."""
    size, before = max(1, CELLS // (POSITIONS * len(rows))), 0
    while batch := list(islice(plan, size)):
        fits = {fit.name: fit for development in batch for fit in development.fits}
        outcomes = compute_cells(rows, fits, chain, run.part(before))
        before += len(fits)
        yield from ((development, outcomes) for development in batch)


def _predictions(
    rows: AnyRows, development: Development, outcomes: Outcomes, arm: Arm
) -> tuple[FloatArray, Recalibration | None]:
    def moved(fit: Fit) -> FloatArray:
        outcome = outcomes[fit.name][arm]
        return offset(outcome.raw[CLASSIFIER], fitted_share=outcome.fitted_share, share=rows.share(fit.fitted))

    if not development.inner:
        return moved(development.outer), None
    chosen = np.concatenate([fit.predicted for fit in development.inner])
    risk = np.concatenate([moved(fit) for fit in development.inner])
    return moved(development.outer), fit_recalibration(rows.event[chosen], risk, rows.weights[chosen])
