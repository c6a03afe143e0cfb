"""Curves of ranks agree with scikit-learn and with the measures of the same predictions."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from mgvae.evaluation.measures.ranking import ranking
from mgvae.evaluation.measures.weights import unit_weights
from mgvae.evaluation.predictions import Predictions
from mgvae.evaluation.rank_curves import POINTS, precision_at, rank_curves, sensitivity_at

FINE = np.linspace(0, 1, 200_001)


def patients(*, n=400, events=30, ties=False, folds=1, seed=0):
    rng = np.random.default_rng(seed)
    event = np.zeros(n, dtype=np.int64)
    event[:events] = 1
    score = rng.normal(size=n) + 1.2 * event
    fold = rng.permutation(np.arange(n) % folds)
    return event, np.round(score) if ties else score, fold


@pytest.mark.parametrize("ties", [False, True])
def test_of_one_fold_the_curve_is_that_of_scikit_learn(ties):
    event, score, fold = patients(ties=ties)
    false_positive, sensitivity, _ = roc_curve(event, score, drop_intermediate=False)
    between = (false_positive[1:] + false_positive[:-1])[np.diff(false_positive) > 0] / 2
    found = sensitivity_at(between, event, score, fold)
    assert found == pytest.approx(np.interp(between, false_positive, sensitivity))
    assert np.trapezoid(sensitivity_at(FINE, event, score, fold), FINE) == pytest.approx(roc_auc_score(event, score), abs=1e-4)


@pytest.mark.parametrize("ties", [False, True])
def test_the_area_is_the_auroc_within_folds(ties):
    event, score, fold = patients(ties=ties, folds=4, seed=1)
    score = score + 3 * fold  # each fold on a scale of its own
    auroc = ranking(event, score, unit_weights(len(event)), fold)["auroc"][0]
    assert abs(auroc - roc_auc_score(event, score)) > 0.05
    assert np.trapezoid(sensitivity_at(FINE, event, score, fold), FINE) == pytest.approx(auroc, abs=1e-4)


@pytest.mark.parametrize("ties", [False, True])
def test_the_mean_precision_is_the_average_precision_of_all_folds_together(ties):
    event, score, _ = patients(ties=ties, seed=2)
    middles = (FINE[1:] + FINE[:-1]) / 2
    assert precision_at(middles, event, score).mean() == pytest.approx(average_precision_score(event, score), abs=1e-4)


def test_a_fold_without_both_classes_counts_for_nothing():
    event, score, _ = patients(events=5)
    alone = np.where(np.arange(len(event)) < 395, 0, 1)  # the last rows, without an event
    expected = sensitivity_at(FINE, event[:395], score[:395], np.zeros(395, dtype=np.int64))
    assert sensitivity_at(FINE, event, score, alone) == pytest.approx(expected)


@pytest.mark.parametrize(("sign", "area", "least"), [(1, 1.0, 1.0), (-1, 0.0, 0.0)])
def test_perfect_and_reversed_ranks(sign, area, least):
    event = np.array([1, 1, 0, 0, 0])
    score = sign * np.array([5.0, 4.0, 3.0, 2.0, 1.0])
    assert np.trapezoid(sensitivity_at(FINE, event, score, np.zeros(5)), FINE) == pytest.approx(area, abs=1e-4)
    assert precision_at(np.array([0.0, 1.0]), event, score)[0] == pytest.approx(1.0 if sign > 0 else 1 / 4)
    assert precision_at(np.array([0.0, 1.0]), event, score)[1] == pytest.approx(1.0 if sign > 0 else 2 / 5)
    assert precision_at(np.array([0.5]), event, score)[0] >= least


def test_what_the_report_holds_is_bounded_averages_repeats_and_leaves_out_moved_thresholds():
    event, score, fold = patients(folds=4)
    probability = {
        (arm, "logistic_regression", variant): np.stack([score, -score])
        for arm in ("none", "threshold", "mgvae")
        for variant in ("raw", "recalibrated")
    }
    predictions = Predictions(event, fold, np.stack([fold, fold]), np.full((2, len(event)), 0.1), probability, {})
    found = rank_curves(predictions)
    assert set(found.arms) == {"none", "mgvae"}
    curve = found.arms["none"]["logistic_regression"]
    assert len(found.false_positive) == len(found.recall) == len(curve.sensitivity) == len(curve.precision) == POINTS
    each = [sensitivity_at(np.array(found.false_positive), event, one, fold) for one in (score, -score)]
    assert curve.sensitivity == pytest.approx(np.mean(each, axis=0), abs=1e-4)
    assert found.prevalence == pytest.approx(event.mean())
