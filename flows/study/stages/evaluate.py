"""The stage evaluate: compare the arms."""

from __future__ import annotations

from pathlib import Path

from flows.study.stages.cohort_rows import cohort_rows
from flows.study.stages.stage import EVALUATION, Inputs, Stage, sections, write_result
from mgvae.cohort.split import followed_sides
from mgvae.config.study import CohortConfig


def make(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Compare the arms, cross-validated and on the hold-out.

    Writes ``evaluation.json`` and the predictions behind it.
    """
    from flows.study.cell_run import open_run
    from mgvae.evaluation.evaluate import evaluate as compare
    from mgvae.evaluation.prediction_files import save_predictions

    with cohort_rows(inputs["split"], folder) as parts, open_run() as run:
        follow_up = followed_sides(parts.cohort, parts.test)
        found, predicted = compare(parts.train, parts.held, config, run=run, follow_up=follow_up)
    write_result(folder / EVALUATION, found)
    save_predictions(folder, predicted.inner, predicted.holdout)


READS = sections("columns", "training", "synthesis", "evaluation")
STAGE = Stage("evaluate", make, needs=("split",), reads=READS)
