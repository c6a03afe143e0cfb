"""The stage model: fit the recommended model on the training part."""

from __future__ import annotations

from pathlib import Path

from flows.study.stages.stage import Inputs, Stage, read_json, sections
from mgvae.cohort.files import load_cohort
from mgvae.config.study import CohortConfig


def make(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Fit the recommended model on the whole training part: its file, its predictions of the hold-out, whom it has seen."""
    from mgvae.evaluation.deployed_model import fit_deployed, save_deployed
    from mgvae.evaluation.recommendation import barred_arms, recommend

    cohort, test = load_cohort(inputs["split"])
    evaluation, gates = read_json(inputs["evaluate"] / "evaluation.json"), read_json(inputs["assess"] / "gates.json")
    settings = config.evaluation
    chosen = recommend(evaluation, margin=settings.margin, barred=barred_arms(gates, settings.arms))
    fitted = fit_deployed(cohort.take(~test), config, arm=chosen["arm"], classifier=chosen["classifier"])
    save_deployed(folder, fitted, cohort, test)


READS = sections("subject_id", "group", "index_date", "outcome", "columns", "training", "synthesis", "evaluation")
STAGE = Stage("model", make, needs=("split", "assess", "evaluate"), reads=READS)
