"""Instability: what the measures say of redeveloped models that are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from mgvae.classifiers.recalibration import Recalibration
from mgvae.evaluation.measures.instability import (
    FEWEST,
    band_starts,
    calibration_curve,
    changed_decisions,
    prediction_errors,
    recalibrated,
    redeveloped_curves,
    redeveloped_limits,
    risk_bands,
    slopes,
)


def models(n: int = 2000, b: int = 60, spread: float = 0.0, seed: int = 0):
    """Return outcome, original risks, and those of models whose log odds are all moved by a normal amount."""
    rng = np.random.default_rng(seed)
    original = expit(rng.normal(-3, 1, n))
    event = (rng.random(n) < original).astype(np.int64)
    moved = expit(logit(original) + spread * rng.normal(size=(b, 1))).astype(np.float32)
    return event, original, moved


def test_models_that_agree_have_no_instability():
    event, original, moved = models()
    assert prediction_errors(original, moved).max() < 1e-6
    assert not changed_decisions(original, moved, 0.0501).any()
    for band in risk_bands(original, moved, 0.0501):
        assert band.low == pytest.approx(band.risk, abs=1e-6) == band.high
        assert (band.error, band.changed) == (pytest.approx(0, abs=1e-6), 0)
    assert slopes(event, moved, np.ones(len(event))) == pytest.approx(slopes(event, moved, np.ones(len(event)))[0])


def test_errors_and_decisions_by_hand():
    original = np.array([0.1, 0.2, 0.4])
    redeveloped = np.array([[0.1, 0.3, 0.4], [0.3, 0.1, 0.4]], dtype=np.float32)
    assert prediction_errors(original, redeveloped) == pytest.approx(np.array([[0, 0.1, 0], [0.2, 0.1, 0]]), abs=1e-6)
    assert changed_decisions(original, redeveloped, 0.3).tolist() == [[False, True, False], [True, False, False]]


def test_limits_are_percentiles_of_the_models():
    values = np.linspace(0, 1, 41)
    found = redeveloped_limits(values, centre=0.4)
    assert (found.value, found.low, found.high) == (0.4, pytest.approx(0.025), pytest.approx(0.975))
    assert redeveloped_limits(values[:10], centre=0.4).low is not None
    assert redeveloped_limits(values[:9], centre=0.4).low is None
    unknown = redeveloped_limits(np.array([np.nan, 1.0]), centre=float("nan"))
    assert (unknown.value, unknown.low, unknown.high) == (None, None, None)


def test_a_band_says_what_95_percent_of_the_models_predict():
    _, original, moved = models(b=4000, spread=0.5)
    for band in risk_bands(original, moved, 0.05)[1:]:
        assert logit(band.low) == pytest.approx(logit(band.risk) - 0.98, abs=0.06)
        assert logit(band.high) == pytest.approx(logit(band.risk) + 0.98, abs=0.06)


def test_decisions_change_most_at_the_threshold():
    _, original, moved = models(b=400, spread=0.3)
    bands = risk_bands(original, moved, 0.1)
    nearest = min(bands, key=lambda band: abs(logit(band.risk) - logit(0.1)))
    assert nearest.changed == max(band.changed for band in bands) > 0.3
    assert bands[0].changed < 0.02


@given(st.integers(0, 30_000))
def test_every_band_has_ten_patients_and_each_is_in_one(n):
    sizes = np.diff([0, *band_starts(n), n])
    assert sizes.sum() == n
    assert len(sizes) == 1 or sizes.min() >= FEWEST
    assert n < 1000 or (len(sizes) >= 10 and sizes[-1] <= 0.04 * n)


def test_bands_hold_the_patients_in_order_of_risk():
    _, original, moved = models(n=500, b=3)
    bands = risk_bands(original, moved, 0.05)
    assert sum(band.n for band in bands) == 500
    assert [band.risk for band in bands] == sorted(band.risk for band in bands)
    assert np.average([band.risk for band in bands], weights=[band.n for band in bands]) == pytest.approx(original.mean())
    assert bands[-1].risk == pytest.approx(np.sort(original)[-bands[-1].n :].mean())


def test_the_slope_of_a_model_twice_as_steep_is_a_half():
    rng = np.random.default_rng(1)
    line = rng.normal(-2, 1.2, 40_000)
    event = (rng.random(len(line)) < expit(line)).astype(np.int64)
    steep = expit(np.stack([line, 2 * line])).astype(np.float32)
    assert slopes(event, steep, np.ones(len(event))) == pytest.approx([1, 0.5], abs=0.03)


def test_a_curve_lies_on_the_diagonal_where_the_model_is_right():
    event, original, _ = models(n=60_000)
    curve = calibration_curve(event, original, np.ones(len(event)))
    assert len(curve.predicted) == 10
    assert curve.observed == pytest.approx(curve.predicted, rel=0.15)
    assert len(calibration_curve(event[:50], original[:50], np.ones(50)).predicted) == 1


def test_some_of_many_curves_are_kept_the_first_and_the_last_among_them():
    event, _, moved = models(b=70, spread=0.5)
    curves = redeveloped_curves(event, moved, np.ones(len(event)))
    assert len(curves) == 25
    assert curves[0] == calibration_curve(event, moved[0].astype(float), np.ones(len(event)))
    assert curves[-1] == calibration_curve(event, moved[-1].astype(float), np.ones(len(event)))
    assert len(redeveloped_curves(event, moved[:3], np.ones(len(event)))) == 3


def test_each_model_has_its_own_recalibration():
    _, _, moved = models(b=2)
    found = recalibrated(moved, [Recalibration(), Recalibration(intercept=1.0, slope=0.5)])
    assert found[0] == pytest.approx(moved[0], rel=1e-5)
    assert logit(found[1].astype(float)) == pytest.approx(1 + 0.5 * logit(moved[1].astype(float)), abs=1e-4)
