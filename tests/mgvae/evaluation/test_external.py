"""External validation: lines that repair what was bent, differences by hand, measures that agree with those of a hold-out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from mgvae.classifiers.recalibration import fit_level
from mgvae.config.dictionary import Column
from mgvae.config.sections import Evaluation
from mgvae.evaluation.external import Outcomes, column_differences, judge, spread

SETTINGS = Evaluation(bootstrap=60)


def patients(n=6000, *, level=0.0, slope=1.0, seed=0):
    """Return outcomes, and risks that are off by a level and a slope."""
    rng = np.random.default_rng(seed)
    line = rng.normal(-2, 1.2, n)
    event = (rng.random(n) < expit(line)).astype(np.int64)
    return Outcomes(event, np.arange(n), expit((line - level) / slope))


@pytest.mark.parametrize("level", [-1.0, 0.0, 0.7])
def test_in_the_large_as_many_are_expected_as_observed(level):
    found = patients(level=level)
    line = fit_level(found.event, found.risk, level_sd=100.0)
    assert line.slope == 1
    assert line.intercept == pytest.approx(level, abs=0.15)
    assert line(found.risk).sum() == pytest.approx(found.event.sum(), rel=1e-4)


def test_the_prior_holds_back_what_few_events_say():
    event, risk = np.array([1, 0, 0, 0]), np.full(4, 0.02)
    assert 0 < fit_level(event, risk).intercept < fit_level(event, risk, level_sd=10.0).intercept < logit(0.25) - logit(0.02)


def test_weak_recalibration_finds_level_and_slope_and_nothing_else_moves():
    found = patients(level=0.5, slope=0.6)
    made = judge(found, ("none", "logistic_regression"), [], SETTINGS, threshold=0.2, seed=1)
    weak = made.recalibration["weak"]
    assert (weak.intercept, weak.slope) == (pytest.approx(0.5, abs=0.15), pytest.approx(0.6, abs=0.06))
    plain, repaired = made.scores["as it is"], made.scores["weak"]
    assert plain["calibration_slope"].value == pytest.approx(0.6, abs=0.06)
    assert repaired["calibration_slope"].value == pytest.approx(1, abs=0.02)
    assert repaired["auroc"] == plain["auroc"]
    alerts = found.risk >= 0.2
    assert plain["sensitivity"].value == pytest.approx(alerts[found.event == 1].mean())
    assert all(one.low is not None for one in (plain["auroc"], plain["observed_expected"], plain["net_benefit"]))


def test_a_good_model_is_not_said_to_be_off():
    made = judge(patients(seed=3), ("none", "logistic_regression"), [], SETTINGS, threshold=0.2, seed=1)
    for name, ideal in (("observed_expected", 1), ("calibration_slope", 1), ("calibration_intercept", 0)):
        found = made.scores["as it is"][name]
        assert found.low < ideal < found.high


def test_standardised_differences_by_hand():
    level = pd.CategoricalDtype(["a", "b", "c"])
    study = pd.DataFrame({"x": [0.0, 2.0, np.nan, 4.0], "s": pd.Series(["a", "a", "b", None], dtype=level), "c": [1.0] * 4})
    here = pd.DataFrame({"x": [3.0, 5.0, 7.0, 9.0], "s": pd.Series(["b", "b", "b", "a"], dtype=level), "c": [np.nan] * 4})
    columns = {"x": Column(kind="continuous"), "s": Column(kind="categorical", categories=("a", "b", "c"))}
    found = {one.column: one for one in column_differences(study, here, {**columns, "c": Column(kind="continuous")})}
    assert found["x"].difference == pytest.approx((6 - 2) / np.sqrt((8 / 3 + 5) / 2))
    assert (found["x"].missing_study, found["x"].missing_here) == (0.25, 0)
    share = (3 / 4 - 1 / 3) / np.sqrt((2 / 9 + 3 / 16) / 2)
    assert (found["s"].level in ("a", "b"), abs(found["s"].difference)) == (True, pytest.approx(share))
    assert (found["c"].study, found["c"].here, found["c"].difference) == (1, None, None)


def test_the_spread_is_that_of_the_log_odds():
    risk = expit(np.array([-3.0, -1.0]))
    assert (spread(risk).mean, spread(risk).sd) == (pytest.approx(-2), pytest.approx(1))
