"""The smooth calibration curve against the truth and against lowess; ICI, E90 and Emax are what they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from statsmodels.nonparametric.smoothers_lowess import lowess

from mgvae.evaluation.measures.smooth_calibration import smooth_calibration, smooth_curve
from mgvae.evaluation.measures.weights import unit_weights

CENTRE = -4.0
WORLDS = {  # logit of the true risk, from that of the predicted one
    "right": lambda x: x,
    "too extreme": lambda x: CENTRE + 0.6 * (x - CENTRE),
    "too moderate": lambda x: CENTRE + 1.5 * (x - CENTRE),
    "shifted": lambda x: x + 0.5,
    "bent": lambda x: x + 0.5 * np.sin(1.3 * (x - CENTRE)),
}


def draw(world: str, n: int, seed: int):
    rng = np.random.default_rng(seed)
    x = rng.normal(CENTRE, 1.1, size=n)
    truth = expit(WORLDS[world](x))
    return (rng.random(n) < truth).astype(np.int64), expit(x), truth


@pytest.mark.parametrize("world", WORLDS)
def test_with_many_rows_the_curve_is_the_truth(world):
    event, p, truth = draw(world, 300_000, 0)
    at = np.linspace(CENTRE - 1.5, CENTRE + 2, 8)
    _, curve, _ = smooth_curve(event, p, unit_weights(len(p)), at)
    np.testing.assert_allclose(curve[:, 0], expit(WORLDS[world](at)), rtol=0.12)
    got = smooth_calibration(event, p, unit_weights(len(p)))
    distance = np.abs(p - truth)
    assert got["ici"][0] == pytest.approx(distance.mean(), rel=0.1, abs=0.001)
    assert got["e90"][0] == pytest.approx(np.quantile(distance, 0.9), rel=0.12, abs=0.002)


@pytest.mark.parametrize("world", ["too extreme", "too moderate", "shifted"])
def test_ici_and_e90_lie_near_those_of_lowess(world):
    ours, theirs = [], []
    for seed in range(8):
        event, p, _ = draw(world, 4000, seed)
        got = smooth_calibration(event, p, unit_weights(len(p)))
        ours.append([got["ici"][0], got["e90"][0]])
        distance = np.abs(p - lowess(event, p, frac=2 / 3, it=0, return_sorted=False))
        theirs.append([distance.mean(), np.quantile(distance, 0.9)])
    np.testing.assert_allclose(np.mean(ours, axis=0), np.mean(theirs, axis=0), rtol=0.15)


def test_with_few_events_it_is_less_biased_than_lowess():
    """Where the predictions are right each finds some distance; ours is no larger."""
    ours, theirs = [], []
    for seed in range(30):
        event, p, _ = draw("right", 600, seed)
        ours.append(smooth_calibration(event, p, unit_weights(len(p)))["ici"][0])
        theirs.append(np.abs(p - lowess(event, p, frac=2 / 3, it=0, return_sorted=False)).mean())
    assert np.mean(ours) < np.mean(theirs)


def test_the_distances_are_mean_percentile_and_largest():
    """Two predictions, far apart on the logit scale, are smoothed each for itself."""
    p = np.repeat([0.02, 0.6], [900, 100])
    event = np.zeros(1000, dtype=np.int64)
    event[:45], event[900:930] = 1, 1  # 5 % where 2 % are predicted, 30 % where 60 % are
    got = {name: values[0] for name, values in smooth_calibration(event, p, unit_weights(1000)).items()}
    assert got["ici"] == pytest.approx(0.9 * 0.03 + 0.1 * 0.3, rel=0.05)
    assert got["e90"] == pytest.approx(0.03, rel=0.05), "the 900th of 1000"
    assert got["emax"] == pytest.approx(0.3, rel=0.05)


def test_weights_are_repeated_rows_smoothed_with_the_same_kernel():
    event, p, _ = draw("bent", 500, 1)
    weight = np.random.default_rng(0).poisson(1.0, size=500)
    weight[event == 1] = 1  # the bandwidth depends on the events alone
    rows = np.repeat(np.arange(500), weight)
    one = smooth_calibration(event, p, weight[:, None].astype(float))
    other = smooth_calibration(event[rows], p[rows], unit_weights(len(rows)))
    for name, values in one.items():
        assert other[name] == pytest.approx(values, rel=0.02), name


def test_the_curve_stays_within_shares_and_without_events_there_is_none():
    event, p, _ = draw("right", 300, 3)
    _, curve, _ = smooth_curve(event, p, unit_weights(300), np.linspace(-12, 6, 40))
    assert ((curve >= 0) & (curve <= 1)).all()
    got = smooth_calibration(np.zeros(300, dtype=np.int64), p, unit_weights(300))
    assert got["ici"][0] == pytest.approx(p.mean(), rel=0.01), "nothing happened: the distance is the prediction"
