"""The stage instability: redevelop the compared arms on bootstrap samples."""

from __future__ import annotations

from pathlib import Path

from flows.study.stages.cohort_rows import cohort_rows
from flows.study.stages.stage import (
    EVALUATION,
    INSTABILITY,
    Inputs,
    Stage,
    read_result,
    sections,
    write_result,
)
from mgvae.config.study import CohortConfig
from mgvae.results.evaluation import EvaluationResult
from mgvae.results.recommendation import RECOMMENDATION, Recommendation


def make(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Measure how far redeveloped models disagree: ``instability.json``."""
    from flows.study.cell_run import open_run
    from mgvae.classifiers.recalibration import Recalibration
    from mgvae.evaluation.instability import measure_instability
    from mgvae.evaluation.redevelopment import CLASSIFIER

    learned = read_result(inputs["evaluate"] / EVALUATION, EvaluationResult).recalibration
    lines = {
        arm: Recalibration(by[CLASSIFIER].training.intercept, by[CLASSIFIER].training.slope)
        for arm, by in learned.items()
        if CLASSIFIER in by
    }
    chosen = read_result(inputs["model"] / RECOMMENDATION, Recommendation)
    with cohort_rows(inputs["split"], folder) as parts, open_run() as run:
        found = measure_instability(parts.train, config, recommended=chosen.arm, lines=lines, run=run)
    write_result(folder / INSTABILITY, found)


READS = sections("columns", "training", "synthesis", "evaluation", "instability")
STAGE = Stage("instability", make, needs=("split", "evaluate", "model"), reads=READS)
