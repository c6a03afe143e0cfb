"""Which patients of the hold-out may judge two models, and which settings of the study the comparison obeys."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from flows.runs import comparison
from flows.runs.comparison import compare_with_champion
from mgvae.cohort.build import FEW_EVENTS
from mgvae.cohort.files import save_cohort
from mgvae.errors import OutcomeError, StoreError
from mgvae.evaluation.promotion import MEASURES
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

    def call(*, events, seen=0, n=200, apart=0.0, train_events=60, settings=None):
        people = cohort(2 * n)
        test = np.arange(2 * n) >= n
        event = np.zeros(2 * n, dtype=bool)
        event[:train_events] = True
        event[n : n + events] = True
        folder = tmp_path / f"split-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        save_cohort(folder, replace(people, event=event), test)
        models = {"champion": Model(0.0), "challenger": Model(apart)}

        def load_deployed(place, name):
            assert name == "evaluated_model.json", "a model refitted on the hold-out cannot be judged on it"
            return models[place.name]

        monkeypatch.setattr(comparison, "load_deployed", load_deployed)

        def seen_in_training(place, held, *, named):
            assert (place.name, named, len(held)) == ("champion", True, n)
            return np.arange(n) < seen

        monkeypatch.setattr(comparison, "seen_in_training", seen_in_training)
        return compare_with_champion(settings or config(), OneModel(), "c" * 64, {"split": folder, "model": Path("challenger")})

    return call


def test_the_fewest_events_are_enough_and_one_less_is_not(judged):
    assert judged(events=FEW_EVENTS).comparison["events"] == FEW_EVENTS
    few = judged(events=FEW_EVENTS - 1)
    assert (few.promoted, few.comparison, few.broken) == (False, None, False)
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


def test_the_same_predictions_are_promoted_and_worse_ones_are_not(judged):
    assert judged(events=100).promoted
    assert judged(events=100).comparison["auroc"]["value"] == 0


def under(**evaluation):
    return config(evaluation={**SETTINGS, **evaluation})


def test_the_margin_is_the_study_s(judged):
    """The challenger loses a little, within what chance explains: the margin decides alone."""
    found = judged(events=100, apart=0.1, settings=under()).comparison
    loss = max(-found[name]["value"] for name in MEASURES)
    assert loss > 0
    assert all(found[name]["high"] >= 0 for name in MEASURES)
    for margin in (0.9 * loss, 1.1 * loss):
        decided = judged(events=100, apart=0.1, settings=under(margin=margin))
        assert (decided.promoted, decided.comparison["margin"]) == (margin > loss, margin)


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
    assert (found.promoted, found.broken) == (False, True)
    assert found.reason.endswith("It is not in the store.")


def test_a_comparison_that_cannot_be_made_promotes_nobody(judged, monkeypatch):
    def undefined(*arguments, **options):
        raise OutcomeError("No resample has both outcomes.")

    monkeypatch.setattr(comparison, "compare_models", undefined)
    found = judged(events=100)
    assert (found.promoted, found.comparison, found.broken) == (False, None, False)
    assert found.reason == "Cannot tell: No resample has both outcomes."


def test_models_that_do_not_fit_together_ask_for_a_person(judged, monkeypatch):
    monkeypatch.setattr(Model, "obstacle", lambda self, other: "its columns differ")
    found = judged(events=100)
    assert (found.promoted, found.comparison, found.broken) == (False, None, True)
    assert found.reason == "Cannot compare with the champion's model: its columns differ."
