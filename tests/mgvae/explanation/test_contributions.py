"""Contributions: they add up to the model's log odds, and are Shapley values by their definition."""

from __future__ import annotations

from itertools import combinations
from math import factorial

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from mgvae.classifiers.ensemble import EnsembleModel, with_guide
from mgvae.classifiers.models import BoostingModel, LogisticModel
from mgvae.classifiers.portable import TreeScorer, scorer_of
from mgvae.classifiers.recalibration import to_logit
from mgvae.classifiers.terms import coefficients, linear_terms
from mgvae.explanation import contributions as module
from mgvae.explanation.contributions import contributions
from tests.mgvae.evaluation.simulated_cohort import simulated


class Opaque:
    """A model of unknown form, with an interaction of a number and a level."""

    def predict_proba(self, features):
        age = features["age"].fillna(40).to_numpy()
        return expit(0.05 * (age - 50) * (features["site"] == "c").to_numpy() + features["severity"].fillna(-1).to_numpy() - 3)


@pytest.fixture(scope="module")
def rows():
    return simulated(900, seed=3, prevalence=0.2)


@pytest.fixture(scope="module")
def models(rows):
    linear = LogisticModel().fit(rows.features, rows.event)
    trees = BoostingModel(seed=0, max_iter=60, max_features=1.0).fit(rows.features, rows.event)
    guided = with_guide(EnsembleModel([LogisticModel(), BoostingModel(seed=0, max_iter=30)]), 0).fit(rows.features, rows.event)
    return {
        "linear": scorer_of(linear),
        "tree": scorer_of(trees),
        "permutation": Opaque(),
        "guide": scorer_of(guided.members[-1]),
        "ensemble": scorer_of(guided),
    }


def explained(model, rows, *, seed=0, n=40):
    return contributions(model, rows.features.iloc[:n].reset_index(drop=True), rows.features, np.random.default_rng(seed))


KINDS = {"linear": "linear", "tree": "tree", "permutation": "permutation", "guide": "linear", "ensemble": "tree"}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_contributions_and_base_add_up_to_the_log_odds(models, rows, name, kind):
    found = explained(models[name], rows)
    assert found.explainer == kind
    logit = to_logit(models[name].predict_proba(rows.features.iloc[found.rows]))
    assert found.values.sum(axis=1) + found.base == pytest.approx(logit, abs=1e-6)
    assert np.abs(found.values).max() > 0.1


def shapley(model, row, background):
    """Return the Shapley values of a row's columns from their definition: all coalitions of columns."""
    names = list(background)

    def value(coalition):
        mixed = background.copy()
        for name in coalition:
            mixed[name] = pd.Series([row[name].iloc[0]] * len(background), dtype=background[name].dtype)
        return to_logit(model.predict_proba(mixed)).mean()

    values = {frozenset(some): value(some) for size in range(len(names) + 1) for some in combinations(names, size)}
    total = {}
    for name in names:
        others = [some for some in values if name not in some]
        weights = {
            some: factorial(len(some)) * factorial(len(names) - len(some) - 1) / factorial(len(names)) for some in others
        }
        total[name] = sum(weights[some] * (values[some | {name}] - values[some]) for some in others)
    return [total[name] for name in names]


@pytest.mark.parametrize("name", KINDS)
def test_contributions_are_shapley_values_by_their_definition(models, rows, name):
    """The permutations are exact here: the model has interactions of two columns at most."""
    background = rows.features.iloc[100:112].reset_index(drop=True)
    some = rows.features.iloc[[0, 5, 9]].reset_index(drop=True)
    found = contributions(models[name], some, background, np.random.default_rng(0))
    for at in range(len(some)):
        assert found.values[at] == pytest.approx(shapley(models[name], some.iloc[[at]], background), abs=1e-6)


def test_a_column_that_a_tree_splits_by_two_sets_of_levels_is_one_player(rows):
    """A level's contribution is that of its column, however many sets of levels stand on a path."""
    rng = np.random.default_rng(0)
    effects, many = rng.normal(size=20), rng.integers(0, 20, size=len(rows))
    features = rows.features.assign(many=pd.Categorical.from_codes(many, list(map(str, range(20)))))
    line = 1.5 * effects[many] + 0.8 * features["severity"].fillna(0).to_numpy() * (many % 2) - 1
    event = (rng.random(len(rows)) < expit(line)).astype(np.int64)
    model = scorer_of(BoostingModel(seed=0, max_iter=60, max_features=1.0).fit(features, event))
    sets = [[column for column, one in zip(tree.column, tree.categories, strict=True) if one] for tree in model.trees]
    assert any(len(some) > len(set(some)) for some in sets)
    background, some = features.iloc[100:112].reset_index(drop=True), features.iloc[[0, 5]].reset_index(drop=True)
    found = contributions(model, some, background, np.random.default_rng(0))
    for at in range(len(some)):
        assert found.values[at] == pytest.approx(shapley(model, some.iloc[[at]], background), abs=1e-12)


def test_trees_split_by_sets_of_levels(models):
    """Else the tests above would not see them."""
    assert isinstance(models["tree"], TreeScorer)
    assert any(one is not None for tree in models["tree"].trees for one in tree.categories)


def test_a_column_that_a_model_does_not_use_contributes_nothing(models, rows):
    found = explained(models["permutation"], rows)
    unused = [place for place, name in enumerate(rows.features) if name not in ("age", "site", "severity")]
    assert np.abs(found.values[:, unused]).max() < 1e-12


@pytest.mark.parametrize("name", KINDS)
def test_levels_and_gaps_that_the_fitting_rows_lacked(models, rows, name):
    strange = rows.features.iloc[:30].reset_index(drop=True)
    strange["sex"] = pd.Categorical([None] * 30, categories=["f", "m"])
    strange["age"] = np.nan
    found = contributions(models[name], strange, rows.features.dropna(), np.random.default_rng(0))
    logit = to_logit(models[name].predict_proba(strange))
    assert found.values.sum(axis=1) + found.base == pytest.approx(logit, abs=1e-6)


@pytest.mark.parametrize("name", KINDS)
def test_the_same_seed_gives_the_same_bytes_and_leaves_the_global_generator_alone(models, rows, name):
    np.random.seed(5)  # noqa: NPY002 - as a user may have done
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    first, second = (explained(models[name], rows, n=5) for _ in range(2))
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    assert first.values.tobytes() == second.values.tobytes()
    assert first.base == second.base


@pytest.mark.parametrize("name", KINDS)
def test_many_rows_are_sampled(monkeypatch, models, rows, name):
    monkeypatch.setitem(module.MOST_ROWS, KINDS[name], 7)
    found = explained(models[name], rows, n=100)
    assert len(found.values) == len(found.rows) == 7
    assert sorted(set(found.rows)) == found.rows.tolist()


def test_a_model_of_unknown_form_is_asked_a_limited_number_of_rows(monkeypatch, rows):
    asked = []

    class Counting(Opaque):
        def predict_proba(self, features):
            asked.append(len(features))
            return super().predict_proba(features)

    monkeypatch.setattr(module, "EVALUATIONS", 5_000)
    found = explained(Counting(), rows, n=400)
    assert 1 < len(found.rows) < 20
    assert sum(asked) < 1.5 * 5_000  # shap asks a little more than the masks that it was allowed


def test_terms_are_the_columns_of_the_design(models, rows):
    """Each design column moves with its own predictor alone."""
    scorer = models["linear"]
    terms = linear_terms(scorer.design, rows.features)
    assert len(terms) == len(scorer.weights)
    base = scorer.design.rows(rows.features)
    for name in rows.features:
        shuffled = rows.features.assign(**{name: rows.features[name].sample(frac=1, random_state=1).array})
        moved = np.abs(scorer.design.rows(shuffled) - base).max(axis=0) > 0
        assert moved.tolist() == [term.column == name for term in terms]


def test_coefficients_are_log_odds_ratios(models, rows):
    """A standard deviation more, or another level, moves the log odds by the coefficient."""
    scorer, one = models["linear"], rows.features.iloc[[0]].reset_index(drop=True)
    found = {(c.column, c.term): c.value for c in coefficients(scorer, rows.features)}
    assert len(found) == len(scorer.weights)

    def logit(**changes):
        return to_logit(scorer.predict_proba(one.assign(**changes)))[0]

    sd = rows.features["age"].std(ddof=0)
    assert logit(age=80.0 + sd) - logit(age=80.0) == pytest.approx(found["age", "per standard deviation"])
    female, male = (pd.Categorical([level], categories=["f", "m"]) for level in "fm")
    assert logit(sex=male) - logit(sex=female) == pytest.approx(found["sex", "m"])
    sites = {level: pd.Categorical([level], categories=["a", "b", "c"]) for level in ("a", "c")}
    assert logit(site=sites["c"]) - logit(site=sites["a"]) == pytest.approx(found["site", "c"] - found["site", "a"])
    assert [c.column for c in coefficients(scorer, rows.features)] == sorted(
        (c.column for c in coefficients(scorer, rows.features)), key=list(rows.features).index
    )


def test_an_empty_design_has_no_terms():
    """All levels are rare: the model is its intercept, and no column contributes."""
    features = pd.DataFrame({"code": pd.Categorical.from_codes(np.zeros(40, dtype=int), ["x", "y"])})
    event = np.arange(40) % 2
    scorer = scorer_of(LogisticModel().fit(features, event))
    assert coefficients(scorer, features) == ()
    found = contributions(scorer, features, features, np.random.default_rng(0))
    assert found.values.tolist() == [[0.0]] * 40
