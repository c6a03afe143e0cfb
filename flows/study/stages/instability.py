"""The stage instability: redevelop the compared arms on bootstrap samples."""

from __future__ import annotations

from pathlib import Path

from flows.progress import reporter
from flows.study.kept_cells import kept_cells
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
    from flows.study.executor import open_executor
    from mgvae.classifiers.recalibration import Recalibration
    from mgvae.cohort.rows import rows
    from mgvae.evaluation.cells import Run
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
    with open_executor() as executor:
        found = measure_instability(
            rows(part.features, part.event, part.group),
            config,
            recommended=chosen.arm,
            lines=lines,
            run=Run(executor, _report_cell, kept_cells()),
        )
    write_result(folder / INSTABILITY, found)


def _report_cell(done: int, total: int) -> None:
    reporter().advanced(done, total, f"fit {done} of {total}")


READS = sections("columns", "training", "synthesis", "evaluation", "instability")
STAGE = Stage("instability", make, needs=("split", "evaluate", "model"), reads=READS)
