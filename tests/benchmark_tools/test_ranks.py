"""Ranks, intervals and tests against scipy, and against examples worked by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from tests.benchmarks.oversamplers.ranks import against, corrected_interval, holm, ranked


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_mean_ranks_by_hand():
    ranking = ranked({"a": [0.9, 0.8, 0.7], "b": [0.8, 0.9, 0.7], "c": [0.1, 0.2, 0.3]})
    assert ranking.arms == ("a", "b", "c")
    assert ranking.mean_ranks == pytest.approx((1.5, 1.5, 3.0))
    assert ranking.blocks == 3


def test_friedman_is_scipys():
    table = np.random.default_rng(0).random((4, 9))
    p = stats.friedmanchisquare(*table).pvalue
    assert ranked({str(i): row.tolist() for i, row in enumerate(table)}).friedman_p == pytest.approx(p)


def test_friedman_needs_three_arms_that_differ():
    assert math.isnan(ranked({"a": [1, 2], "b": [2, 3]}).friedman_p)
    assert math.isnan(ranked({"a": [1, 2], "b": [1, 2], "c": [1, 2]}).friedman_p)


def test_ranks_add_up():
    table = np.random.default_rng(1).integers(0, 3, (5, 8))
    ranking = ranked({str(i): row.tolist() for i, row in enumerate(table)})
    assert sum(ranking.mean_ranks) == pytest.approx(15)


def test_wilcoxon_with_holm():
    values = {"a": [0.5, 0.6, 0.7, 0.8, 0.9, 0.95], "b": [0.4, 0.45, 0.5, 0.55, 0.6, 0.6], "c": [0.5, 0.6, 0.7, 0.8, 0.9, 0.95]}
    tests = against(values, "a")
    assert tests["b"] == pytest.approx((2 / 2**6, 4 / 2**6))  # all six signs agree: 2 of 64 sign patterns
    assert tests["c"] == (1.0, 1.0)
    assert "a" not in tests


def test_corrected_interval_by_hand():
    got = corrected_interval([0.1, 0.2, 0.3], test_share=0.25)
    error = math.sqrt((1 / 3 + 0.25) * 0.01)
    assert got.mean == pytest.approx(0.2)
    assert (got.low, got.high) == pytest.approx((0.2 - 4.302653 * error, 0.2 + 4.302653 * error), abs=1e-6)
    assert got.p == pytest.approx(2 * stats.t.sf(0.2 / error, 2))


def test_without_overlap_the_interval_is_students():
    values = np.random.default_rng(2).normal(1, 1, 12)
    got = corrected_interval(values, test_share=0)
    low, high = stats.t.interval(0.95, 11, values.mean(), stats.sem(values))
    assert (got.low, got.high) == pytest.approx((low, high))
    assert got.p == pytest.approx(stats.ttest_1samp(values, 0).pvalue)


def test_degenerate_intervals():
    assert corrected_interval([0.0, 0.0], test_share=0.25).p == 1.0
    assert corrected_interval([0.1, 0.1], test_share=0.25).p == 0.0
    assert math.isnan(corrected_interval([0.1], test_share=0.25).low)
