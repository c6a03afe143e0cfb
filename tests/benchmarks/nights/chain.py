"""The nights of one study: drift against the last accepted extract, a new model, the champion's rule."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from mgvae.cohort.build import Cohort, build_cohort
from mgvae.cohort.split import holdout
from mgvae.evaluation.bootstrap import resamples
from mgvae.evaluation.promotion import (
    MEASURES,
    Performance,
    change_of,
    compare_models,
    floor_of,
    judge,
    performance,
    with_rule,
)
from mgvae.results.drift import ExtractProfile
from mgvae.results.promotion import HoldoutUse
from tests.benchmarks.nights.world import Fault, World, study
from validation.drift import Table, drift
from validation.joint_drift import newcomers
from validation.slow_drift import profile, slow_gates

CONFIG = study()


@dataclass
class NightRecord:
    """What was said and done on a night.

    Attributes:
        night: its number.
        said: gates that did not pass, and codes of findings.
        action: refused, promoted, kept or cannot_judge.
        truth: AUROC of the new model for all patients as they truly are.
    """

    night: int
    said: list[str]
    action: str
    truth: float


@dataclass
class Model:
    """A fitted model: whom it was trained on, whom its extract had, and how it did on its own hold-out."""

    pipeline: Pipeline
    known: set[str]
    met: set[str]
    then: Performance

    def predict(self, features: pd.DataFrame) -> np.ndarray:
        """Return risks."""
        return self.pipeline.predict_proba(numbers(features))[:, 1]


@dataclass
class State:
    """What a night leaves to the next."""

    accepted: pd.DataFrame | None = None
    chain: list[ExtractProfile] = field(default_factory=list)
    champion: Model | None = None
    lost: dict[str, float] = field(default_factory=dict)
    uses: dict[str, int] = field(default_factory=dict)
    window: int = 0


def lived(fault: Fault, seed: int, nights: int, accept: int | None = None) -> list[NightRecord]:
    """Return the records of a chain of nights.

    Args:
        fault: of the extracts.
        seed: of the world.
        nights: how many.
        accept: a person accepts the extract of this night after it was refused (`mgvae champion accept`); None: nobody does.
    """
    world, state = World(fault, seed), State()
    truth, records = world.patients(), []
    for night in range(nights):
        frame = world.extract(night)
        records.append(one_night(state, frame, truth, night))
        if night == accept and records[-1].action == "refused":
            state.accepted, state.chain = frame, []
    return records


def one_night(state: State, frame: pd.DataFrame, truth: pd.DataFrame, night: int) -> NightRecord:
    """Judge an extract and a model trained on it; change the state as the product does."""
    verdicts, now = judged_extract(state, frame, night)
    said = [name.removeprefix("drift_") for name, verdict in verdicts.items() if verdict != "pass"]
    if "fail" in verdicts.values():
        return NightRecord(night, said, "refused", float("nan"))
    state.accepted = frame
    state.chain = [*state.chain, now]
    cohort = build_cohort(CONFIG, frame)
    test = holdout(cohort, CONFIG.split.model_copy(update={"window": state.window}), seed=0)
    train, held = cohort.take(~test), cohort.take(test)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(numbers(train.features), train.event)
    risk = pipeline.predict_proba(numbers(held.features))[:, 1]
    event = held.event.astype(int)
    model = Model(
        pipeline, set(train.subject), set(cohort.subject), performance(resamples(event, held.group, n=200, seed=night), risk)
    )
    action, code = promoted_or_not(state, model, held, train.subject)
    real = roc_auc_score(truth["died"] == "1", model.predict(truth))
    return NightRecord(night, said + code, action, float(real))


def judged_extract(state: State, frame: pd.DataFrame, night: int) -> tuple[dict[str, str], ExtractProfile]:
    """Return the verdicts of all gates on drift, and the extract in numbers."""
    before = state.accepted
    new = np.ones(len(frame), bool) if before is None else newcomers(before, frame, CONFIG)
    now = profile(frame, new, CONFIG, str(night))
    if before is None:
        return {}, now
    gates = (*drift(Table(before), Table(frame), CONFIG).gates, *slow_gates(state.chain, now, CONFIG))
    return {gate.name: gate.verdict for gate in gates}, now


def promoted_or_not(state: State, model: Model, held: Cohort, training: np.ndarray) -> tuple[str, list[str]]:
    """Apply the rule; return what was decided, and the codes of what somebody must see to."""
    rule = CONFIG.promotion
    old = state.champion
    if old is None:
        if (floor_of(model.then, rule.level).low or 0.0) <= 0.5:
            return "cannot_judge", ["MGV402"]
        state.champion = model
        return "promoted", []
    judges = held.take(np.array([name not in old.known for name in held.subject]))
    event = judges.event.astype(int)
    first, second = old.predict(judges.features), model.predict(judges.features)
    plan = resamples(event, judges.group, n=200, seed=1)
    now, new = (performance(plan, risk) for risk in (first, second))
    for name in judges.subject:
        state.uses[name] = state.uses.get(name, 0) + 1
    uses = [state.uses[name] for name in judges.subject]
    use = HoldoutUse(median=float(np.median(uses)), most=max(uses), window=state.window, next_window=state.window)
    found = with_rule(
        compare_models(plan, champion=first, challenger=second),
        rule,
        left_out=len(held.event) - len(event),
        floor=floor_of(new, rule.level),
        change=change_of(old.then, now, rule.level),
        new_patients=float(np.mean([name not in old.met for name in training])),
        lost_before=state.lost,
        use=use,
    )
    decided = judge(found, rule)
    if decided.outcome == "promoted":
        state.champion = model
        state.lost = dict.fromkeys(MEASURES, 0.0) if found.gained else dict(found.lost or {})
        state.window += use.median >= rule.most_nights
    return decided.outcome, [decided.finding.code] if decided.finding else []


def numbers(features: pd.DataFrame) -> np.ndarray:
    """Return predictors as numbers."""
    plain = features[["age", "pressure", "weight", "marker", "proxy"]].to_numpy(float)
    return np.column_stack([plain, (features["sex"] == "f").to_numpy(float)])
