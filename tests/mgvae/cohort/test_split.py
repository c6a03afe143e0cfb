"""Splits: nobody on both sides, both classes shared out evenly, the same seed gives the same split."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mgvae.cohort.build import Cohort
from mgvae.cohort.split import folds, holdout, is_temporal
from mgvae.config.sections import Split
from mgvae.errors import OutcomeError


def cohort(event, group, index_date=None, *, grouped=True):
    n = len(event)
    names = [str(one) if grouped else None for one in group]
    return Cohort(
        features=pd.DataFrame({"x": np.zeros(n)}),
        event=np.asarray(event, dtype=bool),
        subject=np.array([str(i) for i in range(n)], dtype=object),
        group=np.asarray(group, dtype=np.int64),
        group_name=np.array(names, dtype=object),
        subgroups=pd.DataFrame(index=range(n)),
        index_date=index_date,
        flow=(),
    )


@st.composite
def subjects(draw):
    """Groups of 1 to 6, some of them with events, at least five groups with each."""
    sizes = draw(st.lists(st.integers(1, 6), min_size=20, max_size=120))
    group = np.repeat(np.arange(len(sizes)), sizes)
    chance = draw(st.floats(0.01, 0.4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    event = rng.random(len(group)) < chance
    order = rng.permutation(len(group))
    event, group = event[order], group[order] * 17
    assume(len(np.unique(group[event])) >= 5)
    assume(len(np.setdiff1d(group, group[event])) >= 5)
    return event, group


def largest(event, group):
    codes = np.unique(group, return_inverse=True)[1]
    return np.bincount(codes, weights=event).max(), np.bincount(codes).max()


def apart(group, mask):
    return not set(group[mask]) & set(group[~mask])


@settings(max_examples=60, deadline=None)
@given(subjects(), st.sampled_from([0.05, 0.2, 0.25, 0.5]), st.integers(0, 100))
def test_holdout_keeps_groups_whole_and_shares_even(drawn, fraction, seed):
    event, group = drawn
    test = holdout(cohort(event, group), Split(test_fraction=fraction), seed=seed)
    most_events, most_rows = largest(event, group)
    assert apart(group, test)
    assert event[test].any()
    assert event[~test].any()
    assert abs(event[test].sum() - fraction * event.sum()) <= most_events
    # the groups that hold events are dealt by events; what they hold in rows more than their share cannot be taken back
    assert abs(test.sum() - fraction * len(event)) <= max(most_rows, np.isin(group, group[event]).sum())


@settings(max_examples=40, deadline=None)
@given(subjects(), st.sampled_from([0.05, 0.25, 0.5]), st.integers(0, 100))
def test_the_order_of_the_rows_and_the_numbers_of_the_groups_do_not_matter(drawn, fraction, seed):
    event, group = drawn
    people = cohort(event, group)
    test = holdout(people, Split(test_fraction=fraction), seed=seed)
    order = np.random.default_rng(seed).permutation(len(event))
    mixed = people.take(order)
    mixed = replace(mixed, group=np.random.default_rng(seed).permutation(group.max() + 1)[mixed.group])
    assert (holdout(mixed, Split(test_fraction=fraction), seed=seed) == test[order]).all()


def tomorrow(people, more, gone, seed):
    """Return a cohort that lacks the rows ``gone`` and has ``more`` new subjects, half of them in groups of two."""
    rng = np.random.default_rng(seed)
    kept = people.take(np.setdiff1d(np.arange(len(people)), gone))
    event = np.concatenate([kept.event, rng.random(more) < people.prevalence])
    new = people.group.max() + 1 + np.where(np.arange(more) < more // 2, np.arange(more) // 2, np.arange(more))
    new_names = [f"new {number}" for number in new]
    return replace(
        cohort(event, np.concatenate([kept.group, new])),
        subject=np.concatenate([kept.subject, [f"new {at}" for at in range(more)]]),
        group_name=np.concatenate([kept.group_name, np.array(new_names, dtype=object)]),
    )


@pytest.mark.parametrize(
    ("kind", "least"),
    [("alone", 0.98), ("families", 0.97), ("sites", 0.91)],  # three of forty sites at most
)
@pytest.mark.parametrize("seed", range(5))
def test_the_old_patients_of_tomorrow_s_extract_stay_on_their_side(kind, least, seed):
    rng, n = np.random.default_rng(seed), 4000
    group = {"alone": np.arange(n), "families": rng.integers(0, 1500, n), "sites": rng.integers(0, 40, n)}[kind]
    people = cohort(rng.random(n) < 0.03, group)
    today = dict(zip(people.subject, holdout(people, Split(), seed=seed), strict=True))
    later = tomorrow(people, more=80, gone=rng.choice(n, 20, replace=False), seed=seed)
    sides = dict(zip(later.subject, holdout(later, Split(), seed=seed), strict=True))
    assert np.mean([sides[name] == today[name] for name in sides if name in today]) >= least
    assert np.mean(list(sides.values())) == pytest.approx(0.25, abs=0.05)


def test_of_groups_alike_those_with_the_lowest_numbers_are_taken_whatever_else_there_is():
    event, group = np.arange(900) < 30, np.arange(900)
    few, many = cohort(event[:600], group[:600]), cohort(event, group)
    small, large = (people.subject[holdout(people, Split(), seed=1) & ~people.event] for people in (few, many))
    within = set(large) & set(few.subject)
    assert within < set(small) or set(small) <= within, "the one limit lies above the other"


def test_a_group_and_a_subject_of_the_same_name_are_two():
    event, group = np.arange(400) % 10 == 0, np.arange(400)
    named, alone = (holdout(cohort(event, group, grouped=grouped), Split(), seed=0) for grouped in (True, False))
    assert (named != alone).any()


@settings(max_examples=60, deadline=None)
@given(subjects(), st.integers(2, 5), st.integers(0, 100))
def test_folds_cover_each_row_once_and_keep_groups_whole(drawn, n_folds, seed):
    event, group = drawn
    pairs = folds(event, group, n_folds=n_folds, seed=seed)
    assert sorted(np.concatenate([test for _, test in pairs])) == list(range(len(event)))
    counts = [int(event[test].sum()) for _, test in pairs]
    assert min(counts) >= 1
    assert max(counts) - min(counts) <= largest(event, group)[0]
    for train, test in pairs:
        assert not set(group[train]) & set(group[test])
        assert len(train) + len(test) == len(event)


def test_single_subjects_are_shared_out_to_the_row():
    event = np.arange(2000) < 40
    group = np.arange(2000)
    test = holdout(cohort(event, group), Split(test_fraction=0.25), seed=3)
    assert (test.sum(), event[test].sum()) == (500, 10)
    assert [(len(test), event[test].sum()) for _, test in folds(event, group, n_folds=5, seed=3)] == [(400, 8)] * 5


def test_same_seed_same_split_other_seed_other_split():
    event, group = np.arange(500) % 20 == 0, np.arange(500) // 2
    people = cohort(event, group)
    one, same, other = (holdout(people, Split(), seed=seed) for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()
    first, again = (folds(event, group, n_folds=5, seed=1) for _ in range(2))
    assert all((a[1] == b[1]).all() for a, b in zip(first, again, strict=True))


def test_every_subject_has_the_same_chance_of_the_test_part():
    event, group = np.arange(60) < 12, np.arange(60)
    people = cohort(event, group)
    share = np.mean([holdout(people, Split(test_fraction=0.25), seed=seed) for seed in range(800)], axis=0)
    assert np.abs(share - 0.25).max() < 4.5 * np.sqrt(0.25 * 0.75 / 800)


def test_five_events_are_enough_for_five_folds():
    event, group = np.arange(300) < 5, np.arange(300)
    test = holdout(cohort(event, group), Split(test_fraction=0.05), seed=0)
    assert event[test].sum() == 1
    assert all(event[part].sum() == 1 for _, part in folds(event, group, n_folds=5, seed=0))


def test_too_few_groups_with_events():
    event, group = np.arange(300) < 12, np.arange(300) // 4
    with pytest.raises(
        OutcomeError, match=r"The 5 folds must each hold at least one event; 2 would hold none of the 12\. .* at most 3"
    ):
        folds(event, group, n_folds=5, seed=0)
    with pytest.raises(OutcomeError, match="Training and test part must each hold at least one event"):
        holdout(cohort(np.arange(300) < 4, group), Split(), seed=0)


def days(numbers):
    return pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(np.asarray(numbers), unit="D"))


@settings(max_examples=60, deadline=None)
@given(subjects(), st.integers(1, 400), st.sampled_from([0.1, 0.25, 0.5]), st.integers(0, 2**32 - 1))
def test_temporal_holdout_trains_on_the_past_alone(drawn, span, fraction, seed):
    event, group = drawn
    when = np.random.default_rng(seed).integers(0, span + 1, len(event))
    people = cohort(event, group, days(when))
    last = pd.Series(when).groupby(group).transform("max").to_numpy()
    try:
        test = holdout(people, Split(method="temporal", test_fraction=fraction), seed=0)
    except OutcomeError:
        assume(False)
    assert apart(group, test)
    assert when[~test].max() < last[test].min()


def test_temporal_holdout_takes_the_latest_days():
    when = np.random.default_rng(0).permutation(1000)
    event = when % 10 == 0
    test = holdout(cohort(event, np.arange(1000), days(when)), Split(method="temporal", test_fraction=0.2), seed=0)
    assert (test == (when >= 800)).all()


def test_temporal_holdout_needs_dates_that_part_the_events():
    event, group = np.arange(100) < 10, np.arange(100)
    temporal = Split(method="temporal", test_fraction=0.2)
    with pytest.raises(OutcomeError, match=r"at least one event; 1 would hold none of the 10.*split\.method random"):
        holdout(cohort(event, group, days(np.arange(100))), temporal, seed=0)
    with pytest.raises(OutcomeError, match="all are the same"):
        holdout(cohort(event, group, days(np.zeros(100))), temporal, seed=0)
    with pytest.raises(OutcomeError, match="needs an index date"):
        holdout(cohort(event, group), temporal, seed=0)


def test_auto_is_temporal_where_there_are_index_dates_and_random_elsewhere():
    event, group, when = np.arange(100) % 5 == 0, np.arange(100), np.random.default_rng(1).permutation(100)
    auto, random, temporal = (Split(method=method) for method in ("auto", "random", "temporal"))
    dated, undated, one_day = cohort(event, group, days(when)), cohort(event, group), cohort(event, group, days(np.zeros(100)))
    lacks = cohort(when < 10, group, days(when))  # the latest patients have no event
    assert (holdout(dated, auto, seed=0) == holdout(dated, temporal, seed=0)).all()
    for people in (undated, one_day, lacks):
        assert (holdout(people, auto, seed=0) == holdout(people, random, seed=0)).all()
        assert not is_temporal(people, holdout(people, auto, seed=0))
    assert is_temporal(dated, holdout(dated, auto, seed=0))
    assert not is_temporal(dated, holdout(dated, random, seed=0))
    assert Split().method == "auto"
    with pytest.raises(OutcomeError, match="at least one event"):
        holdout(cohort(np.arange(100) < 1, group, days(when)), auto, seed=0)


def test_groups_whose_latest_day_is_late_are_tested_whole_and_that_is_temporal():
    when = np.array([0, 9, 1, 2, 3, 4, 5, 8, 6, 7])
    people = cohort(np.arange(10) % 2 == 0, np.arange(10) // 2, days(when))
    test = holdout(people, Split(method="temporal", test_fraction=0.2), seed=0)
    assert test.tolist() == [True, True] + [False] * 8
    assert is_temporal(people, test)
