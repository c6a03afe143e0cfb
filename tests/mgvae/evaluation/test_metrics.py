"""The measures against scikit-learn, with and without weights, with ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    f1_score,
    log_loss,
    matthews_corrcoef,
    precision_score,
    recall_score,
    roc_auc_score,
)

from mgvae.evaluation.measures.calibration import calibration, grid
from mgvae.evaluation.measures.decisions import decisions
from mgvae.evaluation.measures.ranking import ranking
from mgvae.evaluation.measures.weights import unit_weights
from mgvae.evaluation.metrics import measure


def predictions(n: int = 3000, seed: int = 0, digits: int = 12) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    line = rng.normal(-3.5, 1.2, size=n)
    event = (rng.random(n) < expit(line)).astype(np.int64)
    return event, np.round(expit(0.4 + 1.3 * line), digits)


def draws(n: int, r: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).poisson(1.0, size=(n, r)).astype(float)


@pytest.mark.parametrize("digits", [12, 2])
def test_every_measure_agrees_with_scikit_learn_for_each_resample(digits):
    event, p = predictions(digits=digits)
    p = p.clip(1e-4, 1 - 1e-4)
    weights = np.column_stack([np.ones(len(event)), draws(len(event), 4)])
    ours = measure(event, p, weights, threshold=0.1)
    for r, w in enumerate(weights.T):
        w_brier = brier_score_loss(event, p, sample_weight=w)
        prevalence = np.average(event, weights=w)
        expected = {
            "auroc": roc_auc_score(event, p, sample_weight=w),
            "auprc": average_precision_score(event, p, sample_weight=w),
            "brier": w_brier,
            "log_loss": log_loss(event, p, sample_weight=w),
            "scaled_brier": 1 - w_brier / (prevalence * (1 - prevalence)),
            "observed_expected": (w @ event) / (w @ p),
            "balanced_accuracy": balanced_accuracy_score(event, p >= 0.1, sample_weight=w),
            "sensitivity": recall_score(event, p >= 0.1, sample_weight=w),
            "specificity": recall_score(1 - event, p < 0.1, sample_weight=w),
            "ppv": precision_score(event, p >= 0.1, sample_weight=w),
            "f1": f1_score(event, p >= 0.1, sample_weight=w),
            "mcc": matthews_corrcoef(event, p >= 0.1, sample_weight=w),
        }
        expected["g_mean"] = np.sqrt(expected["sensitivity"] * expected["specificity"])
        for name, value in expected.items():
            assert ours[name][r] == pytest.approx(value, rel=1e-9), name


def test_slope_and_intercept_agree_with_unpenalised_regression():
    event, p = predictions()
    weights = np.column_stack([np.ones(len(event)), draws(len(event), 3)])
    ours = calibration(event, p, weights)
    x = logit(p)
    for r, w in enumerate(weights.T):
        model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(x[:, None], event, sample_weight=w)
        assert ours["calibration_slope"][r] == pytest.approx(model.coef_[0, 0], rel=2e-4)
        level = ours["calibration_intercept"][r]
        assert w @ expit(level + x) == pytest.approx(w @ event, rel=2e-4), "at the optimum expected equals observed"


def test_calibration_of_true_probabilities_is_perfect():
    rng = np.random.default_rng(3)
    p = expit(rng.normal(-3, 1, size=200_000))
    event = (rng.random(len(p)) < p).astype(np.int64)
    ours = measure(event, p, unit_weights(len(p)), threshold=0.5)
    assert ours["calibration_slope"][0] == pytest.approx(1, abs=0.03)
    assert ours["calibration_intercept"][0] == pytest.approx(0, abs=0.03)
    assert ours["observed_expected"][0] == pytest.approx(1, abs=0.03)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 4), st.integers(0, 3)), min_size=2, max_size=40))
@settings(max_examples=150, deadline=None)
def test_ranking_by_counting_pairs(rows):
    event, score, weight = (np.array(column) for column in zip(*rows, strict=True))
    ours = ranking(event, score.astype(float), weight[:, None].astype(float))["auroc"][0]
    cases, others = event == 1, event == 0
    pairs = weight[cases][:, None] * weight[others]
    if pairs.sum() == 0:
        assert np.isnan(ours)
        return
    gap = score[cases][:, None] - score[others]
    assert ours == pytest.approx((pairs * ((gap > 0) + 0.5 * (gap == 0))).sum() / pairs.sum())


def test_ranking_is_invariant_under_rising_transformations():
    event, p = predictions()
    weights = draws(len(event), 5)
    one, other = ranking(event, p, weights), ranking(event, logit(p) * 3 - 1, weights)
    for name in one:
        np.testing.assert_allclose(one[name], other[name])


def test_separated_classes_have_no_slope_and_one_class_has_no_ranking():
    event = np.array([0, 0, 0, 1, 1])
    p = np.array([0.1, 0.2, 0.3, 0.7, 0.8])
    assert np.isnan(calibration(event, p, unit_weights(5))["calibration_slope"][0])
    weights = np.array([[1, 1, 1, 0, 0]]).T.astype(float)
    ours = measure(event, p, weights, threshold=0.5)
    for name in ("auroc", "auprc", "scaled_brier", "calibration_slope", "calibration_intercept", "sensitivity", "ppv"):
        assert np.isnan(ours[name][0]), name
    assert np.isnan(ranking(np.zeros(3, dtype=np.int64), p[:3], unit_weights(3))["auroc"][0])


def test_thresholds_may_differ_by_row():
    event, p = predictions()
    one = measure(event, p, unit_weights(len(p)), threshold=0.1)
    other = measure(event, p, unit_weights(len(p)), threshold=np.full(len(p), 0.1))
    assert one == other


@pytest.mark.parametrize("n", [40, 5000])
def test_the_grid_keeps_number_and_sum(n):
    x = np.random.default_rng(0).normal(-3, 2, size=n)
    nodes, spread = grid(x)
    weights = draws(n, 3)
    rows = spread @ weights
    np.testing.assert_allclose(rows.sum(axis=0), weights.sum(axis=0))
    np.testing.assert_allclose(nodes @ rows, x @ weights)
    assert (spread.toarray() >= 0).all()


@pytest.mark.parametrize("prevalence", [0.01, 0.3])
def test_the_restated_predictive_value_is_that_of_a_population_with_this_prevalence(prevalence):
    event, p = predictions()
    plain = decisions(event, p >= 0.1, unit_weights(len(p)))
    assert "ppv_at_deployment" not in plain
    weights = np.where(event == 1, prevalence / event.mean(), (1 - prevalence) / (1 - event.mean()))[:, None]
    there = decisions(event, p >= 0.1, weights)["ppv"]
    got = decisions(event, p >= 0.1, unit_weights(len(p)), deployment_prevalence=prevalence)
    assert got["ppv_at_deployment"] == pytest.approx(there)
    assert got["ppv"] == plain["ppv"]


def test_without_alerts_no_predictive_value_and_no_correlation_is_defined():
    event = np.array([1, 0, 0, 0])
    got = decisions(event, np.zeros(4, dtype=bool), unit_weights(4), deployment_prevalence=0.1)
    assert got["f1"][0] == got["sensitivity"][0] == 0
    assert np.isnan([got[name][0] for name in ("ppv", "mcc", "ppv_at_deployment")]).all()
