"""Contrasts: every treated arm against the best model without correction, worst repeat and family-wide limit included."""

from __future__ import annotations

import numpy as np
import pytest

from mgvae.evaluation.summary import Score, contrasts, critical_value
from tests.mgvae.evaluation.results import plain

LR, BOOSTING = "logistic_regression", "hist_gradient_boosting"
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
        out[arm, classifier, "raw"] = dict.fromkeys(("auroc", "scaled_brier"), Score(np.ones(3), np.ones(500)))
        out[arm, classifier, "recalibrated"] = {"auroc": auroc, "scaled_brier": brier}
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
    assert table["auroc"]["low"] == pytest.approx(np.quantile(gains[0].draws, 0.025))
    brier = scores["smote", LR, "recalibrated"]["scaled_brier"] - reference["scaled_brier"]
    assert table["scaled_brier"] == plain(brier.summary())
