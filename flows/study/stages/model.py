"""The stage model: fit the recommended model on the training part."""

from __future__ import annotations

from pathlib import Path

from flows.study.stages.stage import EVALUATION, RECOMMENDATION, SYNTHETIC, Inputs, Stage, read_result, sections, write_result
from mgvae.cohort.files import load_cohort
from mgvae.config.study import CohortConfig
from mgvae.results.evaluation import EvaluationResult
from mgvae.results.synthetic import SyntheticSummary


def make(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Fit the recommended model; write it and ``recommendation.json``."""
    from mgvae.evaluation.deployed_model import fit_deployed, save_deployed
    from mgvae.evaluation.recommendation import barred_arms, recommend

    cohort, test = load_cohort(inputs["split"])
    evaluation = read_result(inputs["evaluate"] / EVALUATION, EvaluationResult)
    gates = read_result(inputs["assess"] / SYNTHETIC, SyntheticSummary).gates
    settings = config.evaluation
    chosen = recommend(evaluation, margin=settings.margin, barred=barred_arms(gates, settings.arms))
    fitted = fit_deployed(cohort.take(~test), config, arm=chosen.arm, classifier=chosen.classifier)
    write_result(folder / RECOMMENDATION, chosen)
    save_deployed(folder, fitted, cohort, test)


READS = sections("subject_id", "group", "index_date", "outcome", "columns", "training", "synthesis", "evaluation")
STAGE = Stage("model", make, needs=("split", "assess", "evaluate"), reads=READS)
