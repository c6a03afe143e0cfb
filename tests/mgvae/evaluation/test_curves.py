"""Curves: smooth calibration with its band, the histogram of risks, and net benefit against the threshold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit

from mgvae.config.sections import Evaluation
from mgvae.evaluation.bootstrap import resamples
from mgvae.evaluation.curves import POINTS, curves_table, decision_curves, risks
from mgvae.evaluation.measures.net_benefit import net_benefit_curves, threshold_grid
from mgvae.evaluation.measures.smooth_calibration import smooth_curve
from mgvae.evaluation.measures.weights import unit_weights
from mgvae.evaluation.predictions import Predictions
from mgvae.results.numbers import FEWEST_NAMED

LR = "logistic_regression"
KEY = ("none", LR, "recalibrated")


def predicted(n: int = 3000, *, events: int | None = None, repeats: int = 2, seed: int = 0) -> Predictions:
    """Return predictions of which the first repeat is right and the others are twice as high in odds."""
    rng = np.random.default_rng(seed)
    line = rng.normal(-3, 1.0, size=n)
    event = (rng.random(n) < expit(line)).astype(np.int64)
    if events is not None:
        event[np.flatnonzero(event)[events:]] = 0
    p = expit(np.stack([line + (0.7 if repeat else 0) for repeat in range(repeats)]))
    probability = {("none", LR, variant): p for variant in ("raw", "offset", "recalibrated")}
    zeros = np.zeros((repeats, n), dtype=np.int16)
    return Predictions(event, np.arange(n), zeros, np.full((repeats, n), max(event.mean(), 0.01)), probability, {})


def plan_of(predictions: Predictions, n: int = 100):
    return resamples(predictions.event, predictions.group, n=n, seed=0)


def test_the_smooth_curve_of_right_predictions_is_the_diagonal_within_its_band():
    predictions = predicted(10_000, repeats=1)
    got = curves_table(predictions, plan_of(predictions))["none"][LR]
    assert got["offset"].smooth is None
    curve = got["recalibrated"].smooth
    p, observed, low, high = (np.array(column) for column in (curve.predicted, curve.observed, curve.low, curve.high))
    assert len(p) == POINTS <= 60
    assert (np.diff(p) > 0).all()
    assert ((low <= observed) & (observed <= high)).all()
    assert ((low <= p) & (p <= high)).mean() > 0.7
    middle = slice(18, 40)
    np.testing.assert_allclose(observed[middle], p[middle], rtol=0.35)


def test_the_band_is_symmetric_on_the_logit_scale_with_students_quantile():
    predictions = predicted(1500, events=12, repeats=1)
    plan = plan_of(predictions)
    curve = curves_table(predictions, plan)["none"][LR]["recalibrated"].smooth
    observed, low, high = (logit(np.array(column)) for column in (curve.observed, curve.low, curve.high))
    np.testing.assert_allclose(high - observed, observed - low, rtol=1e-6)
    weights = np.concatenate(list(plan.chunks()), axis=1)
    at = logit(np.array(curve.predicted[20:21]))
    drawn = smooth_curve(predictions.event, predictions.probability[KEY][0], weights, at)[1][0]
    value = curve.observed[20]
    error = drawn.std(ddof=1) * np.sqrt(12 / 11) / (value * (1 - value))
    assert (high - observed)[20] == pytest.approx(stats.t.ppf(0.975, 11) * error)


def test_the_smooth_curve_starts_where_two_cases_are_expected_below():
    predictions = predicted(2000, repeats=1)
    p = np.sort(predictions.probability[KEY][0])
    curve = curves_table(predictions, plan_of(predictions, 50))["none"][LR]["recalibrated"].smooth
    start = p[np.searchsorted(p.cumsum(), max(2.0, 0.02 * p.sum()))]
    assert curve.predicted[0] == pytest.approx(start)
    assert curve.predicted[-1] == pytest.approx(p[-11])


def test_the_smooth_curve_is_the_mean_over_the_repeats():
    both, first, second = (predicted(repeats=2) for _ in range(3))
    first.probability[KEY], second.probability[KEY] = (both.probability[KEY][[repeat] * 2] for repeat in (0, 1))
    curves = [curves_table(one, plan_of(one, 50))["none"][LR]["recalibrated"].smooth for one in (both, first, second)]
    at = np.linspace(-3.5, -1.5, 5)
    both_at, first_at, second_at = (np.interp(at, logit(np.array(c.predicted)), c.observed) for c in curves)
    np.testing.assert_allclose(both_at, (first_at + second_at) / 2, rtol=0.05)


def test_below_five_events_there_is_no_smooth_curve():
    for events, there in ((4, False), (5, True)):
        predictions = predicted(400, events=events)
        got = curves_table(predictions, plan_of(predictions, 50))["none"][LR]["recalibrated"]
        assert (got.smooth is not None) == there
        assert sum(got.risks.events) == pytest.approx(events)


def test_the_histogram_counts_each_subject_once_where_its_risk_lies():
    rows = [(0.01, 0, 40), (0.02, 1, 8), (0.5, 0, 16), (0.5, 1, 24)]  # two repeats
    p, event = (np.repeat([row[place] for row in rows], [row[2] for row in rows]) for place in (0, 1))
    got = risks(event, p, repeats=2)
    for low, high, events, others in zip(got.edges, got.edges[1:], got.events, got.others, strict=False):
        inside = (p >= low) & (p < high)
        assert (events, others) == ((inside & (event == 1)).sum() / 2, (inside & (event == 0)).sum() / 2)
    assert (sum(got.events), sum(got.others)) == (16, 28)
    assert got.edges[0] <= 0.01 < got.edges[1]
    assert got.edges[-2] <= 0.5 < got.edges[-1]
    np.testing.assert_allclose(logit(np.array(got.edges)) * 4, np.round(logit(np.array(got.edges)) * 4), atol=1e-9)


@pytest.mark.parametrize("events", [5, 17, 80])
def test_no_bar_of_a_histogram_holds_few_subjects(events):
    rng = np.random.default_rng(events)
    event = np.repeat([1, 0], [events, 700])
    got = risks(event, expit(rng.normal(-3 + event, 1.2)))
    counts = np.array([got.events, got.others])
    assert not ((counts > 0) & (counts < FEWEST_NAMED)).any()
    assert counts.sum(axis=1).tolist() == [events, 700]
    assert np.diff(got.edges).min() > 0
    assert len(got.events) > (events > 5) * 2


def test_too_few_events_for_two_bars_lie_in_one():
    got = risks(np.array([0, 1, 1]), np.array([0.1, 0.1, 0.4]))
    assert (got.events, got.others) == ((2,), (1,))
    assert got.edges[0] <= 0.1 < 0.4 < got.edges[1]


def test_decision_curves_are_means_over_repeats_with_limits_and_treating_all_beside():
    predictions = predicted()
    got = decision_curves(predictions, plan_of(predictions), Evaluation(decision_thresholds=(0.02, 0.3)))
    grid = threshold_grid((0.02, 0.3))
    assert got.thresholds == pytest.approx(grid)
    each = [net_benefit_curves(predictions.event, row, unit_weights(3000), grid) for row in predictions.probability[KEY]]
    curve = got.arms["none"][LR]
    assert curve.net_benefit == pytest.approx(np.mean([model[:, 0] for model, _ in each], axis=0))
    assert got.treat_all == pytest.approx(each[0][1][:, 0])
    assert got.prevalence == predictions.event.mean()
    assert all(low < value < high for low, value, high in zip(curve.low, curve.net_benefit, curve.high, strict=True))
