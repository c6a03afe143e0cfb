"""The simulation of coverage: its counting, and (slow) that the limits hold the truth as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

from mgvae.results.numbers import Estimate
from tests.benchmarks.coverage import coverage, held, truths

BOUNDED = ("auroc", "auprc", "brier", "log_loss", "observed_expected", "calibration_slope", "ici", "e90", "net_benefit")
BOUNDED += ("sensitivity", "specificity", "ppv", "balanced_accuracy", "g_mean", "f1", "mcc", "sensitivity_at_alert_5")
DIFFERENCES = ("auroc", "auprc", "brier", "scaled_brier", "log_loss", "net_benefit")


def test_limits_that_are_unknown_are_counted_apart():
    found = [Estimate(value=1, low=0, high=2), Estimate(value=1, low=1.5, high=2), Estimate(value=1), Estimate(value=None)]
    assert held(found, 1.0) == (0.5, 0.5)
    nothing = held(found[2:], 1.0)
    assert np.isnan(nothing[0])
    assert nothing[1] == 0


@pytest.mark.slow
@pytest.mark.parametrize("events", [10, 60])
def test_limits_hold_the_truth_in_at_least_92_percent(events):
    """Of 200 studies, less two standard errors of the simulation, 3 %."""
    table = coverage(events, 200, seed=2)
    found = {name: table[name][0][0] for name in BOUNDED} | {f"difference {name}": table[name][1][0] for name in DIFFERENCES}
    assert {name: share for name, share in found.items() if share < 0.89} == {}


@pytest.mark.slow
def test_the_truth_is_that_of_the_world():
    prevalence, values, differences = truths(0)
    assert prevalence == pytest.approx(0.033, abs=0.001)
    assert 0.7 < values["auroc"] < 0.8
    assert differences["auroc"] > 0.05
    assert values["calibration_slope"] == pytest.approx(1 / 1.2, abs=0.01)
