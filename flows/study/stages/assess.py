"""The stage assess: quality and privacy gates on the synthetic cases."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from flows.study.stages.cohort_rows import cohort_rows
from flows.study.stages.encoded import generator_rows, majority_places
from flows.study.stages.stage import SYNTHETIC, Inputs, Stage, sections, with_majority, write_result
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

    made = load_synthetic(inputs["synthesise"])
    with cohort_rows(inputs["split"], folder) as parts:
        drawn = {side: generator_rows(part.event, part.group, config) for side, part in parts.sides.items()}
        places = majority_places(parts.train.event, drawn["train"])
        real = {side: part.take(drawn[side]) for side, part in parts.sides.items()}
    majority = {side: part.features[part.event == 0].reset_index(drop=True) for side, part in real.items()}
    cases = {side: part.features[part.event == 1].reset_index(drop=True) for side, part in real.items()}
    table, unreadable = synthetic_table(made.features, config)
    suite_result = check(table, unreadable, config, scope="synthetic")
    frames = [part[side] for side in ("train", "test") for part in (majority, cases)]
    seed = derive(config.seed, "gates")
    judge = partial(assess, config=config, seed=seed, suite_result=suite_result, rule_record=made.rules)
    gates = judge(made.features, np.searchsorted(places, made.parent), *frames)
    repair = None
    if made.repair is not None and made.dropped is not None:
        everything = pd.concat([made.features, made.dropped.features], ignore_index=True)
        parents = np.concatenate([made.parent, made.dropped.parent])
        before = judge(everything, np.searchsorted(places, parents), *frames) if len(made.dropped.parent) else gates
        effect = repair_effect(real["train"], real["test"], everything, made.features, seed=seed)
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


STAGE = Stage("assess", make, needs=("split", "synthesise"), reads=with_majority(sections("columns", "outcome", "gates")))
