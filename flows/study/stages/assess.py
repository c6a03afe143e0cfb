"""The stage assess: quality and privacy gates on the synthetic cases."""

from __future__ import annotations

from pathlib import Path

from flows.study.stages.stage import SYNTHETIC, Inputs, Stage, sections, write_result
from mgvae.cohort.files import load_cohort
from mgvae.config.study import CohortConfig
from mgvae.generator.release import load_synthetic
from mgvae.reproducibility import derive
from mgvae.results.synthetic import SyntheticSummary


def make(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Judge the synthetic cases; write ``synthetic.json``."""
    from validation.checks import synthetic_table
    from validation.checks import validate as check
    from validation.fidelity import marginals
    from validation.gates import assess

    cohort, test = load_cohort(inputs["split"])
    made = load_synthetic(inputs["synthesise"])
    real = {side: cohort.take(rows) for side, rows in (("train", ~test), ("test", test))}
    majority = {side: part.features[~part.event].reset_index(drop=True) for side, part in real.items()}
    cases = {side: part.features[part.event].reset_index(drop=True) for side, part in real.items()}
    table, unreadable = synthetic_table(made.features, config)
    suite_result = check(table, unreadable, config, scope="synthetic")
    frames = (part[side] for side in ("train", "test") for part in (majority, cases))
    seed = derive(config.seed, "gates")
    gates = assess(
        made.features, made.parent, *frames, config=config, seed=seed, suite_result=suite_result, rule_record=made.rules
    )
    compared = marginals(majority["train"], cases["train"], made.features, config.columns.features)
    result = SyntheticSummary(n=len(made.features), remarks=made.remarks, gates=tuple(gates), marginals=tuple(compared))
    write_result(folder / SYNTHETIC, result)


STAGE = Stage("assess", make, needs=("split", "synthesise"), reads=sections("columns", "outcome", "gates"))
