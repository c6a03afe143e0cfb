"""Each classifier reads any typed table, uses weights, and gives probabilities."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from mgvae.classifiers.design import fit_linear_design, fit_tree_design, information
from mgvae.classifiers.factory import make
from mgvae.config.classifiers import BuiltIn
from mgvae.errors import ConfigError
from mgvae.evaluation.measures.ranking import ranking
from mgvae.evaluation.measures.weights import unit_weights
from tests.mgvae.evaluation.simulated_cohort import simulated

NAMES = get_args(BuiltIn)


@pytest.mark.parametrize("name", NAMES)
def test_it_learns_and_calibrates(name):
    train, test = simulated(4000, seed=1), simulated(4000, seed=2)
    p = make(name, 0).fit(train.features, train.event).predict_proba(test.features)
    assert p.shape == (4000,)
    assert ranking(test.event, p, unit_weights(4000))["auroc"][0] > 0.77
    assert p.mean() == pytest.approx(test.prevalence, rel=0.15)


@pytest.mark.parametrize("name", NAMES)
def test_whole_weights_equal_repeated_rows(name):
    rows = simulated(1500)
    weights = np.where(rows.event == 1, 3.0, 1.0)
    repeated = np.repeat(np.arange(1500), weights.astype(int))
    weighted = make(name, 0).fit(rows.features, rows.event, weights).predict_proba(rows.features)
    again = make(name, 0).fit(rows.features.iloc[repeated], rows.event[repeated]).predict_proba(rows.features)
    assert np.corrcoef(weighted, again)[0, 1] > 0.98, "standardisation and leaf sizes see rows, so not exactly equal"


@pytest.mark.parametrize("name", NAMES)
def test_levels_and_gaps_new_at_prediction_are_no_error(name):
    rows = simulated(800)
    seen = rows.features[(rows.features["site"] != "c") & rows.features["site"].notna()].assign(age=50.0)
    event = rows.event[seen.index]
    new = rows.features.assign(age=np.nan, sex=pd.Categorical([None] * 800, categories=["f", "m"]))
    p = make(name, 0).fit(seen, event).predict_proba(new)
    assert np.isfinite(p).all()


@pytest.mark.parametrize("name", NAMES)
def test_empty_constant_and_many_levelled_columns(name):
    rows = simulated(2000)
    levels = [f"code {i}" for i in range(900)]
    many = pd.Categorical.from_codes(np.random.default_rng(0).integers(0, 900, size=2000), levels)
    unused = pd.Categorical([None] * 2000, categories=["x", "y"])
    features = rows.features.assign(empty=np.nan, constant=3.0, many=many, unused=unused)
    p = make(name, 0).fit(features, rows.event).predict_proba(features)
    assert ranking(rows.event, p, unit_weights(2000))["auroc"][0] > 0.7


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("columns", [["severity"], ["site", "sex"]])
def test_one_kind_of_column(name, columns):
    rows = simulated(500)
    p = make(name, 0).fit(rows.features[columns], rows.event).predict_proba(rows.features[columns])
    assert ((p > 0) & (p < 1)).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_model(name):
    rows = simulated(600)
    one, other = (make(name, 4).fit(rows.features, rows.event).predict_proba(rows.features) for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_an_unknown_classifier_is_named():
    with pytest.raises(ConfigError, match="or your own; got 'svm'"):
        make("svm", 0)


def test_the_linear_design_standardises_and_indicates():
    features = simulated(500).features
    rows = fit_linear_design(features, rare=10).rows(features)
    # severity, age, noise, stage; indicators of two gaps; sex one column, site three levels and missing
    assert rows.shape == (500, 4 + 2 + 4 + 1)
    assert rows[:, 1].std() == pytest.approx(1)
    assert set(np.unique(rows[:, 4:])) == {0.0, 1.0}
    np.testing.assert_array_equal(rows[:, 4], features["severity"].isna())
    assert (rows[features["site"].isna(), 6:10].sum(axis=1) == 1).all()


def test_rare_levels_share_one_indicator_and_wide_designs_stay_sparse():
    codes = np.concatenate([np.repeat(np.arange(300), 12), np.arange(300, 400)])
    features = pd.DataFrame({"code": pd.Categorical.from_codes(codes, [str(i) for i in range(400)])})
    rows = fit_linear_design(features, rare=10).rows(features)
    assert sparse.issparse(rows)
    assert rows.shape[1] == 301
    assert rows[-100:].toarray().argmax(axis=1).tolist() == [0] * 100


@pytest.mark.parametrize(("levels", "rare"), [(2, 1), (3, 1), (6, 4), (40, 4), (3, 1000)])
def test_each_level_marks_its_own_column_and_one_that_was_not_seen_marks_none(levels, rare):
    rng = np.random.default_rng(levels)
    fitting, later = (
        pd.DataFrame({name: _drawn(rng, levels, most) for name in ("first", "second")}) for most in (levels, levels + 3)
    )
    design = fit_linear_design(fitting, rare=rare)
    found = design.rows(later)
    expected, start = np.zeros_like(found), 0
    for name in later:
        places, codes = design.places[name], later[name].cat.codes.to_numpy()
        for row, place in enumerate(design.levels[name].place(codes)):
            expected[row, start + np.flatnonzero(places == place)] = 1.0
        start += len(places)
    np.testing.assert_array_equal(found, expected)


def _drawn(rng, levels, most):
    codes = np.minimum(rng.geometric(2 / levels, size=60) - 2, most - 1)  # -1 is missing
    return pd.Categorical.from_codes(codes, [str(level) for level in range(levels + 3)])


def test_the_tree_design_keeps_the_most_frequent_levels():
    codes = np.repeat(np.arange(300), np.arange(1, 301))
    features = pd.DataFrame(
        {"code": pd.Categorical.from_codes(codes, [str(i) for i in range(300)]), "x": np.arange(len(codes), dtype=float)}
    )
    design = fit_tree_design(features, most=250)
    rows = design.rows(features)
    assert design.nominal == (False, True)
    assert rows[:, 1].max() == 250
    assert (rows[codes < 50, 1] == 250).all()
    assert len(np.unique(rows[:, 1])) == 251


def test_boosting_sees_only_the_order_of_a_column():
    rows = simulated(1500)
    bent = rows.features.assign(severity=np.exp(3 * rows.features["severity"]), age=-1 / rows.features["age"])
    plain, other = (make("hist_gradient_boosting", 0).fit(table, rows.event) for table in (rows.features, bent))
    np.testing.assert_allclose(plain.predict_proba(rows.features), other.predict_proba(bent), rtol=0.02, atol=1e-3)


def test_bins_are_about_equally_full_and_few_values_have_one_each():
    rng = np.random.default_rng(0)
    many, few = rng.exponential(size=20_000), rng.choice([0.0, 1.0, 5.0, 1e6], p=[0.9, 0.09, 0.0099, 0.0001], size=20_000)
    many[::7] = np.nan
    design = fit_tree_design(pd.DataFrame({"many": many, "few": few}), most=250)
    binned = design.rows(pd.DataFrame({"many": many, "few": few}))
    counts = np.unique(binned[~np.isnan(many), 0], return_counts=True)[1]
    assert len(counts) == 255
    assert counts.max() < 1.2 * counts.min()
    assert np.isnan(binned[::7, 0]).all()
    assert len(np.unique(binned[:, 1])) == len(np.unique(few))
    beyond = design.rows(pd.DataFrame({"many": [-1.0, 1e9], "few": [-5.0, 1e9]}))
    assert beyond[:, 0].tolist() == [0.0, 254.0]


@pytest.mark.parametrize("how", ["none", "weighted", "repeated"])
def test_trees_of_the_forest_and_their_leaves_hold_the_same_information_in_every_arm(how):
    rows = simulated(1500, prevalence=0.03)
    events = np.flatnonzero(rows.event == 1)
    at = np.arange(1500) if how != "repeated" else np.concatenate([np.arange(1500), np.repeat(events, 30)])
    event = rows.event[at]
    weights = np.where(event == 1, 30.0, 1.0) if how == "weighted" else np.ones(len(at))
    weights *= information(rows.event) / information(event, weights)
    model = make("random_forest", 0).fit(rows.features.iloc[at], event, None if how == "none" else weights)
    share = np.average(event, weights=weights)
    trees = [one.tree_ for one in model._model.estimators_]
    bags = np.array([tree.weighted_n_node_samples[0] for tree in trees]) * share * (1 - share)
    assert bags == pytest.approx(information(rows.event) / 2, rel=0.05)
    leaves = [tree.weighted_n_node_samples[tree.children_left < 0].min() * share * (1 - share) for tree in trees]
    assert 0.8 <= min(leaves) < 1.1
