"""Ranks within folds against counting, scikit-learn and a plain walk down the list; ties and folds without events."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.metrics import average_precision_score, roc_auc_score

from mgvae.evaluation.measures.ranking import ALERT_RATES, SPECIFICITIES, ranking
from mgvae.evaluation.measures.weights import unit_weights

ROWS = st.tuples(st.integers(0, 1), st.integers(0, 4), st.integers(0, 3), st.integers(0, 2))


def predictions(n: int = 1500, seed: int = 0, digits: int = 12):
    rng = np.random.default_rng(seed)
    line = rng.normal(-2, 1.2, size=n)
    event = (rng.random(n) < expit(line)).astype(np.int64)
    return event, np.round(expit(line + rng.normal(size=n)), digits), rng.integers(4, size=n) * 3  # folds 0, 3, 6, 9


def walk(event, score, weight, *, budget, counts):
    """Return the weight of events that alerts reach, given from the highest score down until the budget is spent.

    ``counts``: the rows that spend it.
    """
    found = 0.0
    for value in np.unique(score)[::-1]:
        here = score == value
        size = weight[here & counts].sum()
        share = 1.0 if size <= budget + 1e-12 else budget / size
        found += share * weight[here & (event == 1)].sum()
        budget -= share * size
        if share < 1:
            break
    return found


@given(st.lists(ROWS, min_size=2, max_size=40))
@settings(max_examples=150, deadline=None)
def test_auroc_counts_the_pairs_of_each_fold(rows):
    event, score, weight, fold = (np.array(column) for column in zip(*rows, strict=True))
    got = ranking(event, score.astype(float), weight[:, None].astype(float), fold)["auroc"][0]
    pairs = np.outer(weight * event, weight * (1 - event)) * (fold[:, None] == fold)
    if pairs.sum() == 0:
        assert np.isnan(got)
        return
    gap = score[:, None] - score
    assert got == pytest.approx((pairs * ((gap > 0) + 0.5 * (gap == 0))).sum() / pairs.sum())


@pytest.mark.parametrize("digits", [12, 1])
def test_each_fold_counts_by_its_pairs_and_precision_is_of_all_together(digits):
    event, score, fold = predictions(digits=digits)
    weights = np.random.default_rng(1).poisson(1.0, size=(len(event), 3)).astype(float)
    got = ranking(event, score, weights, fold)
    for r, w in enumerate(weights.T):
        parts = [(event[fold == f], score[fold == f], w[fold == f]) for f in np.unique(fold)]
        events = np.array([y @ v for y, _, v in parts])
        pairs = events * [(1 - y) @ v for y, _, v in parts]
        areas = [roc_auc_score(y, s, sample_weight=v) for y, s, v in parts]
        assert got["auroc"][r] == pytest.approx(np.average(areas, weights=pairs))
        assert got["auprc"][r] == pytest.approx(average_precision_score(event, score, sample_weight=w))


@pytest.mark.parametrize("digits", [12, 1])
def test_alerts_walk_down_the_list_of_each_fold(digits):
    event, score, fold = predictions(digits=digits)
    weights = np.random.default_rng(1).poisson(1.0, size=(len(event), 3)).astype(float)
    got = ranking(event, score, weights, fold)
    for r, w in enumerate(weights.T):
        for name, everyone, share in (
            *((f"alert_{percent}", True, percent / 100) for percent in ALERT_RATES),
            *((f"spec_{percent}", False, 1 - percent / 100) for percent in SPECIFICITIES),
        ):
            found = spent = 0.0
            for f in np.unique(fold):
                y, s, v = event[fold == f], score[fold == f], w[fold == f]
                counts = (y >= 0) if everyone else (y == 0)
                found += walk(y, s, v, budget=share * v[counts].sum(), counts=counts)
                spent += share * v[counts].sum()
            alerts = spent if everyone else spent + found
            assert got[f"sensitivity_at_{name}"][r] == pytest.approx(found / (w @ event)), name
            assert got[f"ppv_at_{name}"][r] == pytest.approx(found / alerts), name
            assert got[f"nne_at_{name}"][r] == pytest.approx(alerts / found), name


def test_a_shift_of_one_folds_scores_changes_nothing_within_folds():
    event, score, fold = predictions()
    shifted = score + 5.0 * (fold == 3)
    weights = unit_weights(len(event))
    one, other = (ranking(event, values, weights, fold) for values in (score, shifted))
    assert one.keys() == other.keys()
    for name, values in one.items():
        assert (other[name] == pytest.approx(values)) == (name != "auprc"), name
    assert ranking(event, shifted, weights)["auroc"][0] < ranking(event, score, weights)["auroc"][0] - 0.02


def test_scores_that_are_all_alike_find_their_share():
    event = (np.arange(200) < 20).astype(np.int64)
    got = ranking(event, np.full(200, 0.3), unit_weights(200))
    assert got["auroc"][0] == 0.5
    assert got["auprc"][0] == pytest.approx(0.1)
    assert got["sensitivity_at_alert_5"][0] == pytest.approx(0.05)
    assert got["sensitivity_at_spec_90"][0] == pytest.approx(0.1)
    assert got["nne_at_alert_5"][0] == pytest.approx(10)


def test_a_perfect_score_finds_as_many_events_as_there_are_alerts():
    event = (np.arange(200) < 20).astype(np.int64)
    got = ranking(event, 1 - np.arange(200) / 200, unit_weights(200))
    assert [got[f"sensitivity_at_alert_{n}"][0] for n in ALERT_RATES] == pytest.approx([0.1, 0.2, 0.5, 1.0])
    assert got["ppv_at_alert_5"][0] == got["nne_at_alert_5"][0] == pytest.approx(1)
    assert got["sensitivity_at_spec_95"][0] == 1
    assert got["ppv_at_spec_95"][0] == pytest.approx(20 / 29)


def test_at_the_exact_specificity_an_event_has_its_alert():
    """Ten of a hundred non-events lie above the event: at specificity 90 % it is found, with eleven it is not."""
    event = np.array([1] + [0] * 100)
    for above, expected in ((10, 1.0), (11, 0.0)):
        score = np.concatenate([[0.5], np.full(above, 0.9), np.full(100 - above, 0.1)])
        assert ranking(event, score, unit_weights(101))["sensitivity_at_spec_90"][0] == expected


def test_folds_without_events_count_alerts_only_and_no_event_at_all_defines_nothing():
    event, score, fold = np.array([1, 0, 0, 0]), np.array([0.9, 0.1, 0.8, 0.2]), np.array([0, 0, 1, 1])
    got = ranking(event, score, unit_weights(4), fold)
    assert got["auroc"][0] == got["auprc"][0] == 1
    assert got["ppv_at_alert_10"][0] == pytest.approx(0.5), "0.2 alerts in each fold, those of the first on its event"
    nothing = ranking(np.zeros(4, dtype=np.int64), score, unit_weights(4), fold)
    assert all(np.isnan(nothing[name][0]) for name in ("auroc", "auprc", "sensitivity_at_alert_5", "nne_at_alert_5"))


def test_average_precision_of_useless_scores_is_the_prevalence_however_few_events_a_fold_has():
    """Of all together it is near the prevalence; within folds of two events among 20 rows it would be about twice that."""
    rng = np.random.default_rng(0)
    event, fold = np.tile(np.arange(20) < 2, 5).astype(np.int64), np.repeat(np.arange(5), 20)
    found = [ranking(event, rng.random(100), unit_weights(100), fold)["auprc"][0] for _ in range(300)]
    assert np.mean(found) == pytest.approx(0.14, abs=0.02)
