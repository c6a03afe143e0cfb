"""The stage learning_curve: performance against training events, and sample size."""

from __future__ import annotations

from pathlib import Path

from flows.study.stages.cohort_rows import cohort_rows
from flows.study.stages.stage import (
    EVALUATION,
    LEARNING_CURVE,
    Inputs,
    Stage,
    read_result,
    sections,
    write_result,
)
from mgvae.cohort.split import followed_sides
from mgvae.config.study import CohortConfig
from mgvae.results.evaluation import EvaluationResult, ModelName
from mgvae.results.recommendation import RECOMMENDATION, Recommendation


def make(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Measure performance with fewer events: ``learning_curve.json``."""
    from flows.study.cell_run import open_run
    from mgvae.evaluation.learning_curve import learning_curve

    evaluation = read_result(inputs["evaluate"] / EVALUATION, EvaluationResult)
    chosen = read_result(inputs["model"] / RECOMMENDATION, Recommendation)
    with cohort_rows(inputs["split"], folder) as parts, open_run() as run:
        found = learning_curve(
            parts.train,
            config,
            reference=evaluation.contrasts.reference,
            recommended=ModelName(arm=chosen.arm, classifier=chosen.classifier),
            plain=evaluation.arms["none"],
            run=run,
            follow_up=followed_sides(parts.cohort, parts.test)[0],
        )
    write_result(folder / LEARNING_CURVE, found)


READS = sections("columns", "training", "synthesis", "evaluation", "learning_curve")
STAGE = Stage("learning_curve", make, needs=("split", "evaluate", "model"), reads=READS)
