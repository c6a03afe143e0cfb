"""Net benefit against its definition and against dcurves; what is worth nothing has a gain of 0 or less."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from dcurves import dca
from scipy.special import expit

from mgvae.evaluation.measures.net_benefit import (
    POINTS,
    net_benefit,
    net_benefit_curves,
    threshold_grid,
    threshold_range,
)
from mgvae.evaluation.measures.weights import unit_weights


def predictions(n: int = 2000, seed: int = 0, digits: int = 12) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = expit(rng.normal(-3, 1.2, size=n))
    return (rng.random(n) < p).astype(np.int64), np.round(p, digits)


@pytest.mark.parametrize("digits", [12, 2])
def test_the_curves_are_counts_of_true_and_false_positives(digits):
    event, p = predictions(digits=digits)
    thresholds = np.array([0.01, 0.02, 0.05, 0.1, 0.4])  # with two digits some predictions lie on a threshold
    weights = np.random.default_rng(1).poisson(1.0, size=(len(p), 3)).astype(float)
    model, everyone = net_benefit_curves(event, p, weights, thresholds)
    for r, w in enumerate(weights.T):
        for place, t in enumerate(thresholds):
            true, false = ((w[(p >= t) & (event == value)]).sum() / w.sum() for value in (1, 0))
            assert model[place, r] == pytest.approx(true - false * t / (1 - t))
            prevalence = w @ event / w.sum()
            assert everyone[place, r] == pytest.approx(prevalence - (1 - prevalence) * t / (1 - t))


def test_the_curves_agree_with_dcurves():
    event, p = predictions()
    thresholds = np.array([0.02, 0.05, 0.1, 0.2])
    table = dca(pd.DataFrame({"event": event, "p": p}), outcome="event", modelnames=["p"], thresholds=thresholds)
    model, everyone = net_benefit_curves(event, p, unit_weights(len(p)), thresholds)
    for name, ours in (("p", model), ("all", everyone)):
        theirs = table[table["model"] == name].set_index("threshold")["net_benefit"].reindex(thresholds)
        np.testing.assert_allclose(ours[:, 0], theirs, rtol=1e-9)


def gain(event, p, thresholds):
    return net_benefit(event, p, unit_weights(len(p)), thresholds)["net_benefit"][0]


def test_the_gain_is_the_mean_over_the_logarithm_of_the_threshold():
    """Between two risks, that of all events and that of all others, the curve is the prevalence."""
    event = (np.arange(1000) < 20).astype(np.int64)
    p, low, high = np.where(event == 1, 0.5, 0.001), 0.01, 0.08
    share = 0.02
    # the gain: share - max(0, share - (1 - share) t / (1 - t)); up to the share it is the odds of t times 0.98
    below = 0.98 * (np.log1p(-low) - np.log1p(-share))
    expected = (below + share * np.log(high / share)) / np.log(high / low)
    assert gain(event, p, threshold_grid((low, high))) == pytest.approx(expected, rel=2e-3)


def test_treating_all_or_none_gains_nothing_and_the_truth_gains_most():
    event, p = predictions(20_000)
    thresholds = threshold_grid(threshold_range(event.mean()))
    below = thresholds < event.mean()
    assert gain(event, np.full(len(p), 0.0), thresholds[~below]) == 0
    assert gain(event, np.full(len(p), 1.0), thresholds[below]) == pytest.approx(0, abs=1e-12)
    assert gain(event, np.full(len(p), event.mean()), thresholds) == pytest.approx(0, abs=1e-12)
    rng = np.random.default_rng(0)
    truth = gain(event, p, thresholds)
    assert (
        truth > gain(event, expit(np.log(p / (1 - p)) + rng.normal(size=len(p))), thresholds) > gain(event, 8 * p, thresholds)
    )
    assert gain(event, rng.permutation(p), thresholds) < 0 < truth


@pytest.mark.parametrize(("share", "expected"), [(0.02, (0.01, 0.08)), (0.4, (0.2, 0.95)), (0.2, (0.1, 0.8))])
def test_the_range_surrounds_the_prevalence_unless_it_is_chosen(share, expected):
    assert threshold_range(share) == pytest.approx(expected)
    assert threshold_range(share, (0.03, 0.3)) == (0.03, 0.3)


def test_the_thresholds_are_even_in_their_logarithm():
    grid = threshold_grid((0.01, 0.08))
    assert len(grid) == POINTS
    assert grid[[0, -1]] == pytest.approx([0.01, 0.08])
    np.testing.assert_allclose(np.diff(np.log(grid)), np.log(8) / (POINTS - 1))
