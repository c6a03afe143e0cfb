"""The stage instability: redevelop the compared arms on bootstrap samples."""

from __future__ import annotations

from pathlib import Path

from flows.study.stages.stage import (
    EVALUATION,
    INSTABILITY,
    Inputs,
    Stage,
    read_result,
    sections,
    write_result,
)
from mgvae.cohort.files import load_cohort
from mgvae.config.study import CohortConfig
from mgvae.results.evaluation import EvaluationResult
from mgvae.results.recommendation import RECOMMENDATION, Recommendation


def make(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Measure how far redeveloped models disagree: ``instability.json``."""
    from flows.study.executor import open_run
    from mgvae.classifiers.recalibration import Recalibration
    from mgvae.cohort.rows import rows
    from mgvae.evaluation.instability import measure_instability
    from mgvae.evaluation.redevelopment import CLASSIFIER

    cohort, test = load_cohort(inputs["split"])
    part = cohort.take(~test)
    learned = read_result(inputs["evaluate"] / EVALUATION, EvaluationResult).recalibration
    lines = {
        arm: Recalibration(by[CLASSIFIER].training.intercept, by[CLASSIFIER].training.slope)
        for arm, by in learned.items()
        if CLASSIFIER in by
    }
    chosen = read_result(inputs["model"] / RECOMMENDATION, Recommendation)
    with open_run() as run:
        found = measure_instability(
            rows(part.features, part.event, part.group, part.weight),
            config,
            recommended=chosen.arm,
            lines=lines,
            run=run,
        )
    write_result(folder / INSTABILITY, found)


READS = sections("columns", "training", "synthesis", "evaluation", "instability")
STAGE = Stage("instability", make, needs=("split", "evaluate", "model"), reads=READS)
