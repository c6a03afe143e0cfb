"""The cluster bootstrap: whole groups, the same draws for all, honest coverage."""

from __future__ import annotations

import numpy as np
import pytest

from mgvae.errors import OutcomeError
from mgvae.evaluation import bootstrap
from mgvae.evaluation.bootstrap import interval, resamples
from mgvae.evaluation.measures.ranking import ranking


def weights_of(plan):
    return np.concatenate(list(plan.chunks()), axis=1)


def test_rows_of_a_group_are_drawn_together_and_the_number_of_groups_is_kept():
    group = np.array([7, 7, 3, 3, 3, 9, 1, 1])
    weights = weights_of(resamples(np.array([1, 0, 0, 0, 1, 0, 0, 1]), group, n=200, seed=0))
    assert weights.shape == (8, 200)
    for code in np.unique(group):
        assert (weights[group == code] == weights[group == code][0]).all()
    first = [np.flatnonzero(group == code)[0] for code in np.unique(group)]
    assert (weights[first].sum(axis=0) == 4).all()


def test_draws_do_not_depend_on_how_many_are_held_at_once(monkeypatch):
    event, group = np.tile([0, 0, 0, 1], 25), np.arange(100)
    whole = weights_of(resamples(event, group, n=50, seed=5))
    monkeypatch.setattr(bootstrap, "CELLS", 700)
    np.testing.assert_array_equal(whole, weights_of(resamples(event, group, n=50, seed=5)))
    assert (whole != weights_of(resamples(event, group, n=50, seed=6))).any()


def test_draws_without_an_event_are_drawn_again_and_counted():
    event = np.zeros(30, dtype=np.int64)
    event[0] = 1
    plan = resamples(event, np.arange(30), n=300, seed=0)
    assert (event @ weights_of(plan) > 0).all()
    expected = 300 * (1 / (1 - (1 - 1 / 30) ** 30) - 1)  # failures before a success, each with chance (1 - 1/G)^G
    assert plan.redrawn == pytest.approx(expected, rel=0.25)


def test_one_class_cannot_be_resampled():
    with pytest.raises(OutcomeError, match="needs groups with and without events"):
        next(resamples(np.zeros(10, dtype=np.int64), np.arange(10), n=50, seed=0).chunks())


@pytest.mark.slow
def test_the_interval_covers_the_true_auroc():
    rng = np.random.default_rng(1)
    truth, covered, runs = 0.76025, 0, 150  # Phi(1 / sqrt 2)
    for run in range(runs):
        event = (np.arange(400) < 60).astype(np.int64)
        scores = rng.normal(size=400) + event
        weights = weights_of(resamples(event, np.arange(400), n=200, seed=run))
        low, high = interval(ranking(event, scores, weights)["auroc"])
        covered += low <= truth <= high
    assert 0.90 <= covered / runs <= 0.99


def test_clustered_rows_widen_the_interval():
    rng = np.random.default_rng(2)
    base = rng.normal(size=100)
    event, group = np.repeat(base + rng.normal(size=100) > 1.5, 6).astype(np.int64), np.repeat(np.arange(100), 6)
    scores = np.repeat(base, 6)
    widths = []
    for groups in (group, np.arange(600)):
        low, high = interval(ranking(event, scores, weights_of(resamples(event, groups, n=300, seed=0)))["auroc"])
        widths.append(high - low)
    assert widths[0] > 1.5 * widths[1]


def test_an_interval_needs_mostly_defined_values():
    assert np.isnan(interval(np.array([1.0, np.nan, np.nan, np.nan]))).all()
    assert interval(np.array([0.0, 1.0, np.nan])) == pytest.approx((0.025, 0.975))
