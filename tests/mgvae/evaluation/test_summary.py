"""Predictions to numbers: cuts that tested outcomes do not move, means over repeats, differences from no correction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mgvae.config.sections import Evaluation
from mgvae.evaluation.bootstrap import resamples
from mgvae.evaluation.intervals import estimates
from mgvae.evaluation.measures.net_benefit import net_benefit, threshold_grid
from mgvae.evaluation.measures.ranking import ranking
from mgvae.evaluation.measures.weights import unit_weights
from mgvae.evaluation.metrics import measure
from mgvae.evaluation.predictions import Predictions
from mgvae.evaluation.summary import by_fit, decision_range, differences_table, sample_of, score, threshold

LR, BOOSTING = "logistic_regression", "hist_gradient_boosting"
VARIANTS = ("raw", "offset", "recalibrated")
N = 200


def predicted(*arms: str, repeats: int = 2, seed: int = 0) -> Predictions:
    """Return probabilities that differ in every repeat, arm, classifier and variant; ``threshold`` has those of ``none``."""
    rng = np.random.default_rng(seed)
    event = (rng.random(N) < 0.3).astype(np.int64)
    keys = [(arm, classifier, variant) for arm in arms for classifier in (LR, BOOSTING) for variant in VARIANTS]
    probability = {key: np.clip(0.1 + 0.2 * event + 0.5 * rng.random((repeats, N)), 0.01, 0.99) for key in keys}
    for arm, classifier, variant in keys:
        if arm == "threshold":
            probability[arm, classifier, variant] = probability["none", classifier, variant]
    prevalence = np.repeat(rng.uniform(0.2, 0.5, size=(repeats, N // 50)), 50, axis=1)
    return Predictions(event, np.arange(N) // 2, np.zeros((repeats, N), dtype=np.int16), prevalence, probability, {})


def scores_of(predictions: Predictions, *, n: int = 40):
    return score(predictions, resamples(predictions.event, predictions.group, n=n, seed=0))


@pytest.mark.parametrize("arm", ["none", "smote", "threshold"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_row_is_cut_at_the_prevalence_of_its_own_fitting_rows_or_at_one_half(arm, variant):
    predictions = predicted("none", "smote", "threshold")
    flipped = replace(predictions, event=1 - predictions.event)
    for repeat in range(2):
        cut = threshold(predictions, (arm, LR, variant), repeat)
        expected = 0.5 if variant == "raw" and arm != "threshold" else predictions.prevalence[repeat]
        np.testing.assert_array_equal(cut, expected)
        np.testing.assert_array_equal(cut, threshold(flipped, (arm, LR, variant), repeat))


@pytest.mark.parametrize("key", [("threshold", LR, "raw"), ("smote", LR, "recalibrated"), ("smote", BOOSTING, "raw")])
def test_decisions_in_each_repeat_use_these_cuts(key):
    predictions = predicted("none", "smote", "threshold")
    got = scores_of(predictions)[key]
    cuts = np.full((2, N), 0.5) if key == ("smote", BOOSTING, "raw") else predictions.prevalence
    positive = predictions.probability[key] >= cuts
    case = predictions.event == 1
    np.testing.assert_allclose(got["sensitivity"].repeats, positive[:, case].mean(axis=1))
    np.testing.assert_allclose(got["specificity"].repeats, 1 - positive[:, ~case].mean(axis=1))
    assert got["sensitivity"].value == pytest.approx(positive[:, case].mean())


def test_a_score_is_the_mean_over_repeats_in_the_data_and_in_each_resample():
    predictions = predicted("none")
    plan = resamples(predictions.event, predictions.group, n=40, seed=0)
    weights = np.concatenate(list(plan.chunks()), axis=1)
    got = score(predictions, plan)["none", LR, "raw"]["auroc"]
    each = predictions.probability["none", LR, "raw"]
    whole, drawn = (
        [measure(predictions.event, p, w, threshold=0.5)["auroc"] for p in each] for w in (unit_weights(N), weights)
    )
    np.testing.assert_allclose(got.repeats, np.concatenate(whole))
    np.testing.assert_allclose(got.draws, np.mean(drawn, axis=0))
    assert got.draws.shape == (40,)
    assert got.draws.std() > 0


def test_the_threshold_arm_shares_all_but_its_raw_decisions_with_none():
    scores = scores_of(predicted("none", "threshold"))
    for variant in VARIANTS:
        ours, plain = (scores[arm, LR, variant]["balanced_accuracy"].value for arm in ("threshold", "none"))
        assert (ours == plain) == (variant != "raw")
    assert scores["threshold", LR, "raw"]["auroc"].value == scores["none", LR, "raw"]["auroc"].value


def test_arms_with_fits_of_their_own_are_scored_apart_with_the_same_result():
    predictions = predicted("none", "smote", "threshold")
    parts = by_fit(predictions)
    assert [{arm for arm, _, _ in part.probability} for part in parts] == [{"none", "threshold"}, {"smote"}]
    together, apart = scores_of(predictions), {key: found for part in parts for key, found in scores_of(part).items()}
    assert apart.keys() == together.keys()
    for key, measures in together.items():
        for name, expected in measures.items():
            np.testing.assert_array_equal(apart[key][name].draws, expected.draws)
            np.testing.assert_array_equal(apart[key][name].repeats, expected.repeats)


def test_differences_are_recalibrated_less_none_of_the_same_classifier():
    scores = scores_of(predicted("none", "smote"))
    table = differences_table(scores)
    assert set(table) == {"smote"}
    for classifier in (LR, BOOSTING):
        ours, plain = (scores[arm, classifier, "recalibrated"]["auroc"] for arm in ("smote", "none"))
        got = table["smote"][classifier]["auroc"]
        value, error = ours.value - plain.value, (ours.draws - plain.draws).std(ddof=1)
        assert got.value == pytest.approx(value)
        assert got.value - got.low == pytest.approx(got.high - value)
        assert 1.9 * error < got.high - value < 2.2 * error


def test_all_variants_share_the_ranks_of_the_raw_probabilities_within_folds():
    predictions = predicted("none")
    fold = np.stack([np.arange(N) % 4, np.arange(N) // 50]).astype(np.int16)
    turned = dict(reversed(predictions.probability.items()))  # recalibrated first
    predictions = replace(predictions, fold=fold, probability=turned)
    scores = scores_of(predictions)
    raw, event = predictions.probability["none", LR, "raw"], predictions.event
    expected = [ranking(event, raw[r], unit_weights(N), fold[r])["auroc"][0] for r in range(2)]
    for variant in VARIANTS:
        got = scores["none", LR, variant]
        np.testing.assert_allclose(got["auroc"].repeats, expected)
        for name in ("auroc", "auprc", "ppv_at_alert_5", "sensitivity_at_spec_90"):
            assert (got[name].draws == scores["none", LR, "raw"][name].draws).all()
    assert scores["none", LR, "raw"]["brier"].value != scores["none", LR, "offset"]["brier"].value


def test_what_a_measure_rests_on_counts_groups():
    predictions = predicted("none")  # groups of two rows
    plan = resamples(predictions.event, predictions.group, n=10, seed=0)
    got = sample_of(predictions, plan, ("none", LR, "raw"))
    pairs = list(zip(predictions.group, predictions.event, strict=True))
    with_event, without = (len({group for group, event in pairs if event == value}) for value in (1, 0))
    assert with_event + without > 100, "some groups have both"
    assert (got.events, got.others) == (with_event, without)
    assert got.alerts == pytest.approx(100 * (predictions.probability["none", LR, "raw"] >= 0.5).mean())


def test_sites_that_all_have_an_event_have_limits_of_an_auroc_near_one():
    """No site is without an event, and yet there are patients without one."""
    predictions = predicted("none")
    perfect = {key: np.where(predictions.event == 1, 0.9, 0.1)[None].repeat(2, axis=0) for key in predictions.probability}
    sites = replace(predictions, group=np.arange(N) % 3, probability=perfect)
    found = estimates(scores_of(sites)["none", LR, "raw"])["auroc"]
    assert found.value == found.high == 1
    assert 0 <= found.low < 1


@pytest.mark.parametrize("chosen", [None, (0.05, 0.5)])
def test_net_benefit_is_over_the_chosen_range_or_around_the_prevalence_of_the_fitting_rows(chosen):
    predictions = predicted("none")
    settings = Evaluation(decision_thresholds=chosen)
    share = predictions.prevalence.mean()
    low, high = decision_range(predictions, settings)
    assert (low, high) == pytest.approx(chosen or (share / 2, min(4 * share, 0.95)))
    got = score(predictions, resamples(predictions.event, predictions.group, n=10, seed=0), settings)
    p, grid = predictions.probability["none", LR, "raw"], threshold_grid((low, high))
    expected = [net_benefit(predictions.event, row, unit_weights(N), grid)["net_benefit"][0] for row in p]
    np.testing.assert_allclose(got["none", LR, "raw"]["net_benefit"].repeats, expected)


def test_the_predictive_value_is_restated_where_a_prevalence_is_set():
    predictions = predicted("none")
    plan = resamples(predictions.event, predictions.group, n=10, seed=0)
    got = score(predictions, plan, Evaluation(deployment_prevalence=0.01))["none", LR, "raw"]
    assert got["ppv_at_deployment"].value < got["ppv"].value
    assert "ppv_at_deployment" not in score(predictions, plan)["none", LR, "raw"]


def test_the_threshold_arms_differences_are_zero_with_certainty():
    table = differences_table(scores_of(predicted("none", "threshold", "smote")))
    assert {tuple(e.model_dump().values()) for e in table["threshold"][LR].values()} == {(0.0, 0.0, 0.0)}
    assert table["smote"][LR]["sensitivity"].low < table["smote"][LR]["sensitivity"].high
