"""Dealing groups: whole wherever that comes near the asked share, near it, never everything, the same for a seed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgvae.cohort.groups import Parts, balanced_folds, deal_amounts, first_enough, hold_out
from mgvae.reproducibility import numpy_generator

FEW = st.lists(st.integers(1, 60), min_size=2, max_size=8)  # groups of a few sizes: all choices of them can be tried
SIZES = st.one_of(
    FEW, st.lists(st.integers(1, 400), min_size=2, max_size=6), st.lists(st.integers(1, 5), min_size=2, max_size=60)
)
FRACTIONS = st.sampled_from([0.05, 0.15, 0.2, 0.4])
SEEDS = st.integers(0, 2**32 - 1)


def rows_of(sizes, seed):
    """Return a code for each row of groups of these sizes, in random order, the codes being no positions."""
    rng = np.random.default_rng(seed)
    return rng.permutation(np.repeat(rng.permutation(10 * len(sizes))[: len(sizes)], sizes))


def whole(group, part):
    return all(len(np.unique(part[group == code])) == 1 for code in np.unique(group))


def sums(sizes):
    """Return the rows of every choice of groups but none and all."""
    return {sum(some) for count in range(1, len(sizes)) for some in itertools.combinations(sizes, count)}


@settings(max_examples=300, deadline=None)
@given(SIZES, FRACTIONS, SEEDS)
def test_groups_are_held_out_whole_and_near_the_share_wherever_some_choice_of_them_is(sizes, fraction, seed):
    group = rows_of(sizes, seed)
    parts = hold_out(group, fraction, seed=seed)
    held, due = int(parts.held_out.sum()), int(np.ceil(fraction * len(group)))
    assert 0 < held < len(group)
    assert due / 2 <= held <= 2 * due
    assert not parts.whole or whole(group, parts.part)
    if len(sizes) <= 8 and max(sizes) > 1:
        assert parts.whole == any(due / 2 <= some <= 2 * due for some in sums(sizes))
    assert (hold_out(group, fraction, seed=seed).part == parts.part).all()
    assert bool(parts.remarks("A")) != parts.whole


def test_of_three_sites_the_large_one_is_never_held_out():
    group = np.repeat([5, 9, 2], [900, 60, 40])
    for seed in range(300):
        parts = hold_out(group, 0.15, seed=seed)
        assert parts.whole
        assert set(group[parts.held_out]) == {9, 2}


def test_other_seeds_hold_out_other_groups():
    group = np.arange(600) // 6
    chosen = np.mean([hold_out(group, 0.15, seed=seed).held_out for seed in range(400)], axis=0)
    assert np.abs(chosen - 0.15).max() < 0.1


@pytest.mark.parametrize("sizes", [(7,), (50, 50), (97, 3), (40, 30, 30)])
def test_where_no_choice_of_groups_is_near_rows_are_held_out_and_that_is_said(sizes):
    group = np.repeat(np.arange(len(sizes)), sizes)
    parts = hold_out(group, 0.1, seed=3)
    assert parts.held_out.sum() == np.ceil(0.1 * len(group))
    (remark,) = parts.remarks("Early stopping watched the ELBO")
    assert remark.startswith("Early stopping watched the ELBO on single rows, because no choice of whole groups comes near")


def singles(n):
    return np.random.default_rng(n).permutation(3 * n)[:n]


def families(n):
    rng = np.random.default_rng(n)
    return rng.permutation(np.repeat(rng.permutation(3 * n)[:n], rng.integers(1, 6, n)))


@pytest.mark.parametrize("group", [*map(singles, [2, 3, 7, 20, 100, 333, 5000]), *map(families, [300, 1000])], ids=len)
@pytest.mark.parametrize("fraction", [0.05, 0.15, 0.3, 0.49])
@pytest.mark.parametrize("seed", [0, 17, 2**31])
def test_single_rows_and_small_families_are_held_out_and_folded_as_ever(group, fraction, seed):
    """The frozen formulae: what studies without large groups were trained on must not move."""
    codes, members = np.unique(group, return_counts=True)
    order = numpy_generator(seed, "heldout groups").permutation(len(codes))
    taken = order[: max(1, int(np.searchsorted(members[order].cumsum(), fraction * len(group))) + 1)]
    parts = hold_out(group, fraction, seed=seed)
    np.testing.assert_array_equal(parts.held_out, np.isin(group, codes[taken]))
    assert parts.whole
    order, count = numpy_generator(seed, "case folds").permutation(len(codes)), min(3, len(codes))
    folds = balanced_folds(group, 3, seed=seed)
    for fold in range(count):
        np.testing.assert_array_equal(folds.part == fold, np.isin(group, codes[order[fold::count]]))
    assert folds.whole
    assert folds.part.max() + 1 == count


def test_frozen_positions():
    assert np.flatnonzero(hold_out(np.arange(40), 0.15, seed=7).held_out).tolist() == [5, 17, 23, 25, 27, 38]
    assert balanced_folds(np.arange(12), 3, seed=7).part.tolist() == [0, 1, 1, 2, 2, 2, 2, 1, 1, 0, 0, 0]


@settings(max_examples=300, deadline=None)
@given(SIZES, SEEDS)
def test_folds_are_balanced_and_cover_each_row_once(sizes, seed):
    group = rows_of(sizes, seed)
    folds = balanced_folds(group, 3, seed=seed)
    count = folds.part.max() + 1
    rows = np.bincount(folds.part, minlength=count) * count / len(group)
    assert 2 <= count <= 3
    assert 0.5 <= rows.min() <= rows.max() <= 2 or len(group) < 6
    assert not folds.whole or whole(group, folds.part)
    assert max(sizes) > 0.6 * len(group) or folds.whole
    assert (balanced_folds(group, 3, seed=seed).part == folds.part).all()


@pytest.mark.parametrize(
    ("sizes", "count", "kept"), [((9,), 3, False), ((90, 6, 4), 3, False), ((60, 30, 10), 2, True), ((1,), 1, True)]
)
def test_folds_of_few_large_groups(sizes, count, kept):
    group = np.repeat(np.arange(len(sizes)), sizes)
    folds = balanced_folds(group, 3, seed=0)
    assert (folds.part.max() + 1, folds.whole) == (count, kept)


def test_amounts_end_within_half_an_amount_of_their_due():
    amounts = np.array([5, 4, 4, 3, 3, 2, 1, 1, 1])
    part = deal_amounts(amounts, [0.5, 0.3, 0.2])
    for number, share in enumerate([0.5, 0.3, 0.2]):
        assert abs(amounts[part == number].sum() - share * amounts.sum()) <= 2.5


@pytest.mark.parametrize("seed", range(40))
def test_equal_amounts_are_dealt_as_one_by_one(seed):
    draws = np.random.default_rng(seed)
    amounts = np.sort(draws.integers(1, 6, size=draws.integers(0, 60)))[::-1]
    shares = draws.dirichlet(np.ones(draws.integers(1, 7)))
    given = draws.integers(0, 30, size=len(shares)).astype(float)
    have, expected = given.copy(), []
    due = shares * (given.sum() + amounts.sum())
    for amount in amounts:
        filled = np.where(have > 0, (have + amount / 2) / np.maximum(due, 1e-9), 0)
        expected.append(int(filled.argmin()))
        have[expected[-1]] += amount
    assert deal_amounts(amounts, shares.tolist(), given.tolist()).tolist() == expected


def test_whole_parts_need_no_remark():
    assert Parts(np.zeros(3)).remarks("A") == ()


@pytest.mark.parametrize(
    ("enough", "parts"), [(1, 1), (5, 1), (6, 2), (9, 2), (10, 3), (12, 3), (13, 3)], ids=lambda value: str(value)
)
def test_the_first_parts_that_hold_enough_of_each_kind(enough, parts):
    assert first_enough(np.array([[5, 90], [4, 90], [3, 90]]), enough) == parts
    assert first_enough(np.array([[90, 5], [90, 4], [90, 3]]), enough) == parts
