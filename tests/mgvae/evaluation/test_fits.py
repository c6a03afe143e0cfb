"""The plan of fits: who is fitted, tested and recalibrated by whom."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgvae.cohort.rows import Rows
from mgvae.evaluation.fits import plan_folds
from tests.mgvae.evaluation.simulated_cohort import simulated, with_events


def laws_hold(rows: Rows, plan, *, usable=None):
    usable = np.ones(len(rows), dtype=bool) if usable is None else usable
    for repeat in {tested.repeat for tested in plan.folds}:
        of_repeat = [tested.rows for tested in plan.folds if tested.repeat == repeat]
        assert sorted(np.concatenate(of_repeat)) == list(range(len(rows))), "each row is tested once in a repeat"
    for tested in plan.folds:
        fit = plan.fits[tested.fit]
        assert set(tested.rows) == set(fit.predicted)
        assert not set(rows.group[fit.fitted]) & set(rows.group[tested.rows])
        learned = np.concatenate([part for _, part in tested.inner])
        assert sorted(learned) == fit.fitted.tolist(), "recalibrated on exactly the rows that the model is fitted on, each once"
        for name, part in tested.inner:
            inner = plan.fits[name]
            assert set(part) <= set(inner.predicted)
            assert not set(inner.fitted) & (set(part) | set(tested.rows)), "neither tested nor recalibrating rows are fitted"
            assert set(inner.fitted) <= set(fit.fitted)
    assert all(usable[fit.fitted].all() for fit in plan.fits.values())
    assert len({fit.seed for fit in plan.fits.values()}) == len(plan.fits)


@given(st.integers(2, 7), st.integers(1, 2), st.integers(1, 3), st.integers(0, 99))
def test_no_row_fits_or_recalibrates_a_model_that_predicts_it(n_folds, repeats, size, seed):
    rows = simulated(300, group_size=size, prevalence=0.15, seed=seed)
    laws_hold(rows, plan_folds(rows, n_folds=n_folds, repeats=repeats, seed=seed))


@pytest.mark.parametrize(("folds", "fits"), [(2, 2 + 2 * 2), (3, 3 + 3 * 2), (4, 4 + 6), (5, 5 + 10), (10, 10 + 45)])
def test_a_pair_of_folds_is_left_out_once_for_both(folds, fits):
    rows = simulated(600, prevalence=0.2)
    assert len(plan_folds(rows, n_folds=folds, repeats=1, seed=0).fits) == fits
    assert len(plan_folds(rows, n_folds=folds, repeats=3, seed=0).fits) == 3 * fits


def test_recalibration_is_learned_on_whole_groups_where_enough_have_an_event():
    rows = simulated(600, group_size=4, prevalence=0.2)
    plan = plan_folds(rows, n_folds=3, repeats=1, seed=0)
    assert plan.remarks == ()
    for tested in plan.folds:
        for name, part in tested.inner:
            assert not set(rows.group[plan.fits[name].fitted]) & set(rows.group[part])


def test_with_two_sites_recalibration_is_learned_on_rows_and_says_so():
    rows = simulated(600, prevalence=0.2)
    sites = Rows(rows.features, rows.event, np.arange(600) % 2)
    plan = plan_folds(sites, n_folds=5, repeats=2, seed=0)
    assert len(plan.remarks) == 1
    assert plan.remarks[0].startswith("Recalibration was learned on single rows")
    assert all(tested.inner for tested in plan.folds)


def test_a_single_event_recalibrates_nothing():
    rows = with_events(simulated(200), 2)
    plan = plan_folds(rows, n_folds=2, repeats=1, seed=0)
    assert [tested.inner for tested in plan.folds] == [(), ()]


@pytest.mark.parametrize("folds", [3, 5])
def test_only_usable_rows_are_fitted_and_recalibrate_and_all_are_tested(folds):
    rows = simulated(600, prevalence=0.2)
    usable = np.random.default_rng(0).random(600) < 0.5
    plan = plan_folds(rows, n_folds=folds, repeats=1, seed=0, usable=usable)
    laws_hold(rows, plan, usable=usable)
    whole = plan_folds(rows, n_folds=folds, repeats=1, seed=0)
    for one, other in zip(plan.folds, whole.folds, strict=True):
        np.testing.assert_array_equal(one.rows, other.rows)
