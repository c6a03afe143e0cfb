"""Net benefit of deciding by a risk prediction, over a range of thresholds.

Source: Vickers and Elkin 2006, doi 10.1177/0272989X06295361.
"""

from __future__ import annotations

import numpy as np

from mgvae.arrays import FloatArray, IntArray
from mgvae.evaluation.measures.weights import ratio, sums
from mgvae.results.evaluation import Metric

POINTS = 41
HIGHEST = 0.95


def threshold_range(prevalence: float, chosen: tuple[float, float] | None = None) -> tuple[float, float]:
    """Return the lowest and highest decision threshold.

    Without a choice: from half to four times the prevalence, at most ``HIGHEST``.
    """
    return chosen or (prevalence / 2, min(4 * prevalence, HIGHEST))


def threshold_grid(limits: tuple[float, float]) -> FloatArray:
    """Return ``POINTS`` thresholds between the limits, evenly spaced in their logarithm."""
    return np.geomspace(*limits, POINTS)


def net_benefit_curves(
    event: IntArray, probability: FloatArray, weights: FloatArray, thresholds: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the net benefit of the prediction and of treating all, ``(T, R)`` each.

    At a threshold t: true positives a row, less false positives a row times the odds of t. Treating none gives 0.

    Args:
        event: outcome in {0, 1}, ``(N,)``.
        probability: predicted probability, ``(N,)``; a row is treated from the threshold on.
        weights: ``(N, R)``.
        thresholds: ``(T,)``, rising, each between 0 and 1.
    """
    count = len(thresholds) + 1
    reached = np.searchsorted(thresholds, probability, "right")
    found = sums(reached + count * event, weights, 2 * count)
    above = found.reshape(2, count, -1)[:, ::-1].cumsum(axis=1)[:, ::-1]
    false, true = above[:, 1:] / above[:, :1].sum(axis=0)
    prevalence = ratio(above[1, 0], above[:, 0].sum(axis=0))
    odds = (thresholds / (1 - thresholds))[:, None]
    return true - odds * false, prevalence - odds * (1 - prevalence)


def net_benefit(
    event: IntArray, probability: FloatArray, weights: FloatArray, thresholds: FloatArray
) -> dict[Metric, FloatArray]:
    """Compute the mean gain in net benefit over the thresholds, ``(R,)``.

    The gain is the net benefit less that of the better of treating all and treating none, so that 0 means "no better than
    without a model". Its mean is over the logarithm of the threshold, by the trapezoidal rule.

    Args:
        event: outcome in {0, 1}, ``(N,)``.
        probability: predicted probability, ``(N,)``.
        weights: ``(N, R)``.
        thresholds: ``(T,)``, evenly spaced in their logarithm, see `threshold_grid`.
    """
    model, everyone = net_benefit_curves(event, probability, weights, thresholds)
    return {"net_benefit": over_range(model - np.maximum(everyone, 0.0))}


def over_range(curves: FloatArray) -> FloatArray:
    """Return the mean of curves ``(T, R)`` over evenly spaced points, ``(R,)``."""
    return np.asarray((curves[1:] + curves[:-1]).mean(axis=0) / 2)
