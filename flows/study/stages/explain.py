"""The stage explain: what the recommended model uses, and what synthetic cases changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from flows.progress import reporter
from flows.study.stages.cohort_rows import cohort_rows
from flows.study.stages.stage import EXPLANATIONS, Inputs, Stage, read_result, sections, write_result
from mgvae.config.study import CohortConfig
from mgvae.results.recommendation import RECOMMENDATION, Recommendation


def make(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Explain models on held-out rows; write aggregates alone: ``explanations.json``."""
    from mgvae.cohort.subgroups import cut_points, subgroups_of
    from mgvae.evaluation.deployed_model import EVALUATED, load_deployed
    from mgvae.explanation.explain import explain
    from mgvae.generator.release import load_synthetic
    from mgvae.threads import one_thread

    chosen = read_result(inputs["model"] / RECOMMENDATION, Recommendation)
    made, evaluated = load_synthetic(inputs["synthesise"]), load_deployed(inputs["model"], EVALUATED)
    fitted = {chosen.arm: evaluated.scorer}
    with cohort_rows(inputs["split"], folder) as parts, one_thread():
        sides = parts.cohort.take(~parts.test), parts.cohort.take(parts.test)
        cuts = cut_points(sides[0], config)
        groups = subgroups_of(sides[0], config, cuts), subgroups_of(sides[1], config, cuts)
        train, held = replace(parts.train, weight=None), replace(parts.held, weight=None)
        found = explain(train, held, groups, config, chosen, made, fitted=fitted, on_done=_report_model)
    write_result(folder / EXPLANATIONS, found)


def _report_model(done: int, total: int) -> None:
    reporter().advanced(done, total, f"model {done} of {total}")


READS = sections("group", "columns", "training", "synthesis", "evaluation")
STAGE = Stage("explain", make, needs=("split", "synthesise", "model"), reads=READS)
