"""Sums that depend on their row alone; a region that new patients of the same kind seldom leave."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from mgvae.classifiers.region import Region, fit_region
from mgvae.classifiers.row_sums import row_sums


@pytest.mark.parametrize("store", [np.asarray, sparse.csr_array])
def test_a_row_s_sum_does_not_depend_on_its_place(store):
    rng = np.random.default_rng(0)
    rows, weights = rng.normal(size=(1001, 37)) * (rng.random((1001, 37)) < 0.7), rng.normal(size=37)
    order = rng.permutation(len(rows))
    found = row_sums(store(rows), weights)
    np.testing.assert_allclose(found, rows @ weights, atol=1e-12)
    np.testing.assert_array_equal(row_sums(store(rows[order]), weights), found[order])
    np.testing.assert_array_equal(np.concatenate([row_sums(store(rows[[at]]), weights) for at in range(9)]), found[:9])


def people(n, *, seed, correlation=0.95):
    rng = np.random.default_rng(seed)
    first = rng.normal(size=n)
    second = correlation * first + np.sqrt(1 - correlation**2) * rng.normal(size=n)
    frame = pd.DataFrame({"a": first, "b": second, **{f"x{at}": rng.normal(size=n) for at in range(8)}})
    frame["x0"] = frame["x0"].mask(rng.random(n) < 0.1)
    frame["level"] = pd.Categorical(rng.choice(["u", "v"], n), categories=["u", "v", "w"])
    frame["constant"] = 1.0
    return frame


@pytest.mark.parametrize("n", [60, 300, 3000])
def test_new_patients_of_the_same_kind_are_seldom_far(n):
    rates = [fit_region(people(n, seed=seed)).far(people(4000, seed=100 + seed)).mean() for seed in range(5)]
    assert np.mean(rates) < (0.02 if n < 100 else 0.008)


def test_one_who_breaks_the_dependence_is_far_though_each_value_is_common():
    region, odd = fit_region(people(2000, seed=1)), people(1, seed=2)
    odd.loc[0, ["a", "b"]] = [1.9, -1.9]
    assert region.far(odd).all()
    odd.loc[0, ["a", "b"]] = [1.9, 1.9]
    assert not region.far(odd).any()


def test_a_level_without_patients_is_named_and_json_gives_the_same_region():
    region = fit_region(people(500, seed=1))
    assert region.unseen == {"level": ["w"]}
    again = Region.from_json(region.to_json())
    frame = people(500, seed=3).assign(a=lambda one: one["a"] * 2)
    np.testing.assert_array_equal(again.far(frame), region.far(frame))
    assert (again.unseen, again.limit) == (region.unseen, region.limit)


def test_more_columns_than_patients_and_none_at_all():
    rng = np.random.default_rng(0)
    wide = pd.DataFrame(rng.normal(size=(50, 150)))
    wide.columns = wide.columns.astype(str)
    assert fit_region(wide).far(wide * 9).all()
    none = pd.DataFrame({"level": pd.Categorical(["u", "v"] * 20)})
    assert not fit_region(none).far(none).any()
