"""Contrasts: every treated arm against the best model without correction, worst repeat and family-wide limit included."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mgvae.evaluation.intervals import Sample, Score
from mgvae.evaluation.summary import contrasts, critical_value
from tests.mgvae.evaluation.results import plain

LR, BOOSTING = "logistic_regression", "hist_gradient_boosting"
MEASURES = ("auroc", "scaled_brier", "net_benefit", "log_loss")
AUROC = {
    ("none", LR): (0.70, 0.72, 0.71),
    ("none", BOOSTING): (0.75, 0.77, 0.79),
    ("threshold", LR): (0.70, 0.72, 0.71),
    ("smote", LR): (0.80, 0.80, 0.80),
    ("smote", BOOSTING): (0.74, 0.79, 0.81),
    ("mgvae", LR): (0.60, 0.90, 0.90),
}


@pytest.fixture
def scores():
    """Return recalibrated scores whose AUROC is as above; raw ones are perfect, so that they would win if they were read."""
    rng = np.random.default_rng(0)
    out = {}
    for (arm, classifier), repeats in AUROC.items():
        auroc = Score(np.array(repeats), np.mean(repeats) + rng.normal(size=500) * 0.01)
        brier = Score(1 - np.array(repeats), 1 - np.mean(repeats) + rng.normal(size=500) * 0.02)
        out[arm, classifier, "raw"] = dict.fromkeys(MEASURES, Score(np.ones(3), np.ones(500)))
        out[arm, classifier, "recalibrated"] = {"auroc": auroc, **dict.fromkeys(MEASURES[1:], brier)}
    return out


def test_the_reference_is_the_best_classifier_without_correction(scores):
    got = plain(contrasts(scores))
    assert got["reference"] == {"arm": "none", "classifier": BOOSTING}
    assert got["candidates"] == 3
    assert {arm: set(of) for arm, of in got["against"].items()} == {"smote": {LR, BOOSTING}, "mgvae": {LR}}


@pytest.mark.parametrize(("pair", "least"), [(("smote", LR), 0.01), (("smote", BOOSTING), -0.01), (("mgvae", LR), -0.15)])
def test_the_least_repeat_is_that_of_the_differences_repeat_by_repeat(scores, pair, least):
    arm, classifier = pair
    got = plain(contrasts(scores))["against"][arm][classifier]["auroc"]
    assert got["least_repeat"] == pytest.approx(least)
    assert got["value"] == pytest.approx(np.mean(AUROC[pair]) - 0.77)


def test_limits_come_from_the_differences_in_the_same_resamples(scores):
    got = plain(contrasts(scores))
    reference = scores["none", BOOSTING, "recalibrated"]
    gains = [
        scores[*pair, "recalibrated"]["auroc"] - reference["auroc"]
        for pair in (("smote", LR), ("smote", BOOSTING), ("mgvae", LR))
    ]
    assert got["critical"] == pytest.approx(critical_value(gains))
    table = got["against"]["smote"][LR]
    assert table["auroc"]["family_low"] == pytest.approx(gains[0].value - got["critical"] * gains[0].draws.std(ddof=1))
    assert table["auroc"]["low"] == pytest.approx(gains[0].value - 1.959964 * gains[0].draws.std(ddof=1))
    brier = scores["smote", LR, "recalibrated"]["scaled_brier"] - reference["scaled_brier"]
    for measure in MEASURES[1:]:
        assert {key: table[measure][key] for key in ("value", "low", "high")} == plain(brier.difference(measure))
        assert table[measure]["se"] == pytest.approx(brier.draws.std(ddof=1))


def test_family_limits_hold_for_all_candidates_at_once_on_either_side():
    """Of 40 skewed differences without a true one, each side's limits all hold with 97.5 %."""
    rng, missed = np.random.default_rng(1), np.zeros(2)
    for _ in range(200):
        centre = rng.exponential(size=40) - 1
        gains = [Score(np.array([value]), value + rng.exponential(size=400) - 1) for value in centre]
        for place, side in enumerate((1, -1)):
            critical = critical_value(gains, side=side)
            missed[place] += any(side * gain.value > critical * gain.draws.std(ddof=1) for gain in gains)
    assert (missed / 200 < 0.06).all()


@pytest.mark.parametrize("measure", MEASURES)
def test_with_few_events_family_limits_are_as_much_wider_as_students_t(scores, measure):
    many = plain(contrasts(scores))["against"]["smote"][LR][measure]
    few_scores = {
        key: {name: Score(s.repeats, s.draws, Sample(events=8, others=90, alerts=9)) for name, s in measures.items()}
        for key, measures in scores.items()
    }
    few = plain(contrasts(few_scores))["against"]["smote"][LR][measure]
    assert few["se"] == pytest.approx(many["se"] * np.sqrt(8 / 7))
    wider = np.sqrt(8 / 7) * stats.t.ppf(0.975, 7) / 1.959964
    for limit in ("family_low", "family_high", "low", "high"):
        assert few[limit] - few["value"] == pytest.approx(wider * (many[limit] - many["value"]))


@pytest.mark.parametrize("measure", MEASURES)
def test_the_mirrored_scores_have_mirrored_limits(scores, measure):
    got = plain(contrasts(scores))["against"]["smote"][LR][measure]
    if measure != "auroc":
        mirrored = {
            key: measures | {name: Score(-s.repeats, -s.draws) for name, s in measures.items() if name != "auroc"}
            for key, measures in scores.items()
        }
        turned = plain(contrasts(mirrored))["against"]["smote"][LR][measure]
        assert (got["family_low"], got["family_high"]) == pytest.approx((-turned["family_high"], -turned["family_low"]))
    assert got["family_low"] < got["low"]
    assert got["high"] < got["family_high"]
