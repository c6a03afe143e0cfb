"""Aggregates of contributions: shares, ranks, intervals, bins of at least ten patients."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mgvae.cohort.subgroups import Subgroup
from mgvae.config.dictionary import Column
from mgvae.evaluation.bootstrap import resamples
from mgvae.explanation.importance import (
    BINS,
    FEWEST,
    Explained,
    dependences,
    group_importances,
    importances,
    largest,
    ranks,
    shares,
    sizes,
)

COLUMNS = {
    "age": Column(kind="continuous", unit="years", label="Age"),
    "site": Column(kind="categorical", categories=("a", "b", "c")),
    "dull": Column(kind="continuous"),
}


def explained(n=400, *, seed=0, group_size=1, gaps=0):
    rng = np.random.default_rng(seed)
    age = rng.normal(50, 10, n)
    age[:gaps] = np.nan
    site = pd.Categorical.from_codes(rng.integers(0, 3, n), ["a", "b", "c"])
    values = np.column_stack([np.where(np.isnan(age), 0.5, 0.1 * (age - 50)), 0.3 * (site.codes - 1), np.zeros(n)])
    features = pd.DataFrame({"age": age, "site": site, "dull": rng.normal(size=n)})
    plan = resamples(np.arange(n) % 2, np.arange(n) // group_size, n=200, seed=1)
    return Explained(values, features, COLUMNS, np.concatenate(list(plan.chunks()), axis=1))


def test_shares_are_of_the_sum_and_ranks_follow_the_size():
    size = np.array([1.0, 3.0, 0.0, 3.0])
    assert shares(size).tolist() == [1 / 7, 3 / 7, 0, 3 / 7]
    assert ranks(size).tolist() == [3, 1, 4, 2]
    assert shares(np.zeros(3)).tolist() == [0, 0, 0]
    assert sizes(np.array([[-1.0, 2.0], [3.0, 0.0]])).tolist() == [2.0, 1.0]


def test_importances_are_means_of_absolute_contributions_by_falling_size():
    made = explained()
    found = importances(made, [np.array([1.0, 3.0, 0.0]), np.array([3.0, 1.0, 0.0])])
    assert [one.column for one in found] == ["age", "site", "dull"]
    assert [one.label for one in found] == ["Age", "site", "dull"]
    assert [one.rank for one in found] == [1, 2, 3]
    means = np.abs(made.values).mean(axis=0)
    assert [one.size.value for one in found] == pytest.approx(means)
    assert [one.share.value for one in found] == pytest.approx(means / means.sum())
    assert found[0].fold_shares == (0.25, 0.75)
    assert found[0].fold_ranks == (2, 1)
    assert all(one.size.low <= one.size.value <= one.size.high for one in found)


def test_the_interval_is_as_wide_as_the_standard_error_says():
    made = explained(2000)
    one = importances(made, [])[0]
    error = np.abs(made.values[:, 0]).std() / np.sqrt(2000)
    assert one.size.high - one.size.low == pytest.approx(2 * 1.96 * error, rel=0.15)


def test_groups_are_drawn_whole():
    """Ten copies of each patient tell no more than one."""
    single = explained(200)
    plan = resamples(np.tile([0, 1], 1000), np.arange(2000) // 10, n=200, seed=1)
    weights = np.concatenate(list(plan.chunks()), axis=1)
    copies = single.features.loc[single.features.index.repeat(10)].reset_index(drop=True)
    tenfold = Explained(np.repeat(single.values, 10, axis=0), copies, COLUMNS, weights)
    alone, many = (importances(made, [])[0].size for made in (single, tenfold))
    assert many.high - many.low == pytest.approx(alone.high - alone.low, rel=0.05)


def test_the_largest_are_those_with_the_largest_mean_share():
    one, other = np.array([[3.0, 1.0, 0.0, 0.0]]), np.array([[0.0, 1.0, 1.0, 0.0]])
    assert largest([one, other], ["a", "b", "c", "d"]) == ["a", "b", "c"]
    assert largest([one], ["a", "b", "c", "d"]) == ["a", "b"]


@pytest.mark.parametrize(("n", "named"), [(FEWEST - 1, False), (FEWEST, True)])
def test_a_subgroup_of_fewer_than_ten_has_no_shares(n, named):
    made = explained()
    group = Subgroup("sex", "Sex", "f", np.arange(400) < n)
    found = group_importances(made, [group], ["age", "site"])
    assert bool(found) == named
    if named:
        inside = np.abs(made.values[:n]).mean(axis=0)
        assert (found[0].label, found[0].level, found[0].n) == ("Sex", "f", n)
        assert found[0].shares["age"].value == pytest.approx(inside[0] / inside.sum())


def test_bins_of_a_number_partition_the_patients_and_follow_its_values():
    made = explained(gaps=40)
    (age,) = dependences(made, ["age"])
    assert (age.column, age.label, age.unit) == ("age", "Age", "years")
    assert sum(point.n for point in age.points) == 400
    *valued, missing = age.points
    assert (missing.level, missing.value, missing.n) == ("missing", None, 40)
    assert missing.contribution.value == pytest.approx(0.5)
    assert len(valued) == BINS
    assert [point.value for point in valued] == sorted(point.value for point in valued)
    assert all(point.n == 36 for point in valued)
    for point in valued:  # here the contribution is a straight line in age
        assert point.contribution.value == pytest.approx(0.1 * (point.value - 50))


@pytest.mark.parametrize("few", [FEWEST - 1, FEWEST])
def test_no_mean_is_of_fewer_than_ten_patients(few):
    made = explained(300)
    site = np.where(np.arange(300) < few, 2, np.arange(300) % 2)
    age = np.where(np.arange(300) < 290, 40.0, 60.0 + np.arange(300))  # most have one value
    age[:few] = np.nan
    features = made.features.assign(site=pd.Categorical.from_codes(site, ["a", "b", "c"]), age=age)
    ages, sites = dependences(Explained(made.values, features, COLUMNS, made.weights), ["age", "site"])
    assert all(point.n >= FEWEST for point in (*ages.points, *sites.points))
    assert [point.level for point in sites.points] == (["a", "b"] if few < FEWEST else ["a", "b", "c"])
    assert [point.level for point in ages.points if point.level] == ([] if few < FEWEST else ["missing"])


def test_rare_levels_are_put_together():
    made = explained(300)
    site = np.where(np.arange(300) < 12, 1 + np.arange(300) % 2, 0)
    features = made.features.assign(site=pd.Categorical.from_codes(site, ["a", "b", "c"]))
    (found,) = dependences(Explained(made.values, features, COLUMNS, made.weights), ["site"])
    assert [(point.level, point.n) for point in found.points] == [("a", 288), ("other", 12)]


def test_values_without_any_patient():
    made = explained(100)
    features = made.features.assign(age=np.nan)
    (found,) = dependences(Explained(made.values, features, COLUMNS, made.weights), ["age"])
    assert [(point.level, point.n) for point in found.points] == [("missing", 100)]
