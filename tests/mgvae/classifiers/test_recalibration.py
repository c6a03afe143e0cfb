"""Offset, recalibration and the calibration curve: exact where theory says so, mild where data are few."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from mgvae.classifiers.recalibration import Recalibration, fit_recalibration, offset
from mgvae.evaluation.curves import curve
from mgvae.evaluation.intervals import wilson
from mgvae.evaluation.measures.calibration import calibration
from mgvae.evaluation.measures.ranking import ranking
from mgvae.evaluation.measures.weights import unit_weights


def population(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    truth = expit(-4 + x)
    return x, (rng.random(n) < truth).astype(np.int64), truth


def test_the_offset_is_exact_under_case_control_sampling():
    x, event, truth = population(400_000)
    cases = np.flatnonzero(event == 1)
    controls = np.random.default_rng(1).choice(np.flatnonzero(event == 0), size=len(cases), replace=False)
    chosen = np.concatenate([cases, controls])
    model = LogisticRegression(C=np.inf).fit(x[chosen, None], event[chosen])
    raw = model.predict_proba(x[:, None])[:, 1]
    moved = offset(raw, fitted_share=0.5, share=event.mean())
    assert np.abs(logit(moved) - logit(truth)).max() < 0.2
    assert raw.mean() > 10 * event.mean()
    assert moved.mean() == pytest.approx(event.mean(), rel=0.02)


def test_the_offset_undoes_itself_keeps_ranks_and_is_nothing_without_a_shift():
    _, event, truth = population(5000)
    moved = offset(truth, fitted_share=0.5, share=0.02)
    np.testing.assert_allclose(offset(moved, fitted_share=0.02, share=0.5), truth, rtol=1e-9)
    assert ranking(event, moved, unit_weights(5000)) == ranking(event, truth, unit_weights(5000))
    assert offset(truth, fitted_share=0.1, share=0.1) is truth
    assert offset(np.array([0.5]), fitted_share=0.5, share=0.02)[0] == pytest.approx(0.02)


@pytest.mark.parametrize(("level", "turn"), [(3.9, 1.0), (0.0, 2.0), (-1.0, 0.6), (2.0, 1.5)])
def test_recalibration_repairs_a_distortion(level, turn):
    _, event, truth = population(60_000)
    distorted = expit(level + turn * logit(truth))
    repaired = fit_recalibration(event[:30_000], distorted[:30_000])(distorted[30_000:])
    after = calibration(event[30_000:], repaired, unit_weights(30_000))
    assert after["calibration_slope"][0] == pytest.approx(1, abs=0.1)
    assert after["calibration_intercept"][0] == pytest.approx(0, abs=0.1)


def test_without_prior_it_is_the_maximum_likelihood_line():
    _, event, truth = population(5000)
    distorted = expit(1 + 1.5 * logit(truth))
    ours = fit_recalibration(event, distorted, level_sd=1e6, log_slope_sd=1e6)
    model = LogisticRegression(C=np.inf, tol=1e-10).fit(logit(distorted)[:, None], event)
    assert ours.slope == pytest.approx(model.coef_[0, 0], rel=1e-3)
    assert ours.intercept == pytest.approx(model.intercept_[0], abs=2e-3)


def test_five_events_do_not_wreck_good_probabilities():
    _, event, truth = population(200_000, seed=4)
    cases, others = np.flatnonzero(event == 1), np.flatnonzero(event == 0)
    slopes, free, levels = [], [], []
    for i in range(60):
        part = np.concatenate([cases[5 * i : 5 * i + 5], others[220 * i : 220 * i + 220]])
        ours = fit_recalibration(event[part], truth[part])
        slopes.append(ours.slope)
        levels.append(ours(truth[part]).sum() / 5)
        free.append(fit_recalibration(event[part], truth[part], level_sd=1e6, log_slope_sd=1e6).slope)
    assert min(slopes) > 0.4
    assert 0.8 < np.mean(levels) < 1.1, "expected over observed, drawn a little towards what was predicted"
    assert max(slopes) < 2.2
    assert np.std(np.log(slopes)) < 0.6 * np.std(np.log(free))


def test_a_reversed_ranking_is_flattened_but_never_turned_round():
    _, event, truth = population(20_000)
    ours = fit_recalibration(event, expit(-logit(truth) - 6))
    assert 0 < ours.slope < 0.2


@pytest.mark.parametrize("value", [0, 1])
def test_one_class_teaches_nothing(value):
    assert fit_recalibration(np.full(20, value), np.linspace(0.01, 0.2, 20)) == Recalibration()


def test_curve_points_carry_equal_expected_events_and_count_every_row_once():
    _, event, truth = population(50_000)
    points = SimpleNamespace(**{name: np.array(values) for name, values in dict(curve(event, truth)).items()})
    assert points.n.sum() == 50_000
    assert (np.diff(points.predicted) > 0).all()
    np.testing.assert_allclose(points.n * points.predicted, truth.sum() / 10, rtol=0.05)
    inside = (points.low <= points.predicted) & (points.predicted <= points.high)
    assert inside.mean() >= 0.8, "true probabilities lie on the diagonal"
    assert points.n @ points.observed == pytest.approx(event.sum())


def test_a_curve_has_few_points_for_few_events_and_repeats_do_not_narrow_it():
    _, event, truth = population(2000)
    once, twice = curve(event, truth), curve(np.tile(event, 2), np.tile(truth, 2), repeats=2)
    assert len(once.n) == len(twice.n) <= event.sum() // 5
    np.testing.assert_allclose(once.low, twice.low, atol=0.005)
    assert len(curve(np.array([0, 0, 1]), np.array([0.1, 0.1, 0.2])).n) == 1


@pytest.mark.parametrize(("events", "n"), [(0, 10), (1, 10), (10, 10), (3, 200), (97, 200)])
def test_wilson_is_scipy_s(events, n):
    found = [limit[0] for limit in wilson(np.array([events / n]), np.array([float(n)]))]
    expected = stats.binomtest(events, n).proportion_ci(0.95, method="wilson")
    assert found == pytest.approx([expected.low, expected.high], abs=1e-4)


def test_wilson_covers():
    rng, n, p = np.random.default_rng(0), 200.0, 0.03
    shares = rng.binomial(200, p, size=4000) / n
    low, high = wilson(shares, np.full(4000, n))
    assert np.mean((low <= p) & (p <= high)) == pytest.approx(0.95, abs=0.02)
    assert wilson(np.array([0.0]), np.array([10.0]))[0][0] == 0
