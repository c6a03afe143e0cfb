"""Which translations are kept: distinct, repeatable, and differing from the majority as the cases do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgvae.generator.judges import ALL, WIDE, RandomisedTrees, fit_case_ratio, judging, stacked
from mgvae.generator.plausibility import _matching_weight, drawn_once, keep_plausible

WAYS = ("matched", "stacked", "filtered", "none")


def rows(n, *, at=0.0, seed=0):
    """Return n rows: a signal around ``at``, noise, and a level that follows the signal."""
    rng = np.random.default_rng(seed)
    signal = at + rng.normal(size=n)
    level = pd.Categorical(np.where(signal + rng.normal(size=n) > 1, "1", "0"), categories=["0", "1"])
    return pd.DataFrame({"signal": signal, "noise": rng.normal(size=n), "level": level})


def kept(made, majority, cases, *, n, how="matched", seed=0, group=None):
    group = np.arange(len(majority) + len(cases)) if group is None else group
    return keep_plausible(made, majority, cases, group, n=n, how=how, seed=seed).rows


@pytest.mark.parametrize("how", WAYS)
def test_positions_are_distinct_and_repeatable(how):
    data = rows(400, at=0.5, seed=1), rows(300), rows(20, at=1.5, seed=2)
    got = kept(*data, n=100, how=how)
    assert len(got) == len(set(got.tolist())) == 100
    assert got.min() >= 0
    assert got.max() < 400
    np.testing.assert_array_equal(got, kept(*data, n=100, how=how))


def test_relabelled_majority_patients_are_thinned_out():
    majority, cases = rows(1500), rows(120, at=1.5, seed=2)
    made = pd.concat([rows(2000, seed=3), rows(2000, at=1.5, seed=4)], ignore_index=True)  # half of them are no cases
    signal = made["signal"].to_numpy()[kept(made, majority, cases, n=1000)]
    assert signal.mean() == pytest.approx(cases["signal"].mean(), abs=0.25)
    assert made["signal"].mean() < cases["signal"].mean() - 0.5


def test_what_the_decoder_exaggerates_is_taken_back():
    majority, cases = rows(1500), rows(120, at=1.0, seed=2)
    made = rows(4000, at=1.8, seed=3)
    assert made["signal"].to_numpy()[kept(made, majority, cases, n=1000)].mean() == pytest.approx(1.0, abs=0.35)


def test_what_already_differs_as_cases_do_is_left_alone():
    majority, cases, made = rows(1500), rows(300, at=1.0, seed=2), rows(4000, at=1.0, seed=3)
    got = made.iloc[kept(made, majority, cases, n=1000)]
    assert got["signal"].mean() == pytest.approx(1.0, abs=0.2)
    assert got["noise"].mean() == pytest.approx(0.0, abs=0.15)
    assert got["noise"].std() == pytest.approx(1.0, abs=0.1)


def test_the_filter_drops_what_looks_least_like_a_case():
    majority, cases = rows(1500), rows(200, at=3.0, seed=2)
    made = pd.concat([rows(500, at=-2.0, seed=3), rows(500, at=3.0, seed=4)], ignore_index=True)
    got = kept(made, majority, cases, n=400, how="filtered")
    assert (got >= 500).mean() > 0.98
    assert set(range(500, 1000)) > set(got.tolist())


def test_where_too_few_are_plausible_the_best_of_the_rest_fill_up():
    majority, cases = rows(600), rows(60, at=3.0, seed=2)
    made = rows(300, at=-2.0, seed=3)
    got = kept(made, majority, cases, n=100, how="filtered")
    assert len(set(got.tolist())) == 100
    assert made["signal"].to_numpy()[got].mean() > made["signal"].mean()


@pytest.mark.parametrize(("cases", "group"), [(1, None), (4, np.array([*range(50), 99, 99, 99, 99]))])
def test_one_case_or_one_family_cannot_judge(cases, group):
    np.testing.assert_array_equal(kept(rows(40), rows(50), rows(cases, at=2.0), n=10, group=group), np.arange(10))


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("n", [0, 1, 40])
def test_none_one_and_all(how, n):
    assert len(set(kept(rows(40), rows(50), rows(8, at=2.0), n=n, how=how).tolist())) == n


@pytest.mark.parametrize("how", WAYS)
def test_a_table_without_information_is_no_obstacle(how):
    flat = pd.DataFrame({"level": pd.Categorical(["0"] * 60, categories=["0", "1"])})
    assert len(kept(flat[:40], flat[:50], flat[:8], n=10, how=how)) == 10


@given(st.lists(st.floats(-30, 30), min_size=2, max_size=80), st.integers(1, 60), st.integers(0, 3))
def test_a_draw_repeats_no_position_however_uneven_the_weights(weights, n, seed):
    n = min(n, len(weights) - 1)
    got = drawn_once(np.array(weights), n, seed=seed)
    assert len(set(got.tolist())) == n


def test_a_draw_follows_the_weights():
    weight = np.repeat([0.0, np.log(3.0)], 5000)
    got = drawn_once(weight, 1000, seed=0)
    assert (got >= 5000).mean() == pytest.approx(0.75, abs=0.05)


@pytest.mark.parametrize("size", [1, 5])
def test_a_case_is_judged_by_classifiers_that_saw_neither_it_nor_its_group(size):
    """Where labels mean nothing, the filter drops about 5 %; judges that know the cases would drop nearly all."""
    rng = np.random.default_rng(0)
    families = rng.normal(size=(60, 4)), np.arange(60) < 15
    table, event = pd.DataFrame(np.repeat(families[0], size, axis=0), columns=list("abcd")), np.repeat(families[1], size)
    group = np.repeat(np.arange(60), size)
    made = pd.DataFrame(rng.normal(size=(400, 4)), columns=list("abcd"))
    got = kept(made, table[~event], table[event], n=300, how="filtered", group=np.concatenate([group[~event], group[event]]))
    assert np.isin(np.arange(250), got).mean() > 0.8


def test_translations_that_differ_as_cases_do_weigh_alike():
    majority, cases, made = rows(600), rows(120, at=1.0, seed=2), rows(1200, at=1.0, seed=3)
    event = np.repeat([False, True], [600, 120])
    ratio = fit_case_ratio(pd.concat([majority, cases], ignore_index=True), event, np.arange(720), seed=0)
    assert np.corrcoef(ratio(made), made["signal"])[0, 1] > 0.8
    weight = _matching_weight(ratio(made), made, majority, 300, seed=0)
    assert abs(np.polyfit(made["signal"], weight, 1)[0]) < 0.35


def test_where_judges_are_equally_good_their_mean_judges():
    rng = np.random.default_rng(0)
    event = rng.random(4000) < 0.1
    odds = np.where(event, 1.0, -1.0) + rng.normal(size=(2, 4000))
    _, slopes = stacked(event, odds.T)
    assert slopes[0] == pytest.approx(slopes[1], rel=0.15)


@pytest.mark.parametrize("bad", [lambda odds, noise: noise, lambda odds, noise: -odds])
def test_a_judge_that_fails_has_no_say(bad):
    rng = np.random.default_rng(0)
    event = rng.random(4000) < 0.1
    good = np.where(event, 1.0, -1.0) + rng.normal(size=4000)
    _, slopes = stacked(event, np.column_stack([good, bad(good, rng.normal(size=4000))]))
    assert slopes.min() == slopes[1] == pytest.approx(0.0, abs=0.1)
    assert slopes[0] > 1


def test_slopes_are_those_of_the_penalised_likelihood():
    """At the mode, the likelihood's gradient is the prior's pull, where no slope is 0."""
    rng = np.random.default_rng(1)
    event = rng.random(60) < 0.3
    odds = np.where(event, 1.0, -1.0)[:, None] + 2 * rng.normal(size=(60, 2))
    level, slopes = stacked(event, odds)
    miss = event - 1 / (1 + np.exp(-(level + odds @ slopes)))
    spread = odds.std(axis=0)
    assert miss.sum() == pytest.approx(0.0, abs=1e-3)
    np.testing.assert_allclose(miss @ (odds / spread), slopes * spread - 0.5, atol=1e-3)


def test_judges_rank_a_rule_that_no_line_finds():
    """Cases are inside a ring of the majority: what a forest learns from rows, translations must be able to carry."""
    rng = np.random.default_rng(0)
    features = pd.DataFrame(rng.normal(size=(900, 2)), columns=list("ab"))
    event = np.hypot(features["a"], features["b"]).to_numpy() < 0.4
    ratio = fit_case_ratio(features, event, np.arange(900), seed=0, learned=True)
    grid = pd.DataFrame({"a": [0.0, 2.0, -2.0, 0.0, 0.0], "b": [0.0, 0.0, 0.0, 2.0, -2.0]})
    assert ratio(grid)[0] - ratio(grid)[1:].max() > 2


def test_randomised_trees_do_not_depend_on_a_columns_scale():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.normal(size=300), "b": rng.normal(size=300)})
    event = (table["a"] + rng.normal(size=300) > 1).astype(int).to_numpy()
    far = table.assign(a=np.exp(4 * table["a"]))
    risks = [RandomisedTrees(seed=0).fit(rows, event).predict_proba(rows) for rows in (table, far)]
    np.testing.assert_array_equal(risks[0], risks[1])
    assert 0 < risks[0].min() < risks[0].max() < 1


@pytest.mark.parametrize(("columns", "judges"), [(WIDE, len(ALL)), (WIDE + 1, 1)])
def test_a_wide_table_is_judged_by_logistic_regression_alone(columns, judges):
    table = pd.DataFrame(np.zeros((2, columns))).rename(columns=str)
    assert len(judging(table)) == judges


def test_randomised_trees_take_numbers_of_any_size():
    table = pd.DataFrame({"a": [-1e308, -1e300, 0.0, 5e-324, 1e308] * 20, "b": np.arange(100.0)})
    risk = RandomisedTrees(seed=0).fit(table, np.arange(100) % 5 == 4).predict_proba(table)
    assert risk[4::5].min() > risk[3::5].max()


def test_unless_weights_are_learned_the_two_modest_judges_count_alike():
    features = pd.concat([rows(300), rows(60, at=1.0, seed=2)], ignore_index=True)
    ratio = fit_case_ratio(features, np.repeat([False, True], [300, 60]), np.arange(360), seed=0)
    assert len(ratio.judges) == 2
    assert ratio.slopes[0] == ratio.slopes[1] > 0
