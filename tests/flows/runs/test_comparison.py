"""Which patients of the hold-out may judge two models, and which settings of the study the comparison obeys."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from flows.runs import comparison
from flows.runs import folder as run_folders
from flows.runs.audit_log import BY_HAND, Change
from flows.runs.comparison import History, compare_with_champion
from flows.runs.folder import RunManifest
from mgvae.cohort.files import save_cohort
from mgvae.config.promotion import Promotion
from mgvae.errors import OutcomeError, StoreError
from mgvae.evaluation.bootstrap import resamples
from mgvae.evaluation.promotion import performance
from mgvae.results.numbers import FEW_EVENTS
from mgvae.store.artifact import digest
from tests.flows.champion_tools import cohort, config

SETTINGS = {"arms": ["none"], "classifiers": ["logistic_regression"], "bootstrap": 60}


@dataclass(frozen=True)
class Model:
    """Predicts by the severity, with some noise of its own."""

    noise: float

    def predict(self, features):
        noise = np.random.default_rng(3).normal(size=len(features)) * self.noise
        return 1 / (1 + np.exp(2 - 1.5 * features["severity"].to_numpy() - noise))

    def obstacle(self, other):
        return None


class OneModel:
    """A store that holds the champion's model."""

    def folder(self, reference):
        assert (reference.kind, reference.sha256) == ("model", "c" * 64)
        return Path("champion")


@pytest.fixture
def judged(tmp_path, monkeypatch):
    """Return a function that judges on given patients; ``seen`` are the first ones of the hold-out."""

    def call(*, events, seen=0, n=200, apart=0.0, train_events=60, settings=None, known=None, changes=()):
        people = cohort(2 * n)
        test = np.arange(2 * n) >= n
        event = np.zeros(2 * n, dtype=bool)
        event[:train_events] = True
        event[n : n + events] = True
        folder = tmp_path / f"split-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        features = people.features.assign(severity=people.features["severity"] + 2 * event)
        people = replace(people, event=event, features=features)
        save_cohort(folder, people, test)
        models = {"champion": Model(0.0), "challenger": Model(apart)}

        def load_deployed(place, name):
            assert name == "evaluated_model.json", "a model refitted on the hold-out cannot be judged on it"
            return models[place.name]

        monkeypatch.setattr(comparison, "load_deployed", load_deployed)

        def seen_in_training(place, held, *, named):
            assert (place.name, named, len(held)) == ("champion", True, 2 * n)
            return (np.arange(2 * n) >= n) & (np.arange(2 * n) < n + seen)

        def met_before(place, held, *, named):
            return np.arange(2 * n) < (n if known is None else known)

        monkeypatch.setattr(comparison, "seen_in_training", seen_in_training)
        monkeypatch.setattr(comparison, "met_before", met_before)
        risk = models["champion"].predict(people.features)
        then = performance(resamples(event.astype(int), people.group, n=60, seed=0), risk) if event.sum() > 0 else None
        monkeypatch.setattr(comparison, "_promoted_performance", lambda place, config: then)
        artifacts, history = {"split": folder, "model": Path("challenger")}, History(tmp_path / "study", changes)
        return compare_with_champion(settings or config(), OneModel(), "c" * 64, artifacts, history)

    return call


def test_the_fewest_events_are_enough_and_one_less_is_not(judged):
    assert judged(events=FEW_EVENTS).comparison["events"] == FEW_EVENTS
    few = judged(events=FEW_EVENTS - 1)
    assert (few.outcome, few.comparison, few.broken) == ("kept", None, False)
    assert f"200 with {FEW_EVENTS - 1} events are none that the champion was trained on" in few.reason


def test_events_of_patients_whom_the_champion_was_trained_on_do_not_count(judged):
    found = judged(events=FEW_EVENTS + 5, seen=5).comparison
    assert (found["n"], found["events"], found["left_out"]) == (195, FEW_EVENTS, 5)
    assert judged(events=FEW_EVENTS + 5, seen=6).comparison is None


@pytest.mark.parametrize("train_events", [0, 60])
def test_training_patients_never_judge(train_events, judged):
    found = judged(events=30, apart=0.5, train_events=train_events).comparison
    assert (found["n"], found["events"]) == (200, 30)
    assert judged(events=0, train_events=train_events).comparison is None


def test_where_all_have_the_event_nobody_can_tell(judged):
    assert "200 with 200 events are none that the champion was trained on" in judged(events=200).reason
    assert judged(events=199).comparison["events"] == 199


def test_the_same_predictions_are_promoted_where_enough_training_patients_are_new(judged):
    """Of 200 training patients the champion's extract had the first 190: 5 % are new."""
    five = {"promotion": {"new_patients": 0.05}}
    assert judged(events=100, known=190, settings=config(**five)).outcome == "promoted"
    assert judged(events=100, known=190, settings=config(**five)).comparison["auroc"]["value"] == 0
    one_less = judged(events=100, known=191, settings=config(**five))
    assert (one_less.outcome, one_less.comparison["new_patients"]) == ("kept", pytest.approx(0.045))
    assert judged(events=100, known=200, settings=config(promotion={"new_patients": 0})).outcome == "promoted"


def under(**evaluation):
    return config(evaluation={**SETTINGS, **evaluation})


def test_the_numbers_of_the_rule_are_the_study_s(judged):
    """The challenger loses a little, within what chance explains: the margin decides alone."""
    found = judged(events=100, apart=0.05, known=0).comparison
    low = min(found[name]["low"] for name in ("auroc", "scaled_brier"))
    assert low < 0
    assert min(found[name]["high"] for name in ("auroc", "scaled_brier")) >= 0
    for margin in (0.9 * -low, 1.1 * -low):
        decided = judged(events=100, apart=0.05, known=0, settings=config(promotion={"margin": margin}))
        assert (decided.outcome == "promoted", decided.comparison["margin"]) == (margin > -low, margin)
    wide, narrow = (judged(events=100, settings=config(promotion={"level": one})).comparison for one in (0.999, 0.95))
    assert wide["floor"]["low"] < narrow["floor"]["low"] < narrow["floor"]["value"] == wide["floor"]["value"]


def promoted(run, value, *, gained=False, rule="", action="promoted", previous="one"):
    numbers = {"auroc": {"value": value}, "scaled_brier": {"value": 0.0}, "gained": gained}
    return Change(action, run, previous, "", rule, numbers, {})


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ([], 0.0),
        ([promoted("a", -0.01), promoted("b", -0.02)], -0.03),
        ([promoted("a", -0.01), promoted("b", 0.04, gained=True), promoted("c", -0.02)], -0.02),
        ([promoted("a", -0.01), promoted("b", -0.5, rule=BY_HAND), promoted("c", -0.02)], -0.02),
        ([promoted("a", -0.01), promoted("b", -0.02, action="kept"), promoted("c", -0.02, action="cannot_judge")], -0.01),
        ([promoted("a", -0.01), promoted("b", 0.0, action="rolled_back", rule=BY_HAND)], 0.0),
    ],
    ids=["none", "two", "a gain", "by hand", "not promoted", "rolled back"],
)
def test_losses_add_up_since_the_last_clear_gain_or_choice_of_a_person(changes, lost, judged):
    assert History(Path("study"), changes).lost["auroc"] == pytest.approx(lost)
    here = judged(events=100, changes=changes).comparison["lost"]
    assert here == {"auroc": pytest.approx(lost), "scaled_brier": 0.0}


def test_resamples_and_seed_are_the_study_s(judged):
    plain, again, more = (judged(events=100, apart=1.0, settings=under(**one)) for one in ({}, {}, {"bootstrap": 70}))
    assert (plain.comparison["bootstrap"], more.comparison["bootstrap"]) == (60, 70)
    assert plain.comparison == again.comparison
    other = judged(events=100, apart=1.0, settings=config(seed=1, evaluation=SETTINGS)).comparison
    assert other["auroc"]["value"] == plain.comparison["auroc"]["value"]
    assert other["auroc"]["low"] != plain.comparison["auroc"]["low"]


def test_a_champion_whose_model_is_gone_asks_for_a_person(judged, monkeypatch):
    def gone(self, reference):
        raise StoreError("It is not in the store.")

    monkeypatch.setattr(OneModel, "folder", gone)
    found = judged(events=100)
    assert (found.outcome, found.broken) == ("kept", True)
    assert found.reason.endswith("It is not in the store.")


def test_a_comparison_that_cannot_be_made_promotes_nobody(judged, monkeypatch):
    def undefined(*arguments, **options):
        raise OutcomeError("No resample has both outcomes.")

    monkeypatch.setattr(comparison, "compare_models", undefined)
    found = judged(events=100)
    assert (found.outcome, found.comparison, found.broken) == ("kept", None, False)
    assert found.reason == "Cannot tell: No resample has both outcomes."


def test_models_that_do_not_fit_together_ask_for_a_person(judged, monkeypatch):
    monkeypatch.setattr(Model, "obstacle", lambda self, other: "its columns differ")
    found = judged(events=100)
    assert (found.outcome, found.comparison, found.broken) == ("kept", None, True)
    assert found.reason == "Cannot compare with the champion's model: its columns differ."


def test_settings_from_before_the_rule_had_a_section_of_its_own_are_read():
    values = config().model_dump(mode="json", exclude={"extract", "stages", "promotion"})
    values["evaluation"]["margin"] = 0.005
    read = {key: value for key, value in values.items() if key != "seed"}
    lineage = {"artifacts": {}, "config_sha256": digest(read)}
    manifest = RunManifest(created_at="2026", status="pass", lineage=lineage, config=values)
    assert run_folders.config_of(Path("run"), manifest).promotion == Promotion()
