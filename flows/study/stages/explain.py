"""The stage explain: what the recommended model uses, and what synthetic cases changed."""

from __future__ import annotations

from pathlib import Path

from flows.progress import reporter
from flows.study.stages.stage import EXPLANATIONS, Inputs, Stage, read_result, sections, write_result
from mgvae.cohort.files import load_cohort
from mgvae.config.study import CohortConfig
from mgvae.results.recommendation import RECOMMENDATION, Recommendation


def make(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Explain models on held-out rows; write aggregates alone: ``explanations.json``."""
    from mgvae.cohort.rows import rows
    from mgvae.cohort.subgroups import cut_points, subgroups_of
    from mgvae.evaluation.deployed_model import EVALUATED, load_deployed
    from mgvae.explanation.explain import explain
    from mgvae.generator.release import load_synthetic
    from mgvae.torch_runtime import one_thread

    cohort, test = load_cohort(inputs["split"])
    parts = cohort.take(~test), cohort.take(test)
    cuts = cut_points(parts[0], config)
    train, held = (rows(part.features, part.event, part.group) for part in parts)
    own, others = (subgroups_of(part, config, cuts) for part in parts)
    chosen = read_result(inputs["model"] / RECOMMENDATION, Recommendation)
    made, evaluated = load_synthetic(inputs["synthesise"]), load_deployed(inputs["model"], EVALUATED)
    fitted = {chosen.arm: evaluated.scorer}
    with one_thread():
        found = explain(train, held, (own, others), config, chosen, made, fitted=fitted, on_done=_report_model)
    write_result(folder / EXPLANATIONS, found)


def _report_model(done: int, total: int) -> None:
    reporter().advanced(done, total, f"model {done} of {total}")


READS = sections("group", "columns", "training", "synthesis", "evaluation")
STAGE = Stage("explain", make, needs=("split", "synthesise", "model"), reads=READS)
