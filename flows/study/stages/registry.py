"""All stages of a study, in the order in which they run."""

from __future__ import annotations

from flows.study.stages import (
    assess,
    drift,
    encode,
    evaluate,
    explain,
    finetune,
    instability,
    learning_curve,
    model,
    pretrain,
    split,
    subgroups,
    synthesise,
    validate,
)
from flows.study.stages.stage import Stage

VALIDATE: Stage = validate.STAGE
DRIFT: Stage = drift.STAGE  # runs where an earlier extract was accepted
ON_VALID_EXTRACT: tuple[Stage, ...] = (
    split.STAGE,
    encode.STAGE,
    pretrain.STAGE,
    finetune.STAGE,
    synthesise.STAGE,
    assess.STAGE,
    evaluate.STAGE,
    model.STAGE,
    explain.STAGE,
    instability.STAGE,
    learning_curve.STAGE,
    subgroups.STAGE,
)
# what runs beside a stage that fills all cores with its cells: stages of one process, in their order
BESIDE: dict[str, tuple[Stage, ...]] = {
    "evaluate": (pretrain.STAGE, finetune.STAGE, synthesise.STAGE, assess.STAGE),
    "instability": (explain.STAGE, subgroups.STAGE),
}
STAGES: tuple[Stage, ...] = (VALIDATE, *ON_VALID_EXTRACT)
