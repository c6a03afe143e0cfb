"""Each rule of an interval against its formula or a library, at its boundaries; limits hold the truth as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit
from statsmodels.stats.proportion import proportion_confint

from mgvae.evaluation.bootstrap import resamples
from mgvae.evaluation.intervals import Sample, Score, estimates, few_events, t_quantile
from mgvae.evaluation.measures.weights import unit_weights
from mgvae.evaluation.metrics import measure

SAMPLE = Sample(events=20, others=380, alerts=40)
FACTOR = np.sqrt(20 / 19)
T = stats.t.ppf(0.975, 19)


def made(value, error, sample=SAMPLE, n=400):
    """Return a score whose draws have exactly this standard deviation."""
    draws = np.random.default_rng(0).normal(size=n)
    draws = (draws - draws.mean()) / draws.std(ddof=1)
    return Score(np.array([value]), value + error * draws, sample)


def limits(metric, score, **others):
    found = estimates({metric: score, **others})[metric]
    return found.low, found.high


@pytest.mark.parametrize("metric", ["sensitivity", "sensitivity_at_alert_5", "specificity", "ppv", "ppv_at_alert_10"])
@pytest.mark.parametrize(("value", "error"), [(0.7, 0.1), (0.02, 0.01)])
def test_a_share_has_wilsons_limits_with_the_number_behind_its_standard_error(metric, value, error):
    n = value * (1 - value) / (error * FACTOR) ** 2
    assert limits(metric, made(value, error)) == pytest.approx(proportion_confint(n * value, n, method="wilson"))


@pytest.mark.parametrize(
    ("metric", "n"),
    [
        ("sensitivity", 20),
        ("sensitivity_at_spec_90", 20),
        ("specificity", 380),
        ("ppv", 40),
        ("ppv_at_alert_10", 40),
        ("ppv_at_spec_95", 19),
    ],
)
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_share_of_none_or_all_has_wilsons_limits_with_the_number_that_there_is(metric, n, value):
    low, high = limits(metric, Score(np.array([value]), np.full(100, value), SAMPLE))
    assert (low, high) == pytest.approx(proportion_confint(n * value, n, method="wilson"))
    assert low < high


def test_the_number_needed_to_evaluate_has_the_reciprocal_limits():
    ppv = made(0.2, 0.05)
    low, high = limits("ppv_at_alert_5", ppv)
    found = estimates({"nne_at_alert_5": made(5.0, 1.0), "ppv_at_alert_5": ppv})["nne_at_alert_5"]
    assert (found.value, found.low, found.high) == pytest.approx((5, 1 / high, 1 / low))


@pytest.mark.parametrize("metric", ["auroc", "auprc"])
def test_ranks_are_symmetric_on_the_logit_scale_with_students_quantile(metric):
    reach = T * 0.05 * FACTOR / (0.8 * 0.2)
    assert limits(metric, made(0.8, 0.05)) == pytest.approx((expit(logit(0.8) - reach), expit(logit(0.8) + reach)))


def test_an_auroc_of_one_has_hanley_and_mcneils_standard_error():
    """At 1 - 1 / (4 events); the formula is that of their table II."""
    area, events, others = 1 - 1 / 80, 20, 380
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (events - 1) * (q1 - area**2) + (others - 1) * (q2 - area**2)
    reach = T * np.sqrt(variance / (events * others)) / (area * (1 - area))
    low, high = limits("auroc", Score(np.ones(1), np.ones(100), SAMPLE))
    assert low == pytest.approx(expit(logit(area) - reach))
    assert high == 1
    assert limits("auroc", made(area, 0.01))[0] > low, "on the boundary the bootstrap still counts"


@pytest.mark.parametrize(
    ("metric", "quantile"), [("mcc", T), ("net_benefit", T), ("scaled_brier", 1.959964), ("calibration_slope", 1.959964)]
)
def test_symmetric_limits(metric, quantile):
    reach = quantile * 0.1 * FACTOR
    assert limits(metric, made(0.4, 0.1)) == pytest.approx((0.4 - reach, 0.4 + reach))


@pytest.mark.parametrize("metric", ["brier", "log_loss", "observed_expected"])
def test_limits_that_are_symmetric_on_the_log_scale(metric):
    reach = 1.959964 * 0.1 * FACTOR / 0.4
    assert limits(metric, made(0.4, 0.1)) == pytest.approx((0.4 * np.exp(-reach), 0.4 * np.exp(reach)))


def test_limits_of_ici_are_a_percentile_and_its_mirror_image_which_ends_at_zero():
    score = made(0.01, 0.002)
    high = np.quantile(score.draws, 0.975)
    assert limits("ici", score) == pytest.approx((0.02 - high, high))
    assert limits("e90", made(0.01, 0.01))[0] == 0
    assert limits("emax", score) == (None, None)


def test_combined_measures_have_limits_from_sensitivity_and_specificity():
    parts = {"sensitivity": made(0.7, 0.1), "specificity": made(0.9, 0.02)}
    (sl, sh), (cl, ch) = (limits(name, score) for name, score in parts.items())
    low, high = limits("balanced_accuracy", made(0.8, 0.05), **parts)
    assert low == pytest.approx(0.8 - np.hypot(0.7 - sl, 0.9 - cl) / 2)
    assert high == pytest.approx(0.8 + np.hypot(sh - 0.7, ch - 0.9) / 2)
    mean = np.sqrt(0.7 * 0.9)
    low, high = limits("g_mean", made(mean, 0.05), **parts)
    assert np.log(mean / low) == pytest.approx(np.hypot(np.log(0.7 / sl), np.log(0.9 / cl)) / 2)
    assert np.log(high / mean) == pytest.approx(np.hypot(np.log(sh / 0.7), np.log(ch / 0.9)) / 2)
    low, high = limits("ppv_at_deployment", made(0.3, 0.05), **parts)
    assert logit(0.3) - logit(low) == pytest.approx(np.hypot(np.log(0.7 / sl), np.log((1 - cl) / 0.1)))
    assert logit(high) - logit(0.3) == pytest.approx(np.hypot(np.log(sh / 0.7), np.log(0.1 / (1 - ch))))


@pytest.mark.parametrize("metric", ["calibration_intercept", "calibration_slope", "ici", "e90", "f1", "mcc"])
def test_below_five_events_fragile_measures_have_no_limits(metric):
    for events, known in ((4, False), (5, True)):
        low, high = limits(metric, made(0.4, 0.1, Sample(events=events, others=100, alerts=9)))
        assert (low is not None and high is not None) == known


def test_below_two_events_only_shares_have_limits():
    one = Sample(events=1, others=100, alerts=9)
    assert limits("auroc", made(0.8, 0.1, one)) == limits("net_benefit", made(0.01, 0.01, one)) == (None, None)
    assert limits("sensitivity", Score(np.ones(1), np.ones(100), one)) == pytest.approx(
        proportion_confint(1, 1, method="wilson")
    )
    assert limits("auroc", made(0.8, 0.1, Sample(events=2, others=100, alerts=9)))[0] is not None


def test_what_is_undefined_in_half_of_the_resamples_has_no_limits():
    score = made(0.4, 0.1)
    for unknown, known in ((200, True), (201, False)):
        draws = score.draws.copy()
        draws[:unknown] = np.nan
        assert (limits("brier", Score(score.repeats, draws, SAMPLE))[0] is not None) == known


def test_a_difference_is_symmetric_with_students_quantile_and_half_observations_in_shares():
    one, other = made(0.4, 0.1), Score(np.array([0.3]), np.full(400, 0.3), SAMPLE)
    for metric, error in (
        ("net_benefit", 0.0),
        ("auroc", 0.0),
        ("sensitivity", 1 / 22),
        ("specificity", 1 / 382),
        ("ppv", 1 / 42),
        ("balanced_accuracy", 0.5 / 22),
    ):
        found = (one - other).difference(metric)
        reach = T * np.hypot(0.1 * FACTOR, error)
        assert (found.value, found.low, found.high) == pytest.approx((0.1, 0.1 - reach, 0.1 + reach)), metric


def test_differences_whose_limits_would_not_hold_have_none():
    def difference(metric, events):
        sample = Sample(events=events, others=100, alerts=9)
        return (made(0.4, 0.1, sample) - made(0.3, 0.0, sample)).difference(metric)

    for metric in ("ici", "e90", "emax"):
        assert difference(metric, 200).low is None
    for metric in ("mcc", "f1", "calibration_slope"):
        assert difference(metric, 14).low is None
        assert difference(metric, 15).low is not None
    score = made(5.0, 1.0)
    for unknown, known in ((10, True), (11, False)):  # of 400: at least 97.5 % must be defined
        draws = score.draws.copy()
        draws[:unknown] = np.nan
        assert (Score(score.repeats, draws, SAMPLE).difference("nne_at_alert_5").low is not None) == known


def test_the_bootstraps_standard_error_is_corrected_for_few_events():
    rng = np.random.default_rng(0)
    values, drawn_rows = rng.normal(size=(4000, 1, 10)), rng.integers(10, size=(4000, 60, 10))
    drawn = np.take_along_axis(values, drawn_rows, axis=2).mean(axis=2).var(axis=1, ddof=1).mean()
    assert drawn * few_events(10) ** 2 == pytest.approx(0.1, rel=0.03)
    assert few_events(np.inf) == 1
    assert t_quantile(np.inf) == pytest.approx(1.959964)
    assert np.isnan(t_quantile(1))


@pytest.mark.slow
def test_limits_hold_the_truth_with_ten_events():
    """Of 150 test sets; `python -m tests.benchmarks.coverage` has the whole table."""
    rng = np.random.default_rng(4)
    held = {"auroc": 0.0, "sensitivity": 0.0, "net_benefit": 0.0, "log_loss": 0.0, "calibration_slope": 0.0}

    def draw(n):
        line = rng.normal(-3.2, 1.2, size=n)
        return (rng.random(n) < expit(line)).astype(np.int64), expit(0.2 + 1.1 * line)

    def measures(event, p, weights):
        return measure(event, p, weights, threshold=0.06)

    truth = measures(*draw(300_000), unit_weights(300_000))
    for run in range(150):
        event, p = draw(160)
        if event.sum() < 5:
            continue
        weights = np.concatenate(list(resamples(event, np.arange(160), n=150, seed=run).chunks()), axis=1)
        whole, drawn = measures(event, p, unit_weights(160)), measures(event, p, weights)
        sample = Sample(events=event.sum(), others=160 - event.sum(), alerts=(p >= 0.06).sum())
        found = estimates({name: Score(whole[name], drawn[name], sample) for name in whole})
        for name in held:
            held[name] += found[name].low <= truth[name][0] <= found[name].high
    assert {name: share / 150 > 0.89 for name, share in held.items()} == dict.fromkeys(held, True), held
