"""Compare a new model with the champion's, on patients unknown to the champion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from flows.runs.audit_log import BY_HAND, Change
from flows.runs.earlier_holdouts import earlier_holdouts
from flows.runs.folder import manifest_of
from flows.runs.holdout_use import pseudonyms, use_of
from mgvae.arrays import BoolArray, FloatArray, IntArray
from mgvae.classifiers.deployed import DeployedModel
from mgvae.cohort.build import Cohort
from mgvae.cohort.files import load_cohort
from mgvae.cohort.split import is_temporal
from mgvae.config.study import CohortConfig
from mgvae.errors import CheckpointError, OutcomeError, StoreError
from mgvae.evaluation.bootstrap import Resamples, resamples
from mgvae.evaluation.deployed_model import EVALUATED, PREDICTIONS, judged_holdout, load_deployed, met_before, seen_in_training
from mgvae.evaluation.holdout_pool import Pooled, enough, pool_holdouts
from mgvae.evaluation.promotion import (
    MEASURES,
    Judgement,
    Performance,
    above_chance,
    change_of,
    compare_models,
    floor_of,
    judge,
    performance,
    with_rule,
)
from mgvae.reproducibility import derive
from mgvae.results.findings import Finding
from mgvae.results.numbers import FEW_EVENTS
from mgvae.results.promotion import Outcome, PromotionComparison
from mgvae.results.recommendation import RECOMMENDATION, Recommendation
from mgvae.store.artifact import MANIFEST, Reference, digest_file
from mgvae.store.open import AnyStore

CANNOT_JUDGE, MUTED = "Cannot judge. ", " Muted findings: "  # how a reason begins, and goes on


@dataclass(frozen=True)
class Candidate:
    """A run that might become champion: its name, its status, its digests and that of its extract."""

    run_id: str
    status: str
    sha256: Mapping[str, str | None]
    extract: str | None = None

    @classmethod
    def of(cls, folder: Path) -> Candidate:
        """Return the run in a run folder."""
        manifest = manifest_of(folder)
        digests: dict[str, str | None] = {name: digest_file(folder / name) for name in (MANIFEST, "report.json")}
        model = manifest.lineage.artifacts.get("model")
        return cls(folder.name, manifest.standing, {**digests, "model": model}, manifest.lineage.extract_sha256)


@dataclass(frozen=True)
class Comparison:
    """What came of it.

    Attributes:
        outcome: what `mgvae.evaluation.promotion.rule` says.
        reason: why, or why nobody can tell.
        comparison: the numbers; None where there are none.
        broken: whether the champion's model cannot be used, so that a person must see to it.
        finding: what a person must see to otherwise.
        judges: hashes of the patients who judged.
    """

    outcome: Outcome
    reason: str
    comparison: Mapping[str, Any] | None = None
    broken: bool = False
    finding: Finding | None = None
    judges: IntArray = field(default_factory=lambda: np.array([], dtype=np.int64))


@dataclass(frozen=True)
class History:
    """What the champions before left behind.

    Attributes:
        study: folder of the study's runs.
        changes: its audit log.
        extract: digest of the extract of the run that is considered; None where it is not known.
    """

    study: Path
    changes: Sequence[Change]
    extract: str | None = None

    @property
    def lost(self) -> dict[str, float]:
        """By measure, the sum of the differences from champion to champion since a clear gain or a person's choice."""
        lost: dict[str, float] = dict.fromkeys(MEASURES, 0.0)
        for change in reversed([one for one in self.changes if one.action in ("promoted", "rolled_back")]):
            found = change.comparison or {}
            if change.rule == BY_HAND or change.previous is None or found.get("gained"):
                break
            for name in MEASURES:
                lost[name] += (found.get(name) or {}).get("value") or 0.0
        return lost


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
    config: CohortConfig, store: AnyStore, champion: str | None, folders: Mapping[str, Path], history: History
) -> Comparison:
    """Return how the challenger compares with the champion.

    Args:
        config: the challenger's study: rule, resamples, seed.
        store: where the champion's model lies.
        champion: digest of the artifact that holds it.
        folders: the challenger's artifacts ``split`` and ``model``; ``drift`` too where it was judged.
        history: of the study.
    Raises:
        CheckpointError: the challenger's own model cannot be read.
    """
    challenger = load_deployed(folders["model"], EVALUATED)
    try:
        place = store.folder(Reference("model", str(champion)))
        serving = load_deployed(place, EVALUATED)
        cohort, test = load_cohort(folders["split"])
        named = config.subject_id is not None
        known, met = (found(place, cohort, named=named) for found in (seen_in_training, met_before))
    except (StoreError, CheckpointError) as error:
        return Comparison("kept", f"Cannot compare: the champion's model cannot be used. {error}", broken=True)
    obstacle = serving.obstacle(challenger)
    if obstacle is not None:
        return Comparison("kept", f"Cannot compare with the champion's model: {obstacle}.", broken=True)
    unfit = unfit_to_serve(folders)
    if unfit is not None:
        return Comparison("kept", unfit)
    earlier, alone = earlier_holdouts(config, store, history.study, history.extract, folders)

    def trained_on(people: Cohort) -> BoolArray:
        return np.logical_or(*(seen_in_training(at, people, named=True) for at in (place, folders["model"])))

    pool = replace(pool_holdouts(cohort.take(test), known[test], earlier, trained_on), alone=alone)
    judges = pool.judges
    if not enough(len(judges), judges.events):
        return Comparison(
            "kept",
            f"Cannot tell: of {len(judges) + pool.left_out:,} patients in the hold-out, {len(judges):,} with "
            f"{judges.events:,} events are none that the champion was trained on; at least {FEW_EVENTS} events are needed.",
        )
    new_patients, temporal = float(1 - met[~test].mean()), is_temporal(cohort, test)
    models = (serving, challenger)
    return _compared(config, pool, models, place, history, new_patients=new_patients, temporal=temporal)


def _compared(
    config: CohortConfig,
    pool: Pooled,
    models: Sequence[DeployedModel],
    place: Path,
    history: History,
    *,
    new_patients: float,
    temporal: bool,
) -> Comparison:
    """Return what the rule says of champion and challenger, ``models``, on patients who suffice to judge them."""
    judges, numbers = pool.judges, config.promotion
    event = judges.event.astype(int)
    old, recent = (model.predict(judges.features) for model in models)
    at = pool.newest if enough(pool.newest, pool.counts.newest_events) else len(judges)  # today's patients, where they can tell
    try:
        then = _promoted_performance(place, config)
        now = performance(_plan(config, event[:at], judges.group[:at], judges.weights[:at]), old[:at])
        plan = _plan(config, event, judges.group, judges.weights)
        new = performance(plan, recent)
        found = compare_models(plan, champion=old, challenger=recent)
    except (OutcomeError, CheckpointError) as error:
        return Comparison("kept", f"Cannot tell: {error}")
    names = pseudonyms(judges.subject.astype(str).tolist(), config.study)
    complete = with_rule(
        found,
        numbers,
        left_out=pool.left_out,
        floor=floor_of(new, numbers.level),
        change=change_of(then, now, numbers.level),
        new_patients=new_patients,
        lost_before=history.lost,
        use=use_of(history.study, names, window=config.split.window),
        pool=pool.counts,
    )
    judged = judge(complete, numbers)
    if judged.outcome == "promoted" and not temporal:
        complete = _moved_on(complete, config)
    return Comparison(judged.outcome, judged.reason, complete.model_dump(mode="json"), finding=judged.finding, judges=names)


def first_judgement(config: CohortConfig, folders: Mapping[str, Path]) -> Judgement | None:
    """Return that a study's first model is not clearly above chance; None if it is, or its hold-out has few events.

    Raises:
        CheckpointError: its predictions cannot be read.
    """
    if _own_holdout(folders["model"])["event"].sum() < FEW_EVENTS:
        return None
    found = _promoted_performance(folders["model"], config)
    return above_chance(floor_of(found, config.promotion.level), "on its hold-out")


def with_muted(reason: str, config: CohortConfig) -> str:
    """Return the reason, and why findings of the run are muted, if some may be."""
    muted = "; ".join(f"{code}, {why}" for code, why in sorted(config.findings.mute.items()))
    return f"{reason}{MUTED}{muted}." if muted else reason


def _promoted_performance(place: Path, config: CohortConfig) -> Performance:
    """Return how well a model predicted its own hold-out.

    Raises:
        CheckpointError: the predictions cannot be read.
        OutcomeError: draws lack one class again and again.
    """
    table = _own_holdout(place)
    alone = pd.Series([f"/{row}" for row in range(len(table))], index=table.index)
    group, _ = pd.factorize(table["group"].fillna(alone))
    event, risk, weight = (table[name].to_numpy() for name in ("event", "probability", "weight"))
    return performance(_plan(config, event.astype(int), group, weight), risk.astype(float))


def _own_holdout(place: Path) -> pd.DataFrame:
    try:
        return judged_holdout(place / PREDICTIONS)
    except (OSError, ValueError, LookupError) as error:
        raise CheckpointError(f"A model must have a readable {PREDICTIONS}; {type(error).__name__}.") from None


def _plan(config: CohortConfig, event: IntArray, group: IntArray, weight: FloatArray) -> Resamples:
    """Return the resamples of patients who judge."""
    seed = derive(config.seed, "bootstrap", "champion")
    return resamples(event, group, n=config.evaluation.bootstrap, seed=seed, weight=weight)


def _moved_on(found: PromotionComparison, config: CohortConfig) -> PromotionComparison:
    """Return the comparison with the next hold-out, if its patients have judged often enough."""
    use = found.use
    if use is None or use.median < config.promotion.most_nights:
        return found
    return found.model_copy(update={"use": use.model_copy(update={"next_window": use.window + 1})})
