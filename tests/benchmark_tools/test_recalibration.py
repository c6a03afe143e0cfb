"""The benchmark of recalibration: its measures on known risks, and the fits that it counts."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks import recalibration as module


def judged(change):
    rows, risk = module.draw(60, np.random.default_rng(0))
    weights = np.random.default_rng(1).poisson(1.0, size=(len(rows), 20)).astype(float)
    logit = np.log(risk / (1 - risk))
    return module._judged(8, 1 / (1 + np.exp(-change(logit))), rows, risk, weights)


def test_the_true_risk_has_slope_one_and_no_distance():
    found = judged(lambda logit: logit)
    assert found.slope == pytest.approx(1, abs=1e-3)
    assert found.level == pytest.approx(0, abs=1e-9)
    assert found.distance == pytest.approx(0, abs=1e-12)
    assert found.held


def test_a_risk_of_twice_the_spread_has_slope_one_half():
    found = judged(lambda logit: 2 * logit)
    assert found.slope == pytest.approx(0.5, abs=1e-3)
    assert found.distance > 1e-4


def test_fewer_events_take_fewer_fits(monkeypatch):
    monkeypatch.setattr(module, "CLASSIFIERS", ("logistic_regression",))
    found = module.study(40, 5, (5, module.ALL), seed=0)
    assert [one.fits for one in found.values()] == [5 + 3, 5 + 10]
    assert all(0.2 < one.slope < 3 for one in found.values())
