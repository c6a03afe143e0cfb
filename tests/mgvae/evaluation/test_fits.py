"""The plan of fits: who is fitted, tested and recalibrated by whom."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgvae.cohort.rows import Rows
from mgvae.evaluation.fits import ENOUGH, chosen_pairs, plan_folds
from tests.mgvae.evaluation.simulated_cohort import simulated, with_events


def laws_hold(rows: Rows, plan, *, usable=None, enough=ENOUGH):
    usable = np.ones(len(rows), dtype=bool) if usable is None else usable
    for repeat in {tested.repeat for tested in plan.folds}:
        of_repeat = [tested.rows for tested in plan.folds if tested.repeat == repeat]
        assert sorted(np.concatenate(of_repeat)) == list(range(len(rows))), "each row is tested once in a repeat"
    for tested in plan.folds:
        fit = plan.fits[tested.fit]
        assert set(tested.rows) == set(fit.predicted)
        assert not set(rows.group[fit.fitted]) & set(rows.group[tested.rows])
        learned = np.concatenate([part for _, part in tested.inner])
        assert len(set(learned)) == len(learned), "no row recalibrates twice"
        assert set(learned) <= set(fit.fitted), "recalibrated on rows that the model is fitted on"
        assert learned.size == fit.fitted.size or has_enough(rows, learned, enough), "on all of them, or on enough"
        for name, part in tested.inner:
            inner = plan.fits[name]
            assert set(part) <= set(inner.predicted)
            assert not set(inner.fitted) & (set(part) | set(tested.rows)), "neither tested nor recalibrating rows are fitted"
            assert set(inner.fitted) <= set(fit.fitted)
    assert all(usable[fit.fitted].all() for fit in plan.fits.values())
    assert len({fit.seed for fit in plan.fits.values()}) == len(plan.fits)


def has_enough(rows: Rows, positions, enough) -> bool:
    groups = [len(set(rows.group[positions][rows.event[positions] == value])) for value in (0, 1)]
    return min(groups) >= enough


@given(st.integers(2, 7), st.integers(1, 2), st.integers(1, 3), st.integers(0, 99), st.sampled_from([1, 8, 12, 25, ENOUGH]))
def test_no_row_fits_or_recalibrates_a_model_that_predicts_it(n_folds, repeats, size, seed, enough):
    rows = simulated(300, group_size=size, prevalence=0.15, seed=seed)
    plan = plan_folds(rows, n_folds=n_folds, repeats=repeats, seed=seed, enough=enough)
    laws_hold(rows, plan, enough=enough)
    assert plan.fits.keys() == {tested.fit for tested in plan.folds} | {
        name for tested in plan.folds for name, _ in tested.inner
    }


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=4, max_size=12),
    st.integers(1, 200),
)
def test_each_fold_has_enough_of_its_partners_or_is_paired_with_all(brought, enough):
    chosen = chosen_pairs(brought, enough)
    assert chosen == sorted(set(chosen))
    for fold in range(len(brought)):
        partners = [pair[1 - pair.index(fold)] for pair in chosen if fold in pair]
        had = np.sum([brought[other] for other in partners], axis=0)
        assert len(partners) == len(brought) - 1 or (had >= enough).all()


@pytest.mark.parametrize(
    ("folds", "events", "pairs"),
    [
        (4, 49, 6),
        (4, 50, 4),
        (4, 99, 4),
        (4, 100, 2),
        (5, 33, 10),
        (5, 34, 8),
        (5, 49, 8),
        (5, 50, 5),
        (5, 99, 5),
        (5, 100, 3),
        (10, 50, 10),
        (10, 100, 5),
    ],
)
@pytest.mark.parametrize("scarce", [0, 1])
def test_no_more_pairs_than_bring_enough_of_both(folds, events, pairs, scarce):
    brought = (events, 10 * ENOUGH) if scarce == 0 else (10 * ENOUGH, events)
    assert len(chosen_pairs([brought] * folds, ENOUGH)) == pairs


def test_with_few_events_all_pairs_are_taken_in_order():
    assert chosen_pairs([(20, 900)] * 5, ENOUGH) == [(i, j) for i in range(5) for j in range(i + 1, 5)]
    rows = simulated(600, prevalence=0.1)
    one, other = (plan_folds(rows, n_folds=5, repeats=1, seed=0, enough=enough) for enough in (ENOUGH, 10**9))
    assert list(one.fits) == list(other.fits)
    assert repr(one.folds) == repr(other.folds)


def test_fewer_pairs_leave_the_fits_that_are_taken_as_they_are():
    rows = simulated(4000, prevalence=0.2)
    few, every = (plan_folds(rows, n_folds=5, repeats=1, seed=0, enough=enough) for enough in (ENOUGH, 10**9))
    assert (len(few.fits), len(every.fits)) == (5 + 3, 5 + 10)
    for name, fit in few.fits.items():
        assert fit.seed == every.fits[name].seed
        np.testing.assert_array_equal(fit.fitted, every.fits[name].fitted)


def test_copies_of_a_patient_in_one_group_count_once():
    """Rows of a group are alike: forty tell little more of the slope than one."""
    rows = simulated(4000, prevalence=0.2)
    grouped = Rows(rows.features, rows.event, np.arange(4000) // 40)
    assert len(plan_folds(grouped, n_folds=5, repeats=1, seed=0).fits) == 5 + 10


def test_only_usable_rows_count():
    rows = simulated(4000, prevalence=0.2)
    usable = np.random.default_rng(0).random(4000) < 0.1
    plan = plan_folds(rows, n_folds=5, repeats=1, seed=0, usable=usable)
    assert len(plan.fits) == 5 + 10
    laws_hold(rows, plan, usable=usable)


@pytest.mark.parametrize(("folds", "fits"), [(2, 2 + 2 * 2), (3, 3 + 3 * 2), (4, 4 + 6), (5, 5 + 10), (10, 10 + 45)])
def test_a_pair_of_folds_is_left_out_once_for_both(folds, fits):
    rows = simulated(600, prevalence=0.1)
    assert len(plan_folds(rows, n_folds=folds, repeats=1, seed=0).fits) == fits
    assert len(plan_folds(rows, n_folds=folds, repeats=3, seed=0).fits) == 3 * fits


@pytest.mark.parametrize(("enough", "inner"), [(1, 1), (15, 1), (25, 2), (None, 2)])
def test_of_three_folds_one_inner_fold_is_fitted_where_it_holds_enough(enough, inner):
    rows = with_events(simulated(600), 60)  # 40 outside of a fold, 20 in each half of them
    plan = plan_folds(rows, n_folds=3, repeats=1, seed=0, enough=enough)
    assert [len(tested.inner) for tested in plan.folds] == [inner] * 3
    assert len(plan.fits) == 3 + 3 * inner


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
