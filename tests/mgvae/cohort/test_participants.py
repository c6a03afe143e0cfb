"""The table of participants: its differences are those of other sources, and no patient can be recognised in it."""

import numpy as np
import pandas as pd
import pytest

from mgvae.cohort.build import Cohort
from mgvae.cohort.participants import MOST_LEVELS, OTHERS, describe, levels_difference, means_difference, suppressed

FEWEST = 5


def cohort(features, event):
    n = len(event)
    names = np.arange(n)
    return Cohort(
        features, np.asarray(event, dtype=bool), names.astype(str), names, np.full(n, None), features[[]], None, flow=()
    )


def table(features, event, test=None):
    test = np.arange(len(event)) % 4 == 0 if test is None else test
    return describe(cohort(pd.DataFrame(features), event), test, {})


def frame(*, n=400, events=60, seed=0):
    rng = np.random.default_rng(seed)
    event = np.arange(n) < events
    age = rng.normal(60 + 8 * event, 10)
    age[rng.random(n) < 0.3] = np.nan
    ward = pd.Categorical(rng.choice(["east", "north", "west"], n, p=[0.5, 0.3, 0.2]), ["east", "north", "west"])
    return {"age": age, "ward": ward}, event


def test_numbers_are_described_as_pandas_describes_them():
    features, event = frame()
    (row, _) = table(features, event).rows
    expected = pd.Series(features["age"])[event].describe()
    found = row.spread["with_event"]
    assert [found.mean, found.sd, found.lower, found.median, found.upper] == pytest.approx(
        expected[["mean", "std", "25%", "50%", "75%"]].to_list()
    )
    assert row.missing["with_event"] == int(np.isnan(features["age"][event]).sum())


def test_a_difference_of_means_is_cohens_with_the_mean_variance():
    first, second = np.array([1.0, 2.0, 3.0, 6.0]), np.array([2.0, 4.0, 9.0])
    assert means_difference(first, second) == pytest.approx((5 - 3) / np.sqrt((14 / 3 + 13) / 2))
    assert np.isnan(means_difference(np.ones(5), np.ones(5)))


@pytest.mark.parametrize(("events", "others"), [((30, 70), (200, 300)), ((0, 50), (10, 40))])
def test_of_two_levels_the_distance_is_the_difference_of_shares_over_their_spread(events, others):
    p, q = events[0] / sum(events), others[0] / sum(others)
    expected = abs(p - q) / np.sqrt((p * (1 - p) + q * (1 - q)) / 2)
    assert levels_difference(np.array(others, float), np.array(events, float)) == pytest.approx(expected)


def test_of_three_levels_the_distance_is_that_of_yang_and_dalton_whichever_level_is_left_out():
    first, second = np.array([30.0, 50.0, 20.0]), np.array([10.0, 60.0, 30.0])
    p, q = first[:2] / 100, second[:2] / 100
    spread = (np.diag(p) - np.outer(p, p) + np.diag(q) - np.outer(q, q)) / 2
    expected = float(np.sqrt((p - q) @ np.linalg.inv(spread) @ (p - q)))
    assert levels_difference(first, second) == pytest.approx(expected)
    assert levels_difference(first[::-1], second[::-1]) == pytest.approx(expected)


def test_the_sign_says_on_which_side_a_number_is_higher():
    features, event = frame()
    assert table(features, event).rows[0].by_event > 0.4
    assert table({"age": -features["age"]}, event).rows[0].by_event < -0.4


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ([[100, 5], [100, 6]], (True, True)),  # five is enough
        ([[100, 0], [100, 6]], (True, True)),  # nobody is nobody
        ([[100, 4], [100, 9]], (False, False)),  # the other of two gives it away
        ([[100, 4], [100, 9], [100, 30]], (False, False, True)),  # the smallest of the others is enough
        ([[100, 4], [100, 0], [100, 30]], (False, False, False)),  # hiding nobody hides nothing
        ([[100, 4], [100, 9], [0, 0]], (False, False, True)),
        ([[100, 3], [100, 4], [100, 30]], (False, False, True)),
        ([[100, 1], [100, 2], [100, 30], [100, 40]], (False, False, False, True)),  # three together are too few
    ],
)
def test_small_counts_are_suppressed_on_both_sides_with_what_gives_them_away(counts, shown):
    for one in (np.array(counts), np.array(counts)[:, ::-1]):
        for side in suppressed(one):
            assert tuple(count is not None for count in side) == shown


@pytest.mark.parametrize("seed", range(20))
def test_no_small_count_follows_from_those_that_are_shown(seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 12, (rng.integers(2, 7), 2)) * rng.integers(0, 2, (1, 1)) + rng.integers(0, 9, (1, 2))
    for side, true in zip(suppressed(counts), counts.T, strict=True):
        assert not any(count is not None and 0 < count < FEWEST for count in side)
        hidden = [count for count, shown in zip(true, side, strict=True) if shown is None]
        assert len(hidden) != 1
        assert not hidden or sum(hidden) >= FEWEST or sum(true) == sum(hidden)


def test_a_difference_that_would_tell_a_suppressed_count_is_suppressed():
    sex = pd.Categorical(["m"] * 3 + ["f"] * 27 + ["m", "f"] * 100, ["f", "m"])
    row = table({"sex": sex}, np.arange(230) < 30).rows[0]
    assert row.counts["with_event"] == row.counts["without_event"] == (None, None)
    assert row.by_event is None
    assert row.counts["training"] != (None, None)
    assert row.by_part is not None


def test_many_levels_are_put_together_and_count_everybody_once():
    codes = [f"code {place}" for place in range(40)]
    rng = np.random.default_rng(0)
    values = pd.Categorical(rng.choice(codes, 4000, p=np.arange(1, 41) / 820), codes)
    row = table({"code": values}, np.arange(4000) < 2000).rows[0]
    assert len(row.levels) == MOST_LEVELS + 1
    assert row.levels[-1] == OTHERS
    assert "code 39" in row.levels
    assert sum(row.counts["training"]) == 3000


@pytest.mark.parametrize("present", [0, 4])
def test_a_number_known_in_too_few_is_not_described(present):
    age = np.full(100, np.nan)
    age[20 : 20 + present] = 1.0
    row = table({"age": age}, np.arange(100) < 50).rows[0]
    assert row.spread == {}
    assert row.by_event is None


def test_no_test_part():
    features, event = frame()
    found = table(features, event, np.zeros(len(event), dtype=bool))
    assert found.n["test"] == 0
    assert [row.by_part for row in found.rows] == [None, None]
