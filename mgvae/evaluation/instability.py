"""Redevelop the compared arms and summarise how far their models disagree.

A model that was developed on other patients of the same kind would predict otherwise. How far, is seen by repeating its whole
development on bootstrap samples and predicting the original patients.

Source: Riley and Collins 2023, doi 10.1002/bimj.202200302.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from mgvae.arrays import FloatArray, IntArray
from mgvae.classifiers.recalibration import Recalibration
from mgvae.cohort.rows import Labelled
from mgvae.cohort.stored_rows import AnyRows
from mgvae.config.sections import Arm
from mgvae.config.study import CohortConfig
from mgvae.errors import DataError, TrainingError
from mgvae.evaluation.arm_kinds import GENERATIVE, cells_of, compared_arms
from mgvae.evaluation.cells import HERE, Run
from mgvae.evaluation.evaluate import chain_of
from mgvae.evaluation.measures import instability as measures
from mgvae.evaluation.redevelopment import CLASSIFIER, Redevelopments, compared_rows, redevelop
from mgvae.reproducibility import derive
from mgvae.results.instability import ArmInstability, InstabilityResult, Recalibrated

FEWEST = 2  # redeveloped models of which something can be said
KEPT = (
    "Models of arms with a generator keep the recalibration of the original model: to learn it again would train the generator "
    "five times as often. Compare them with no correction where its recalibration is kept, too."
)
UNCALIBRATED = (
    "The evaluation has no logistic regression, so models of arms with a generator are moved back to the prevalence, but not "
    "recalibrated."
)


def measure_instability(
    train: AnyRows, config: CohortConfig, *, recommended: Arm, lines: Mapping[Arm, Recalibration], run: Run = HERE
) -> InstabilityResult:
    """Return how far redeveloped models of the compared arms disagree.

    The classifier is the logistic regression. Decisions are cut at the prevalence of the training part, as in the evaluation.

    Args:
        train: the training part; its groups are drawn whole.
        config: the study.
        recommended: the recommended arm.
        lines: by arm the recalibration of the logistic regression fitted on ``train``; arms with a generator keep it.
        run: how the cells are computed. The numbers do not depend on it.
    Raises:
        OutcomeError: no bootstrap sample has both classes.
    """
    arms, seed = compared_arms(config, recommended), derive(config.seed, "instability")
    predicted = compared_rows(train, max(_count(arm, config) for arm in arms), seed=seed)
    observed, threshold = train.labels.take(predicted), train.prevalence
    results: list[ArmInstability] = []
    unavailable: dict[Arm, str] = {}
    remarks: list[str] = []
    for arm, part in _parts(arms, config, run):
        found = _redeveloped(train, config, arm, predicted, seed, part)
        if isinstance(found, str):
            unavailable[arm] = found
            continue
        remarks += [*found.remarks, *_remarks(arm, lines)]
        for kind in _kinds(arm, arms):
            original, again = _final(found, lines.get(arm, Recalibration()) if kind == "kept" else None)
            results.append(_summary(arm, kind, len(found.reasons), observed, original, again, threshold))
    return InstabilityResult(
        classifier=CLASSIFIER,
        n=len(predicted),
        events=int(observed.event.sum()),
        prevalence=train.prevalence,
        threshold=threshold,
        arms=tuple(results),
        unavailable=unavailable,
        remarks=tuple(dict.fromkeys(remarks)),
    )


def _count(arm: Arm, config: CohortConfig) -> int:
    return config.instability.generated if arm in GENERATIVE else config.instability.redevelopments


def _parts(arms: Sequence[Arm], config: CohortConfig, run: Run) -> Iterator[tuple[Arm, Run]]:
    """Yield each arm and how its part of the run is computed."""
    cells = {arm: cells_of(_count(arm, config), relearn=arm not in GENERATIVE) for arm in arms}
    before, total = 0, sum(cells.values())
    for arm in arms:
        yield arm, run.part(before, total)
        before += cells[arm]


def _redeveloped(
    train: AnyRows, config: CohortConfig, arm: Arm, predicted: IntArray, seed: int, run: Run
) -> Redevelopments | str:
    """Return the redeveloped models of an arm, or why there are none."""
    count, relearn = _count(arm, config), arm not in GENERATIVE
    try:
        found = redevelop(train, chain_of(config), arm, count=count, predicted=predicted, relearn=relearn, seed=seed, run=run)
    except (DataError, TrainingError) as error:
        if arm == "none":
            raise
        return str(error)
    return found if len(found.moved) >= FEWEST else found.reasons[0]


def _kinds(arm: Arm, arms: Sequence[Arm]) -> tuple[Recalibrated, ...]:
    """Return how an arm is shown: ``none`` in both ways where another arm keeps its recalibration."""
    if arm in GENERATIVE:
        return ("kept",)
    return ("learned", "kept") if arm == "none" and any(other in GENERATIVE for other in arms) else ("learned",)


def _remarks(arm: Arm, lines: Mapping[Arm, Recalibration]) -> tuple[str, ...]:
    if arm not in GENERATIVE:
        return ()
    return (KEPT,) if arm in lines else (KEPT, UNCALIBRATED)


def _final(found: Redevelopments, kept: Recalibration | None) -> tuple[FloatArray, measures.Redeveloped]:
    """Return the final predictions of the original and the redeveloped models.

    Args:
        found: the models.
        kept: the recalibration of all of them; None: each has its own.
    """
    if kept is not None:
        return kept(found.original), measures.recalibrated(found.moved, [kept] * len(found.moved))
    own = [line or Recalibration() for line in found.lines]
    return (found.line or Recalibration())(found.original), measures.recalibrated(found.moved, own)


def _summary(
    arm: Arm,
    kind: Recalibrated,
    failed: int,
    observed: Labelled,
    original: FloatArray,
    again: measures.Redeveloped,
    threshold: float,
) -> ArmInstability:
    errors = measures.prediction_errors(original, again).mean(axis=1)
    changed = measures.changed_decisions(original, again, threshold).mean(axis=1)
    slopes = measures.slopes(observed.event, again, observed.weights)
    return ArmInstability(
        arm=arm,
        recalibration=kind,
        redevelopments=len(again),
        failed=failed,
        mape=measures.redeveloped_limits(errors, centre=float(errors.mean())),
        changed=measures.redeveloped_limits(changed, centre=float(changed.mean())),
        slope=measures.redeveloped_limits(slopes, centre=_median(slopes)),
        bands=measures.risk_bands(original, again, threshold),
        curves=measures.redeveloped_curves(observed.event, again, observed.weights),
    )


def _median(values: FloatArray) -> float:
    defined = values[np.isfinite(values)]
    return float(np.median(defined)) if len(defined) else float("nan")
