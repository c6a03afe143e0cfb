"""The arms: what they add, what they leave alone; real rows come first and unchanged."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.class_weight import compute_sample_weight

from mgvae.classifiers.ensemble import with_guide
from mgvae.classifiers.factory import make
from mgvae.classifiers.models import LogisticModel
from mgvae.classifiers.recalibration import offset
from mgvae.cohort.rows import Rows, cases_to_add
from mgvae.cohort.rules import RowRules
from mgvae.config.dictionary import Column
from mgvae.config.rules import Rule
from mgvae.config.sections import Arm, Training
from mgvae.errors import ConfigError, OutcomeError
from mgvae.evaluation import smote
from mgvae.evaluation.arm_kinds import GENERATIVE
from mgvae.evaluation.arms import Recipe, Treated, class_weights, treat
from mgvae.evaluation.measures.calibration import calibration
from mgvae.evaluation.measures.weights import unit_weights
from mgvae.evaluation.one_split import run_arm
from mgvae.evaluation.smote import smote_cases
from mgvae.reproducibility import derive
from tests.mgvae.evaluation.simulated_cohort import chain, simulated, with_events

ADDING = ("random_oversampling", "smote", "mgvae", "vae")
ALL = ("none", "threshold", "class_weight", "guided", *ADDING)


def recipe(prevalence: float = 0.5) -> Recipe:
    return Recipe(columns={}, training=Training(), prevalence=prevalence)


@pytest.mark.parametrize("arm", ALL)
@pytest.mark.usefixtures("generator")
def test_real_rows_come_first_and_unchanged(arm):
    rows = simulated(400)
    treated = treat(arm, rows, recipe(), seed=1)
    assert treated.n_real == 400
    pd.testing.assert_frame_equal(treated.features.iloc[:400], rows.features)
    np.testing.assert_array_equal(treated.event[:400], rows.event)
    assert (treated.event[400:] == 1).all()
    assert treated.features.dtypes.to_dict() == rows.features.dtypes.to_dict()
    assert treated.share == pytest.approx(rows.prevalence if arm in ("none", "threshold", "guided") else 0.5)


@pytest.mark.parametrize("arm", [*ADDING, "class_weight"])
@pytest.mark.parametrize("prevalence", [0.2, 0.35])
@pytest.mark.usefixtures("generator")
def test_the_share_of_cases_is_as_asked_and_never_lowered(arm, prevalence):
    rows = simulated(400)
    assert treat(arm, rows, recipe(prevalence), seed=1).share == pytest.approx(prevalence, abs=0.002)
    untouched = treat(arm, rows, recipe(0.01), seed=1)
    assert untouched.share == pytest.approx(rows.prevalence)
    assert len(untouched.event) == 400


def information(event, weights):
    """Sum w s (1 - s) over the rows, written out."""
    share = (weights * event).sum() / weights.sum()
    return sum(w * share * (1 - share) for w in weights)


@pytest.mark.parametrize("arm", ALL)
@pytest.mark.parametrize("prevalence", [0.2, 0.5])
@pytest.mark.usefixtures("generator")
def test_treated_rows_carry_as_much_information_as_the_real_ones(arm, prevalence):
    rows = simulated(400)
    treated = treat(arm, rows, recipe(prevalence), seed=1)
    assert (treated.weights is None) == (arm in ("none", "threshold", "guided")), "without correction nothing changes"
    weights = np.ones(400) if treated.weights is None else treated.weights
    assert information(treated.event, weights) == pytest.approx(information(rows.event, np.ones(400)))
    assert treated.uneven == (arm == "class_weight")


@pytest.mark.parametrize("arm", ["random_oversampling", "class_weight"])
def test_ridge_shrinks_as_with_a_penalty_scaled_by_the_information(arm):
    rows = simulated(600)
    treated = treat(arm, rows, recipe(), seed=1)
    plain = None if arm == "random_oversampling" else class_weights(rows.event, 0.5)
    ratio = information(rows.event, np.ones(600)) / information(
        treated.event, np.ones(len(treated.event)) if plain is None else plain
    )
    assert ratio < 0.4
    ours = LogisticModel().fit(treated.features, treated.event, treated.weights)
    explicit = LogisticModel(strength=0.1 * ratio).fit(treated.features, treated.event, plain)
    np.testing.assert_allclose(ours.coefficients, explicit.coefficients, atol=2e-3)
    as_before = LogisticModel().fit(treated.features, treated.event, plain)
    assert np.abs(ours.coefficients - as_before.coefficients).max() > 0.1


@pytest.mark.parametrize("arm", ["random_oversampling", "class_weight", "smote"])
def test_slopes_after_the_offset_come_closer_to_that_without_correction(arm):
    test, gaps = simulated(8000, seed=99, prevalence=0.03), []

    def slope(treated: Treated, weights) -> float:
        raw = LogisticModel().fit(treated.features, treated.event, weights).predict_proba(test.features)
        moved = offset(raw, fitted_share=treated.share, share=test.prevalence)
        return calibration(test.event, moved, unit_weights(len(test)))["calibration_slope"][0]

    for seed in range(4):
        rows = simulated(1200, seed=seed, prevalence=0.03)
        plain, treated = (treat(name, rows, recipe(), seed=seed) for name in ("none", arm))
        reference = slope(plain, None)
        before = treated.weights / treated.weights.mean()
        gaps.append((abs(slope(treated, treated.weights) - reference), abs(slope(treated, before) - reference)))
    now, formerly = np.mean(gaps, axis=0)
    assert now < 0.6 * formerly


def test_class_weights_are_scikit_learns_at_one_half():
    event = simulated(300).event
    np.testing.assert_allclose(class_weights(event, 0.5), compute_sample_weight("balanced", event))
    assert class_weights(event, 0.3).mean() == pytest.approx(1)


def test_oversampling_repeats_cases_only():
    rows = simulated(300)
    treated = treat("random_oversampling", rows, recipe(), seed=1)
    known = {tuple(row) for row in rows.features[rows.event == 1].astype(str).to_numpy()}
    added = treated.features.iloc[300:].astype(str).to_numpy()
    assert len(added) == cases_to_add(rows.event, 0.5)
    assert {tuple(row) for row in added} <= known


def test_smote_lies_between_cases_and_obeys_the_table():
    rows = simulated(1500)
    cases, made = rows.features[rows.event == 1], smote_cases(rows.features, rows.event, n=700, seed=0)
    assert made.dtypes.to_dict() == rows.features.dtypes.to_dict()
    for name in ("severity", "age", "noise"):
        assert made[name].min() >= cases[name].min()
        assert made[name].max() <= cases[name].max()
    assert (made["age"] % 1 == 0).all(), "whole numbers stay whole"
    assert (made["severity"].dropna() % 1 != 0).mean() > 0.9
    assert set(made["site"].dropna()) <= {"a", "b", "c"}
    for name in ("severity", "noise", "site"):
        assert made[name].isna().mean() == pytest.approx(cases[name].isna().mean(), abs=0.08)
    together = made["severity"].isna() <= made["noise"].isna()
    assert together.all(), "missingness patterns are those of cases: no severity without noise missing"


def test_smote_decodes_levels_as_the_librarys_own_encoder(monkeypatch):
    rows = simulated(800)
    made = smote_cases(rows.features, rows.event, n=300, seed=1)
    monkeypatch.setattr(smote, "DenseDecoder", OneHotEncoder)
    pd.testing.assert_frame_equal(made, smote_cases(rows.features, rows.event, n=300, seed=1))


def test_smote_needs_no_majority_beyond_its_medians():
    rows = simulated(800)
    few = rows.take((rows.event == 1) | (np.arange(800) < 400))
    one, other = (smote_cases(r.features[["age", "sex"]], r.event, n=50, seed=3) for r in (rows, few))
    assert len(one) == len(other) == 50
    assert set(one["sex"]) == {"f", "m"}


@pytest.mark.parametrize("columns", [["severity", "age"], ["age"], ["site", "sex", "stage"], ["site"], ["noise", "site"]])
def test_smote_works_on_one_kind_of_column(columns):
    rows = simulated(600)
    made = smote_cases(rows.features[columns], rows.event, n=40, seed=0)
    assert list(made.columns) == columns
    assert len(made) == 40
    assert made.dtypes.to_dict() == rows.features[columns].dtypes.to_dict()


@pytest.mark.parametrize("events", [2, 3, 5])
def test_smote_works_with_few_cases(events):
    rows = with_events(simulated(400), events)
    assert rows.event.sum() == events
    assert len(smote_cases(rows.features, rows.event, n=30, seed=0)) == 30


def test_smote_says_that_one_case_is_too_few():
    rows = with_events(simulated(400), 1)
    with pytest.raises(OutcomeError, match="needs at least 2 among the fitting rows; got 1"):
        treat("smote", rows, recipe(), seed=0)


def test_smote_survives_constant_and_empty_columns():
    rows = simulated(400)
    features = rows.features.assign(constant=1.0, empty=np.nan)
    made = smote_cases(features, rows.event, n=20, seed=0)
    assert (made["constant"] == 1).all()
    assert made["empty"].isna().all()


def test_smote_in_batches_makes_as_many(monkeypatch):
    monkeypatch.setattr("mgvae.evaluation.smote.CELLS", 500)
    rows = simulated(600)
    made = smote_cases(rows.features, rows.event, n=101, seed=0)
    assert len(made) == 101
    assert made["severity"].dropna().nunique() > 60


@pytest.mark.parametrize("arm", ["mgvae", "mgvae_no_ewc", "mgvae_no_pretraining", "vae"])
def test_a_generative_arm_trains_the_variant_of_its_name_as_the_recipe_says(arm, generator):
    rows = simulated(400, group_size=4)
    rules = RowRules((Rule(rule="age < 99"),), {"age": Column(kind="count")})
    asked = Recipe(
        columns={"age": Column(kind="count")}, training=Training(latent_dim=3), prevalence=0.3, rules=rules, repair=0.2
    )
    treated = treat(arm, rows, asked, seed=1)
    (given,) = generator.given
    assert given.variant == arm
    assert given.columns is asked.columns
    assert given.settings is asked.training
    assert (given.rules, given.repair) == (rules, 0.2)
    assert given.n == cases_to_add(rows.event, 0.3) == len(treated.event) - 400
    assert given.rows is rows


def test_every_generative_arm_is_tested_and_has_a_seed_of_its_own(generator):
    for arm in GENERATIVE:
        treat(arm, simulated(200), recipe(), seed=1)
    assert [given.variant for given in generator.given] == list(GENERATIVE)
    assert len({given.seed for given in generator.given}) == len(GENERATIVE) == 4
    assert set(GENERATIVE) <= set(get_args(Arm))


@pytest.mark.parametrize("arm", ADDING)
@pytest.mark.usefixtures("generator")
def test_the_seed_decides(arm):
    rows = simulated(300)
    one, same, other = (treat(arm, rows, recipe(), seed=seed).features for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, same)
    assert not one.equals(other)


def test_wrong_input_is_named():
    rows = simulated(100)
    with pytest.raises(ConfigError, match="got 'rose'"):
        treat("rose", rows, recipe(), seed=0)
    alone = Rows(rows.features, np.zeros(100, dtype=np.int64), rows.group)
    with pytest.raises(OutcomeError, match="got 0 events in 100 rows"):
        treat("none", alone, recipe(), seed=0)
    with pytest.raises(ValueError, match="got 100, 99 and 100"):
        Rows(rows.features, rows.event[1:], rows.group)


def test_guided_adds_no_rows_and_averages_each_classifier_with_the_score():
    rows = simulated(800, prevalence=0.1)
    train, test = rows.take(np.arange(500)), rows.take(np.arange(500, 800))
    names = ("logistic_regression", "ensemble", "majority_guided")
    found = run_arm("guided", train, test, chain("none", "guided", classifiers=names), seed=3)
    assert found.fitted_share == train.prevalence
    assert list(found.raw) == ["logistic_regression", "ensemble"]
    assert [remark for remark in found.remarks if "'guided' was not run with 'majority_guided'" in remark]
    for name in ("logistic_regression", "ensemble"):
        own_seed = derive(3, "classifier", name)
        model = with_guide(make(name, own_seed), derive(own_seed, "guide")).fit(train.features, train.event)
        assert (found.raw[name] == model.predict_proba(test.features)).all()


def test_the_score_sees_no_more_than_the_fitting_rows():
    rows = simulated(600, prevalence=0.1)
    train, test = rows.take(np.arange(400)), rows.take(np.arange(400, 600))
    turned = Rows(test.features, 1 - test.event, test.group)
    one, other = (run_arm("guided", train, part, chain("none", "guided"), seed=0).raw for part in (test, turned))
    assert (one["logistic_regression"] == other["logistic_regression"]).all()
