"""Repair: what is dropped, what is said of it, and that it is the same in the study and in every fold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mgvae.cohort.rows import Rows
from mgvae.config.sections import Synthesis, Training
from mgvae.config.strict import build
from mgvae.errors import ConfigError, TrainingError
from mgvae.evaluation.arms import Recipe, treat
from mgvae.evaluation.evaluate import chain_of
from mgvae.evaluation.repair_effect import repair_effect
from mgvae.generator.release import load_synthetic, save_synthetic
from mgvae.generator.repair import near_patients, repaired
from mgvae.generator.synthetic import Synthetic
from tests.validation.simulated_patients import population_config

pytestmark = pytest.mark.usefixtures("brief_judges")

WITHIN = 0.33


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def table(*values):
    return pd.DataFrame({"x": np.array(values, float), "y": np.zeros(len(values))})


CASES, MAJORITY = table(0.0, 10.0, 20.0, 21.0), table(100.0, 103.0, 200.0, 200.0)


def made_of(*values):
    return Synthetic(table(*values), np.arange(len(values)))


@pytest.mark.parametrize(
    ("value", "near"),
    [
        (0.0, True),
        (0.0 + 3.2, True),  # the case's nearest other case is 10 away
        (0.0 + 3.4, False),
        (20.5, False),  # half-way between two
        (20.3, True),
        (60.0, False),
    ],
)
def test_near_is_within_a_share_of_the_distance_to_the_nearest_other_case(value, near):
    assert near_patients(table(value), None, CASES, within=WITHIN)[0].tolist() == [near]


def test_near_a_majority_patient_counts_and_one_with_a_twin_does_not():
    case, majority = near_patients(table(100.5, 101.5, 200.0), MAJORITY, CASES, within=WITHIN)
    assert not case.any()
    assert majority.tolist() == [True, False, False]


def test_what_is_dropped_is_counted_and_kept_apart_with_its_parents():
    found = repaired(made_of(0.1, 60.0, 100.1, 70.0), MAJORITY, CASES, np.array([False, False, False, True]), within=WITHIN)
    assert (found.features["x"].tolist(), found.parent.tolist()) == ([60.0], [1])
    assert (found.dropped.features["x"].tolist(), found.dropped.parent.tolist()) == ([0.1, 100.1, 70.0], [0, 2, 3])
    counts = found.repair
    assert (counts.made, counts.dropped, counts.near_case, counts.near_majority, counts.broken) == (4, 3, 1, 1, 1)
    assert "Repair dropped 3 of 4 synthetic cases: 1 too near a training case, 1 too near a majority patient" in counts.sentence
    assert found.remarks == counts.warning != ()


def test_half_is_no_warning():
    found = repaired(made_of(0.1, 60.0), MAJORITY, CASES, np.zeros(2, bool), within=WITHIN)
    assert (found.repair.dropped, found.remarks) == (1, ())


def test_nothing_left_is_an_error():
    with pytest.raises(TrainingError, match="Repair must leave some synthetic cases; all 2"):
        repaired(made_of(0.1, 0.2), MAJORITY, CASES, np.zeros(2, bool), within=WITHIN)


def test_files_hold_what_was_dropped(tmp_path):
    found = repaired(made_of(0.1, 60.0, 100.1), MAJORITY, CASES, np.zeros(3, bool), within=WITHIN)
    save_synthetic(found, tmp_path)
    again = load_synthetic(tmp_path)
    assert again.repair == found.repair
    pd.testing.assert_frame_equal(again.features, found.features)
    pd.testing.assert_frame_equal(again.dropped.features, found.dropped.features)
    assert again.dropped.parent.tolist() == [0, 2]


@pytest.mark.parametrize(("given", "share"), [(True, 0.33), (False, None), (None, None), (0.5, 0.5)])
def test_the_setting(given, share):
    assert build(Synthesis, {"repair": given}, source="x").repair == share


@pytest.mark.parametrize("given", [0, -1, 2, "yes"])
def test_a_wrong_setting_is_refused(given):
    with pytest.raises(ConfigError, match="repair"):
        build(Synthesis, {"repair": given}, source="x")


def test_with_privacy_it_is_refused():
    with pytest.raises(ValueError, match="leave out synthesis"):
        population_config(synthesis={"repair": True}, training={"privacy": {"epsilon": 5, "delta": 1e-5}})


def test_every_fold_gets_the_rule(monkeypatch):
    """The arm hands it to the generator that is trained inside the fold."""
    asked = []

    def generator(rows, columns, training, **settings):
        asked.append(settings)
        return Synthetic(rows.features[rows.event == 1], np.zeros(int(rows.event.sum())))

    monkeypatch.setattr("mgvae.generator.synthesis.synthetic_cases", generator)
    rows = Rows(table(*range(10)), np.repeat([1, 0], [2, 8]), np.arange(10))
    treat("mgvae", rows, Recipe({}, Training(), repair=0.2), seed=0)
    assert asked[0]["repair"] == 0.2
    assert chain_of(population_config(synthesis={"repair": True})).recipe.repair == 0.33
    assert chain_of(population_config()).recipe.repair is None


@pytest.mark.slow
def test_the_effect_on_prediction(rng):
    event = np.repeat([1, 0], [30, 170])
    rows = Rows(table(*(rng.normal(size=200) + 2 * event)), event, np.arange(200))
    cases = table(*(2 + rng.normal(size=100)))
    same = repair_effect(rows, rows, cases, cases, seed=1)
    assert (same.before - same.after, same.difference.low, same.difference.high) == (0, 0, 0)
    assert same.after > 0.8
    worse = repair_effect(rows, rows, cases, table(*(-9 + rng.normal(size=1000))), seed=1)
    assert worse.after < worse.before
    assert worse.difference.low < worse.difference.high < 0
    nobody = rows.take(event == 0)
    assert repair_effect(rows, nobody, cases, cases, seed=1) is None
