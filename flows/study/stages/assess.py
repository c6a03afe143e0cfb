"""The stage assess: quality and privacy gates on the synthetic cases."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from flows.study.stages.stage import SYNTHETIC, Inputs, Stage, sections, write_result
from mgvae.cohort.files import load_cohort
from mgvae.cohort.rows import Rows
from mgvae.config.study import CohortConfig
from mgvae.generator.release import load_synthetic
from mgvae.reproducibility import derive
from mgvae.results.synthetic import Repair, SyntheticSummary


def make(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Judge the synthetic cases; write ``synthetic.json``."""
    from mgvae.evaluation.repair_effect import repair_effect
    from validation.checks import synthetic_table
    from validation.checks import validate as check
    from validation.density_map import density_map
    from validation.fidelity import marginals
    from validation.gates import assess

    cohort, test = load_cohort(inputs["split"])
    made = load_synthetic(inputs["synthesise"])
    real = {side: cohort.take(rows) for side, rows in (("train", ~test), ("test", test))}
    majority = {side: part.features[~part.event].reset_index(drop=True) for side, part in real.items()}
    cases = {side: part.features[part.event].reset_index(drop=True) for side, part in real.items()}
    table, unreadable = synthetic_table(made.features, config)
    suite_result = check(table, unreadable, config, scope="synthetic")
    frames = [part[side] for side in ("train", "test") for part in (majority, cases)]
    seed = derive(config.seed, "gates")
    judge = partial(assess, config=config, seed=seed, suite_result=suite_result, rule_record=made.rules)
    gates = judge(made.features, made.parent, *frames)
    repair = None
    if made.repair is not None and made.dropped is not None:
        everything = pd.concat([made.features, made.dropped.features], ignore_index=True)
        parents = np.concatenate([made.parent, made.dropped.parent])
        before = judge(everything, parents, *frames) if len(made.dropped.parent) else gates
        train, held_out = (Rows(part.features, part.event.astype(np.int64), part.group, part.weight) for part in real.values())
        effect = repair_effect(train, held_out, everything, made.features, seed=seed)
        repair = Repair(record=made.repair, gates=tuple(before), effect=effect)
    compared = marginals(majority["train"], cases["train"], made.features, config.columns.features)
    result = SyntheticSummary(
        n=len(made.features),
        remarks=made.remarks,
        repair=repair,
        gates=tuple(gates),
        marginals=tuple(compared),
        map=density_map(majority["train"], cases["train"], made.features),
    )
    write_result(folder / SYNTHETIC, result)


STAGE = Stage("assess", make, needs=("split", "synthesise"), reads=sections("columns", "outcome", "gates"))
