"""Kinds of arms, and which are redeveloped with how many cells: what the plan of a study needs, which imports no torch."""

from __future__ import annotations

from mgvae.config.sections import Arm
from mgvae.config.study import CohortConfig

SAME_FIT: dict[Arm, Arm] = {"threshold": "none"}  # arms that differ from another one in the decision threshold alone
GENERATIVE: tuple[Arm, ...] = ("vae", "mgvae_no_pretraining", "mgvae_no_ewc", "mgvae")
RECALIBRATION_FOLDS = 4  # of each redeveloped sample


def compared_arms(config: CohortConfig, recommended: Arm) -> tuple[Arm, ...]:
    """Return the arms to redevelop, ``none`` first."""
    settings, evaluated = config.instability, config.evaluation.arms
    asked = settings.arms or ("none", SAME_FIT.get(recommended, recommended), "mgvae")
    arms = [arm for arm in evaluated if arm in asked and (settings.generated or arm not in GENERATIVE)]
    return tuple(dict.fromkeys(("none", *arms)))


def cells_of(count: int, *, relearn: bool) -> int:
    """Return the cells of ``count`` redevelopments at most; fewer where the events of a sample lie in few groups."""
    return (count + 1) * (1 + RECALIBRATION_FOLDS * relearn)
