"""Weights against censoring: scikit-survival's answers, a known truth, and resamples that estimate them anew."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from mgvae.classifiers.recalibration import fit_level, fit_recalibration
from mgvae.cohort.follow_up import FollowUp
from mgvae.cohort.rows import Rows
from mgvae.evaluation.bootstrap import resamples
from mgvae.evaluation.curves import curve
from mgvae.evaluation.deployed_model import judged_holdout
from mgvae.evaluation.measures.censoring import MOST, censoring_weights
from mgvae.evaluation.measures.instability import calibration_curve, slopes
from mgvae.evaluation.measures.ranking import ranking
from mgvae.evaluation.metrics import measure, measure_probabilities
from mgvae.evaluation.promotion import compare_models, performance
from mgvae.evaluation.repair_effect import repair_effect
from mgvae.evaluation.sample_size import sample_size
from mgvae.results.numbers import Estimate

HORIZON = 2.0


def cohort(n, *, seed=0, censoring=0.5):
    """Return score, true risk at the horizon, time of the event and of the end of follow-up."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    rate = 0.15 * np.exp(x)
    return x, 1 - np.exp(-rate * HORIZON), rng.exponential(1 / rate), rng.exponential(1 / censoring, n)


def followed(time, end):
    """Return who has a known outcome at the horizon, who the event, and the follow-up."""
    event, known = time <= np.minimum(end, HORIZON), (time <= end) | (end >= HORIZON)
    alone, days = np.arange(len(time)), np.minimum(time, HORIZON)
    return known, event, FollowUp(days[known], alone[known], end[~known], alone[~known], np.zeros((~known).sum(), dtype=bool))


def test_auroc_and_brier_score_are_those_of_scikit_survival():
    metrics, util = pytest.importorskip("sksurv.metrics"), pytest.importorskip("sksurv.util")
    score, risk, time, end = cohort(700)
    known, event, found = followed(time, end)
    assert 0.3 < (~known).mean() < 0.6
    ours = measure(event[known].astype(int), risk[known], censoring_weights(found), threshold=0.2)
    table = util.Surv.from_arrays(time <= end, np.minimum(time, end))
    expected, _ = metrics.cumulative_dynamic_auc(table, table, score, HORIZON)
    _, brier = metrics.brier_score(table, table, (1 - risk)[:, None], HORIZON)
    assert ours["auroc"][0] == pytest.approx(expected[0], abs=1e-9)
    assert ours["brier"][0] == pytest.approx(brier[0], abs=1e-9)


def test_weights_sum_to_all_patients_in_every_resample():
    _, _, time, end = cohort(300, censoring=0.2)
    known, _, found = followed(time, end)
    rng = np.random.default_rng(1)
    drawn, lost = rng.integers(0, 3, (known.sum(), 4)).astype(float), rng.integers(0, 3, ((~known).sum(), 4)).astype(float)
    weights = censoring_weights(found, drawn, lost)
    assert (weights * drawn).sum(axis=0) == pytest.approx(drawn.sum(axis=0) + lost.sum(axis=0))


def test_at_equal_times_the_outcome_comes_before_the_end_of_follow_up():
    found = FollowUp(np.array([1.0, 1.5, 2.0]), np.arange(3), np.array([1.0]), np.array([3]), np.zeros(1, dtype=bool))
    assert censoring_weights(found)[:, 0] == pytest.approx([1.0, 1.5, 1.5])


def test_a_patient_drawn_twice_weighs_as_two_patients():
    _, _, time, end = cohort(60)
    known, _, found = followed(time, end)
    twice = FollowUp(*(np.repeat(getattr(found, name), 2) for name in ("known", "group", "lost", "lost_group", "lost_held")))
    drawn = censoring_weights(found, np.full((known.sum(), 1), 2.0), np.full(((~known).sum(), 1), 2.0))
    assert np.repeat(drawn, 2, axis=0) == pytest.approx(censoring_weights(twice))


def test_without_the_lost_every_weight_is_one_and_most_is_the_limit():
    none = FollowUp(np.array([1.0, 2.0]), np.arange(2), np.array([]), np.array([], dtype=int), np.array([], dtype=bool))
    assert censoring_weights(none).tolist() == [[1.0], [1.0]]
    many = FollowUp(np.array([0.5, 2.0]), np.arange(2), np.full(50, 1.0), np.arange(2, 52), np.zeros(50, dtype=bool))
    assert censoring_weights(many)[:, 0].tolist() == [1.0, MOST]


def test_weighted_measures_find_the_truth_that_exclusion_misses():
    """With 40 % lost at random: the true model's AUROC and O/E, which known outcomes alone give wrongly."""
    _, risk, time, end = cohort(60_000, censoring=0.33)
    known, event, found = followed(time, end)
    assert 0.35 < (~known).mean() < 0.45
    whole = (time <= HORIZON).astype(int)
    one = np.ones((len(time), 1))
    own, at, grid = event[known].astype(int), risk[known], np.geomspace(0.1, 0.8, 41)

    def measured(*data):
        probabilities = measure_probabilities(*data, threshold=0.2, thresholds=grid)
        return {name: values[0] for name, values in (probabilities | ranking(*data)).items()}

    truth = measured(whole, risk, one)
    weighted, excluded = measured(own, at, censoring_weights(found)), measured(own, at, one[known])
    assert truth["observed_expected"] == pytest.approx(1, abs=0.02)
    for name, near, far in (("auroc", 0.006, 0.0), ("observed_expected", 0.02, 0.15), ("calibration_intercept", 0.03, 0.3),
                            ("net_benefit", 0.004, 0.0), ("ici", 0.01, 0.03)):  # fmt: skip
        assert weighted[name] == pytest.approx(truth[name], abs=near), name
        assert abs(excluded[name] - truth[name]) >= far, name


def test_exclusion_misjudges_the_ranks_where_follow_up_ends_early():
    """Late events are lost first, and they are the hard ones; so exclusion makes a model look better."""
    rng = np.random.default_rng(3)
    n = 60_000
    x = rng.normal(size=n)
    event = rng.random(n) < expit(x - 1)
    time = np.where(event, np.where(x + rng.normal(size=n) > 0.5, 0.2, 1.9), HORIZON + 1)
    end = rng.uniform(0, 2.6, n)
    known, seen, found = followed(time, end)
    weights = (censoring_weights(found), np.ones((known.sum(), 1)))
    ours, excluded = (measure(seen[known].astype(int), x[known], w, threshold=0.5)["auroc"][0] for w in weights)
    truth = measure(event.astype(int), x, np.ones((n, 1)), threshold=0.5)["auroc"][0]
    assert ours == pytest.approx(truth, abs=0.01)
    assert excluded - truth > 0.03


def test_recalibration_learns_the_level_of_all_patients():
    _, risk, time, end = cohort(40_000, seed=5)
    known, event, found = followed(time, end)
    weight = censoring_weights(found)[:, 0]
    own, at = event[known].astype(int), risk[known]
    assert fit_recalibration(own, at, weight).intercept == pytest.approx(0, abs=0.05)
    assert fit_level(own, at, weight).intercept == pytest.approx(0, abs=0.05)
    assert fit_level(own, at).intercept > 0.2


def test_whole_weights_are_repeated_rows():
    rng = np.random.default_rng(0)
    risk, event, weight = rng.random(80), rng.integers(0, 2, 80), rng.integers(1, 4, 80)
    rows = np.repeat(np.arange(80), weight)
    assert fit_recalibration(event, risk, weight.astype(float)).slope == pytest.approx(
        fit_recalibration(event[rows], risk[rows]).slope, rel=1e-4
    )
    ours, repeated = curve(event, risk, weight.astype(float), bins=4), curve(event[rows], risk[rows], bins=4)
    assert sum(ours.n) == sum(repeated.n)
    assert ours.observed[0] == pytest.approx(repeated.observed[0], abs=0.1)


def test_resamples_estimate_the_weights_anew_and_draw_groups_whole():
    _, _, time, end = cohort(400, seed=2)
    known, event, found = followed(time, end)
    family = np.arange(400) // 2
    grouped = FollowUp(found.known, family[known], found.lost, family[~known], found.lost_held)
    plan = resamples(event[known].astype(int), family[known], n=7, seed=0, follow_up=grouped)
    drawn = np.concatenate(list(plan.chunks()), axis=1)
    assert drawn.shape == (known.sum(), 7)
    assert drawn.sum(axis=0) == pytest.approx(np.full(7, 400.0))  # 200 families of two, the lost among them
    alone = drawn / np.where(drawn > 0, censoring_weights(grouped), 1)
    assert not np.allclose(alone[alone > 0], np.round(alone[alone > 0]))  # not the weights of the whole sample
    same = np.flatnonzero(np.diff(family[known]) == 0)
    assert ((drawn[same] > 0) == (drawn[same + 1] > 0)).all()


def test_without_the_lost_resamples_are_those_of_before():
    _, _, time, _ = cohort(100)
    event, group = (time <= HORIZON).astype(int), np.arange(100) // 3
    none = FollowUp(np.minimum(time, HORIZON), group, np.array([]), np.array([], dtype=int), np.array([], dtype=bool))
    plans = (resamples(event, group, n=5, seed=4, follow_up=one) for one in (None, none))
    first, second = (np.concatenate(list(plan.chunks()), axis=1) for plan in plans)
    assert np.array_equal(first, second)


def test_limits_cover_the_truth_among_the_lost():
    """Of 40 cohorts of 500, the 95 % percentile limits of O/E hold the truth in most."""
    held = 0
    for seed in range(40):
        _, risk, time, end = cohort(500, seed=100 + seed)
        known, event, found = followed(time, end)
        own = event[known].astype(int)
        plan = resamples(own, found.group, n=100, seed=0, follow_up=found)
        draws = np.concatenate([(own @ w) / (risk[known] @ w) for w in plan.chunks()])
        low, high = np.quantile(draws, (0.025, 0.975))
        held += low <= 1 <= high
    assert held >= 33


def weighted_rows(n=400, *, seed=6):
    """Return outcome, two risks and a whole weight of each patient, and the rows that these weights stand for."""
    rng = np.random.default_rng(seed)
    risk, weight = rng.random((2, n)), rng.integers(1, 4, n)
    event = (rng.random(n) < risk[0]).astype(np.int64)
    return event, risk, weight.astype(float), np.repeat(np.arange(n), weight)


def test_champion_and_challenger_are_compared_by_the_weights_of_their_patients():
    event, (first, second), weight, rows = weighted_rows()
    alone = np.arange(len(event))
    plan = resamples(event, alone, n=30, seed=0, weight=weight)
    repeated = resamples(event[rows], alone[rows], n=30, seed=0)
    ours, theirs = (
        compare_models(one, champion=first[at], challenger=second[at]) for one, at in ((plan, alone), (repeated, rows))
    )
    for name in ("auroc", "scaled_brier"):
        assert getattr(ours, name).model_dump() == pytest.approx(getattr(theirs, name).model_dump())
    assert (ours.n, ours.events) == (len(event), event.sum())
    found, expected = performance(plan, first), performance(repeated, first[rows])
    assert found.calibration.value == pytest.approx(expected.calibration.value)
    assert found.auroc.draws == pytest.approx(expected.auroc.draws)


def test_stability_is_measured_by_weights():
    event, (risk, _), weight, rows = weighted_rows(3000)
    moved = np.stack([risk, risk**2]).astype(np.float32)
    one = np.ones(len(rows))
    assert slopes(event, moved, weight) == pytest.approx(slopes(event[rows], moved[:, rows], one), rel=1e-5)
    ours, theirs = calibration_curve(event, risk, weight), calibration_curve(event[rows], risk[rows], one)
    assert ours.observed == pytest.approx(theirs.observed, abs=0.05)
    assert np.average(ours.observed) != pytest.approx(np.average(calibration_curve(event, risk, one[: len(event)]).observed))


@pytest.mark.slow
def test_the_effect_of_repair_is_measured_by_weights():
    event, risk, weight, rows = weighted_rows()
    table = pd.DataFrame({"a": risk[0], "b": risk[1]})
    cases = table.sample(30, random_state=1)
    train = Rows(table, event, np.arange(len(event)))
    tests = Rows(table, event, train.group, weight), train.take(rows)
    found = [repair_effect(train, test, cases, cases.head(10), seed=0) for test in tests]
    assert found[0].before == pytest.approx(found[1].before)
    assert found[0].after == pytest.approx(found[1].after)


def test_the_share_of_events_is_that_of_all_patients():
    event, risk, weight, rows = weighted_rows()
    found = Rows(pd.DataFrame({"a": risk[0]}), event, np.arange(len(event)), weight)
    some = np.arange(0, 200, 3)
    assert found.prevalence == pytest.approx(event[rows].mean())
    assert found.share(some) == pytest.approx(np.average(event[some], weights=weight[some]))
    assert sample_size(found, Estimate(value=0.8)).prevalence == found.prevalence


def test_a_hold_out_of_an_earlier_version_has_weights_of_one(tmp_path):
    table = pd.DataFrame({"subject": ["a", "b"], "group": [None, "g"], "event": [True, False], "probability": [0.2, 0.1]})
    table.to_parquet(tmp_path / "old.parquet")
    table.assign(weight=[1.5, 2.0]).to_parquet(tmp_path / "new.parquet")
    assert [judged_holdout(tmp_path / f"{name}.parquet")["weight"].tolist() for name in ("old", "new")] == [[1, 1], [1.5, 2]]
