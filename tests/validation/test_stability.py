"""The stability index less chance, its bins and the distance, each held against its definition."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from validation.stability import Binned, binned, distance, noise, psi, stability

TAIL = 0.025
BINS = st.lists(st.tuples(st.integers(1, 3000), st.integers(1, 3000)), min_size=2, max_size=12)


def histograms(pairs):
    return Binned(*(np.array(part) for part in zip(*pairs, strict=True)))


@given(BINS)
def test_the_value_is_the_index_less_what_chance_makes_of_it(pairs):
    counted = histograms(pairs)
    found = stability(counted, tail=TAIL)
    assert found.value == pytest.approx(max(psi(counted.before, counted.after) - noise(counted), 0.0), abs=1e-12)
    assert 0 <= found.low <= found.high


def test_chance_alone_leaves_almost_nothing():
    """The index is about chi-square with 9 degrees: what exceeds its mean is 1.69 on average, a fifth of the index."""
    rng = np.random.default_rng(0)
    drawn = [Binned(rng.multinomial(1000, [0.1] * 10), rng.multinomial(800, [0.1] * 10)) for _ in range(300)]
    left = np.mean([stability(one, tail=TAIL).value for one in drawn])
    excess = stats.chi2(9).expect(lambda found: found - 9, lb=9)
    assert left == pytest.approx(excess * (1 / 1000 + 1 / 800), rel=0.2)
    assert left < 0.3 * noise(drawn[0])


@given(BINS)
def test_a_smaller_tail_makes_wider_limits(pairs):
    narrow, wide = (stability(histograms(pairs), tail=tail) for tail in (0.025, 0.001))
    assert wide.low <= narrow.low + 1e-9
    assert narrow.high <= wide.high + 1e-9


def test_one_bin_cannot_have_moved():
    found = stability(Binned(np.array([50]), np.array([80])), tail=TAIL)
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_numbers_are_counted_by_the_deciles_of_the_first_table():
    before, after = pd.Series(np.arange(1000.0)), pd.Series(np.linspace(800, 2000, 600))
    assert binned(before, before).before.tolist() == [100] * 10
    assert binned(before, after).before.tolist() == [100] * 10
    assert binned(before, after).after.sum() == 600
    assert len(binned(after, before).before) == 10


def test_missing_cells_are_a_bin_of_their_own():
    before = pd.Series(np.arange(1000.0)).mask(np.arange(1000) % 5 == 0)
    counted = binned(before, pd.Series(np.arange(1000.0)))
    assert (counted.before[-1], counted.after[-1]) == (200, 0)
    assert (counted.before.sum(), counted.after.sum()) == (1000, 1000)


@pytest.mark.parametrize(("rare", "bins"), [(9, 2), (10, 3)])
def test_bins_with_fewer_than_five_expected_cells_of_the_smaller_table_are_counted_together(rare, bins):
    """Of 200 and of 200 rows, 10 cells in all are 5 expected in either; two rare levels make one bin."""
    before = pd.Series(["often"] * (200 - 2 * rare) + ["a"] * rare + ["b"] * rare)
    after = pd.Series(["often"] * 200)
    counted = binned(before, after)
    assert len(counted.before) == bins
    assert (counted.before.sum(), counted.after.sum()) == (200, 200)


def test_the_smaller_table_decides_which_bins_are_rare():
    large, small = (pd.Series(["often"] * (n - 2 * rare) + ["a", "b"] * rare) for n, rare in ((4000, 100), (100, 2)))
    assert len(binned(large, small).before) == len(binned(small, large).before) == 2


@given(st.integers(0, 1000), st.integers(20, 200), st.integers(20, 200))
def test_the_lower_limit_of_the_distance_of_two_like_samples_is_wrong_no_more_often_than_asked(seed, n, m):
    """The distance less its lower limit is the critical value of the test of Kolmogorov and Smirnov."""
    rng = np.random.default_rng(seed)
    found = distance(pd.Series(rng.normal(size=n)), pd.Series(rng.normal(size=m) + 3), tail=TAIL)
    assert found.value - found.low == pytest.approx(stats.kstwobign.isf(TAIL) * np.sqrt(1 / n + 1 / m))
