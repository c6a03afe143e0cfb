"""The stage evaluate: compare the arms."""

from __future__ import annotations

from pathlib import Path

from flows.study.stages.stage import EVALUATION, Inputs, Stage, sections, write_result
from mgvae.cohort.files import load_cohort
from mgvae.cohort.split import followed_sides
from mgvae.config.study import CohortConfig


def make(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Compare the arms, cross-validated and on the hold-out.

    Writes ``evaluation.json`` and the predictions behind it.
    """
    from flows.study.executor import open_run
    from mgvae.cohort.rows import rows
    from mgvae.evaluation.evaluate import evaluate as compare
    from mgvae.evaluation.prediction_files import save_predictions

    cohort, test = load_cohort(inputs["split"])
    follow_up = followed_sides(cohort, test)
    parts = cohort.take(~test), cohort.take(test)
    train, held = (rows(part.features, part.event, part.group, part.weight) for part in parts)
    with open_run() as run:
        found, predicted = compare(train, held, config, run=run, follow_up=follow_up)
    write_result(folder / EVALUATION, found)
    save_predictions(folder, predicted.inner, predicted.holdout)


READS = sections("columns", "training", "synthesis", "evaluation")
STAGE = Stage("evaluate", make, needs=("split",), reads=READS)
