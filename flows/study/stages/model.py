"""The stage model: fit the recommended model."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from flows.study.stages.stage import EVALUATION, SYNTHETIC, Inputs, Stage, read_result, sections, write_result
from mgvae.cohort.files import load_cohort
from mgvae.config.study import CohortConfig
from mgvae.results.evaluation import EvaluationResult
from mgvae.results.recommendation import RECOMMENDATION
from mgvae.results.synthetic import SyntheticSummary


def make(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Fit the recommended model; write it and ``recommendation.json``.

    It is fitted twice: on the training part, as it was evaluated and as later models are compared with it, and on all
    patients, to be used.
    """
    from mgvae.evaluation.deployed_model import fit_deployed, save_deployed
    from mgvae.evaluation.recommendation import barred_arms, recommend

    cohort, test = load_cohort(inputs["split"])
    evaluation = read_result(inputs["evaluate"] / EVALUATION, EvaluationResult)
    gates = read_result(inputs["assess"] / SYNTHETIC, SyntheticSummary).gates
    settings = config.evaluation
    barred = barred_arms(gates, settings.arms)
    chosen = recommend(evaluation, relevant_gain=settings.relevant_gain, barred=barred)
    lines = evaluation.recalibration[chosen.arm][chosen.classifier]
    fit = partial(fit_deployed, config=config, arm=chosen.arm, classifier=chosen.classifier)
    evaluated = fit(cohort.take(~test), recalibration=lines.training)
    refitted = fit(cohort, recalibration=lines.final, refitted=True)
    write_result(folder / RECOMMENDATION, chosen)
    save_deployed(folder, evaluated, cohort, test, refitted=refitted)


READS = sections("subject_id", "group", "index_date", "outcome", "columns", "training", "synthesis", "evaluation")
STAGE = Stage("model", make, needs=("split", "assess", "evaluate"), reads=READS)
