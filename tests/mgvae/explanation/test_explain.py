"""What is explained: which rows, by models fitted without them, beside which arm."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from mgvae.cohort.subgroups import Subgroup
from mgvae.config.study import CohortConfig
from mgvae.explanation import explain as module
from mgvae.explanation.explain import compared_arm, explain
from mgvae.generator.synthetic import Synthetic
from mgvae.results.recommendation import Difference, Recommendation
from tests.mgvae.evaluation.simulated_cohort import simulated

COLUMNS = {
    "severity": {"kind": "continuous"},
    "age": {"kind": "count", "unit": "years"},
    "noise": {"kind": "continuous"},
    "site": {"kind": "categorical", "categories": ["a", "b", "c"]},
    "stage": {"kind": "ordinal", "categories": ["0", "1", "2", "3"]},
    "sex": {"kind": "binary", "categories": ["f", "m"], "role": ["feature", "subgroup"]},
    "died": {"kind": "binary", "role": "excluded"},
}


def config(**evaluation):
    settings = {"arms": ("none", "random_oversampling", "mgvae"), "folds": 3, "bootstrap": 50} | evaluation
    return CohortConfig.model_validate(
        {
            "study": "s",
            "extract": "e.csv",
            "subject_id": None,
            "outcome": {"column": "died"},
            "columns": {"columns": COLUMNS},
            "evaluation": settings,
        }
    )


def chosen(arm="none", classifier="logistic_regression", challenger=None):
    difference = Difference(metric="auroc", value=0.0, low=None, high=None, arm=challenger) if challenger else None
    return Recommendation(arm=arm, classifier=classifier, answer="no_gain", reason="", rule="", difference=difference)


def groups(rows):
    return [Subgroup("sex", "sex", level, (rows.features["sex"] == level).to_numpy()) for level in "fm"]


@pytest.fixture(scope="module")
def train():
    return simulated(800, seed=1, prevalence=0.15)


@pytest.fixture(scope="module")
def held():
    return simulated(300, seed=2, prevalence=0.15)


@pytest.fixture(scope="module")
def cases(train):
    """Synthetic cases that all have one level of sex."""
    made = train.features.iloc[:600].assign(sex=train.features["sex"].cat.categories[1])
    made["sex"] = made["sex"].astype(train.features["sex"].dtype)
    return Synthetic(made, np.arange(600))


def run(train, held, made, config, recommendation, **options):
    return explain(train, held, (groups(train), groups(held)), config, recommendation, made, **options)


def test_the_hold_out_is_explained_without_correction_and_with_the_arm(train, held, cases):
    found = run(train, held, cases, config(), chosen())
    assert (found.part, found.n, found.events) == ("hold-out", 300, int(held.event.sum()))
    assert [model.arm for model in found.models] == ["none", "mgvae"]
    none, arm = found.models
    assert {one.column for one in none.columns} == set(COLUMNS) - {"died"}
    assert none.columns[0].column == "severity"
    assert [one.rank for one in none.columns] == [1, 2, 3, 4, 5, 6]
    share = {model.arm: {one.column: one.share.value for one in model.columns} for model in found.models}
    assert share["mgvae"]["sex"] > 0.2 > 0.1 > share["none"]["sex"]  # what the cases changed
    assert [group.level for group in none.groups] == ["f", "m"]
    assert sum(group.n for group in none.groups) == 300
    assert [one.column for one in none.dependence] == [one.column for one in arm.dependence]
    assert none.coefficients
    assert all(len(one.fold_ranks) == 3 for one in none.columns)
    assert all(one.fold_ranks == () for one in arm.columns)  # a generator is not trained once more for each fold
    assert "without a generator" in found.remarks[0]


def test_an_arm_that_needs_no_generator_is_fitted_on_the_folds_too(train, held):
    found = run(train, held, None, config(), chosen(arm="random_oversampling", classifier="hist_gradient_boosting"))
    assert [model.arm for model in found.models] == ["none", "random_oversampling"]
    assert {model.explainer for model in found.models} == {"tree"}
    assert all(len(one.fold_ranks) == 3 for model in found.models for one in model.columns)
    assert found.models[0].coefficients == ()
    assert found.remarks == ()


@pytest.mark.parametrize(("events", "part"), [(14, "fold"), (15, "hold-out")])
def test_a_hold_out_of_fewer_than_15_events_is_not_explained(train, held, events, part):
    keep = (held.event == 0) | (np.cumsum(held.event) <= events)
    arms = config(arms=("none", "random_oversampling"))
    found = run(train, held.take(keep), None, arms, chosen(arm="random_oversampling"))
    assert found.part == part
    assert found.n == (keep.sum() if part == "hold-out" else pytest.approx(800 / 3, abs=30))
    assert ("fewer than 15 events" in " ".join(found.remarks)) == (part == "fold")


@pytest.mark.parametrize("events", [5, 40])
def test_no_explained_row_is_among_the_fitting_rows(monkeypatch, train, held, events):
    seen = []
    monkeypatch.setattr(
        module,
        "contributions",
        lambda model, features, background, generator: (
            seen.append((features, background)) or original(model, features, background, generator)
        ),
    )
    keep = (held.event == 0) | (np.cumsum(held.event) <= events)
    run(train, held.take(keep), None, config(arms=("none",)), chosen())
    assert len(seen) == 4
    for features, background in seen:
        assert not set(features["severity"].dropna()) & set(background["severity"].dropna())


original = module.contributions


def test_outcomes_of_explained_rows_change_nothing_but_the_count(train, held):
    arms = config(arms=("none",))
    flipped = SimpleNamespace(**{"features": held.features, "event": held.event[::-1].copy(), "group": held.group})
    first = run(train, held, None, arms, chosen())
    second = run(train, type(held)(flipped.features, flipped.event, flipped.group), None, arms, chosen())
    values = [[(one.column, one.size.value) for one in found.models[0].columns] for found in (first, second)]
    assert values[0] == values[1]


def test_the_same_seed_gives_the_same_numbers_and_steps_are_counted(train, held):
    steps = []
    arms = config(arms=("none", "random_oversampling"))
    found = run(train, held, None, arms, chosen(arm="random_oversampling"), on_done=lambda *step: steps.append(step))
    assert steps == [(done, 8) for done in range(1, 9)]
    assert run(train, held, None, arms, chosen(arm="random_oversampling")) == found


@pytest.mark.parametrize(
    ("arm", "challenger", "arms", "expected"),
    [
        ("smote", "mgvae", ("none", "smote", "mgvae"), "smote"),
        ("none", "smote", ("none", "smote", "mgvae"), "smote"),
        ("none", "threshold", ("none", "threshold", "smote", "mgvae"), "mgvae"),
        ("threshold", None, ("none", "threshold", "class_weight", "smote"), "smote"),
        ("none", None, ("none", "threshold"), None),
        ("none", None, ("none",), None),
    ],
)
def test_the_arm_that_is_compared(arm, challenger, arms, expected):
    assert compared_arm(chosen(arm=arm, challenger=challenger), arms) == expected


def test_a_model_that_is_fitted_already_is_explained_as_it_is(monkeypatch, train, held):
    """It explains the hold-out; a fold has a model of its own."""
    arms = config(arms=("none", "mgvae"))
    scorer = module.scorer_of(module.fit_chain(train, module.chain_of(arms), "none", "logistic_regression", seed=1).classifier)
    doubled = replace(scorer, weights=2 * scorer.weights)
    monkeypatch.setattr(module, "usable_folds", lambda rows, folds: 2)
    found = explain(train, held, ((), ()), arms, chosen(arm="mgvae"), None, fitted={"mgvae": doubled})
    none, arm = found.models
    assert {one.column: one.size.value for one in arm.columns} == pytest.approx(
        {one.column: 2 * one.size.value for one in none.columns}, rel=1e-6
    )
