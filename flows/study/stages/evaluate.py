"""The stage evaluate: compare the arms."""

from __future__ import annotations

from pathlib import Path

from flows.progress import reporter
from flows.study.stages.stage import EVALUATION, Inputs, Stage, sections, write_result
from mgvae.cohort.files import load_cohort
from mgvae.config.study import CohortConfig


def make(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Compare the arms, cross-validated and on the hold-out: ``evaluation.json``."""
    from flows.study.executor import open_executor
    from mgvae.cohort.rows import rows
    from mgvae.evaluation.evaluate import evaluate as compare

    cohort, test = load_cohort(inputs["split"])
    train, held = (rows(part.features, part.event, part.group) for part in (cohort.take(~test), cohort.take(test)))
    with open_executor() as executor:
        found = compare(train, held, config, executor=executor, on_done=_report_split)
    write_result(folder / EVALUATION, found)


def _report_split(done: int, total: int) -> None:
    reporter().advanced(done, total, f"split {done} of {total}")


READS = sections("columns", "training", "synthesis", "evaluation")
STAGE = Stage("evaluate", make, needs=("split",), reads=READS)
