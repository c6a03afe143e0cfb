"""Compare a new model with the champion's, on patients unknown to the champion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgvae.cohort.build import FEW_EVENTS
from mgvae.cohort.files import load_cohort
from mgvae.config.study import CohortConfig
from mgvae.errors import CheckpointError, OutcomeError, StoreError
from mgvae.evaluation.deployed_model import EVALUATED, load_deployed, seen_in_training
from mgvae.evaluation.promotion import compare_models, verdict
from mgvae.reproducibility import derive
from mgvae.results.promotion import PromotionComparison
from mgvae.results.recommendation import RECOMMENDATION, Recommendation
from mgvae.store.artifact import Reference
from mgvae.store.open import AnyStore


@dataclass(frozen=True)
class Comparison:
    """What came of it.

    Attributes:
        promoted: whether the challenger takes the champion's place by `mgvae.evaluation.promotion.rule`.
        reason: why, or why nobody can tell.
        comparison: the numbers; None where there are none.
        broken: whether the champion's model cannot be used, so that a person must see to it.
    """

    promoted: bool
    reason: str
    comparison: Mapping[str, Any] | None = None
    broken: bool = False


def unfit_to_serve(folders: Mapping[str, Path]) -> str | None:
    """Return why a run's model must not serve, if so.

    It cannot predict once it is saved, or its report recommends to deploy none.

    Raises:
        CheckpointError: the model cannot be read.
    """
    file = folders["model"] / RECOMMENDATION
    if file.exists() and Recommendation.model_validate_json(file.read_bytes()).answer == "deploy_none":
        return "It must not serve: no model of its study predicts the outcome better than its prevalence."
    model = load_deployed(folders["model"], EVALUATED)
    reason = model.obstacle(model)
    return None if reason is None else f"It cannot serve: {reason}."


def compare_with_champion(
    config: CohortConfig, store: AnyStore, champion: str | None, folders: Mapping[str, Path]
) -> Comparison:
    """Return how the challenger compares with the champion.

    Args:
        config: the challenger's study: margin, resamples, seed.
        store: where the champion's model lies.
        champion: digest of the artifact that holds it.
        folders: the challenger's artifacts ``split`` and ``model``.
    Raises:
        CheckpointError: the challenger's own model cannot be read.
    """
    challenger = load_deployed(folders["model"], EVALUATED)
    try:
        place = store.folder(Reference("model", str(champion)))
        serving = load_deployed(place, EVALUATED)
        cohort, test = load_cohort(folders["split"])
        holdout = cohort.take(test)
        seen = seen_in_training(place, holdout, named=config.subject_id is not None)
    except (StoreError, CheckpointError) as error:
        return Comparison(False, f"Cannot compare: the champion's model cannot be used. {error}", broken=True)
    obstacle = serving.obstacle(challenger)
    if obstacle is not None:
        return Comparison(False, f"Cannot compare with the champion's model: {obstacle}.", broken=True)
    unfit = unfit_to_serve(folders)
    if unfit is not None:
        return Comparison(False, unfit)
    judges = holdout.take(~seen)
    if judges.events < FEW_EVENTS or judges.events == len(judges):
        return Comparison(
            False,
            f"Cannot tell: of {len(holdout):,} patients in the hold-out, {len(judges):,} with {judges.events:,} events are "
            f"none that the champion was trained on; at least {FEW_EVENTS} events are needed.",
        )
    try:
        found = compare_models(
            judges.event.astype(int),
            judges.group,
            champion=serving.predict(judges.features),
            challenger=challenger.predict(judges.features),
            n=config.evaluation.bootstrap,
            seed=derive(config.seed, "bootstrap", "champion"),
        )
    except OutcomeError as error:
        return Comparison(False, f"Cannot tell: {error}")
    margin = config.evaluation.margin
    promoted, reason = verdict(found, margin)
    comparison = PromotionComparison(**dict(found), left_out=int(seen.sum()), margin=margin)
    return Comparison(promoted, reason, comparison.model_dump(mode="json"))
