"""Smooth calibration curve, and how far it lies from the predictions.

The curve is a kernel estimate on the logit scale. At each logit it moves the predicted risk by the ratio of the odds of two
means under the same Gaussian weights, of the outcomes and of the predictions. So it has no bias where the predictions are
right, as a mean of outcomes alone would have: risk rises steeply across the width of any kernel that holds enough events. It
costs a few small matrix products for all resamples; lowess, which is usual, would cost a fit for each.

Source: Austin and Steyerberg 2019, doi 10.1002/sim.8281, for ICI, E90 and Emax.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from mgvae.arrays import FloatArray, IntArray
from mgvae.classifiers.recalibration import to_logit
from mgvae.evaluation.measures.calibration import grid
from mgvae.evaluation.measures.weights import ratio
from mgvae.results.evaluation import Metric

STEP = 0.1  # between nodes, in logits
NARROWEST = 0.3


def bandwidth(event: IntArray, logit: FloatArray) -> float:
    """Return the standard deviation of the kernel in logits: the normal reference rule of the events."""
    found = logit[event == 1]
    return max(NARROWEST, 1.06 * float(found.std()) * len(found) ** -0.2) if len(found) else NARROWEST


def smooth_curve(
    event: IntArray, probability: FloatArray, weights: FloatArray, at: FloatArray | None = None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the curve at predicted risks.

    Args:
        event: outcome in {0, 1}, ``(N,)``.
        probability: predicted probability, ``(N,)``.
        weights: ``(N, R)``.
        at: logits of the risks, ``(P,)``; None: nodes that cover all predictions.
    Returns:
        The logits ``(P,)``; the curve there and the number of rows at each node, ``(P, R)`` each (with ``at``: at no use).
    """
    logit = to_logit(probability)
    nodes, spread = grid(logit, step=STEP, most=400)
    rows, events = spread @ weights, spread[:, event == 1] @ weights[event == 1]
    at = nodes if at is None else at
    kernel = np.exp(-0.5 * ((at[:, None] - nodes) / bandwidth(event, logit)) ** 2)
    total, observed, expected = kernel @ rows, kernel @ events, kernel @ (rows * expit(nodes)[:, None])
    odds = np.exp(at)[:, None] * observed * (total - expected)
    return at, ratio(odds, odds + (total - observed).clip(0) * expected), rows


def smooth_calibration(event: IntArray, probability: FloatArray, weights: FloatArray) -> dict[Metric, FloatArray]:
    """Compute ICI, E90 and Emax, ``(R,)`` each.

    They are the mean over the rows, the 90th percentile and the largest of the distances between the predicted risk and the
    smooth calibration curve.
    """
    nodes, curve, rows = smooth_curve(event, probability, weights)
    distance = np.where(rows > 0, np.abs(curve - expit(nodes)[:, None]), 0.0)
    order = np.argsort(distance, axis=0)
    reached = np.take_along_axis(rows, order, axis=0).cumsum(axis=0)
    place = np.take_along_axis(order, (reached < 0.9 * reached[-1]).sum(axis=0)[None], axis=0)
    return {
        "ici": ratio((distance * rows).sum(axis=0), rows.sum(axis=0)),
        "e90": np.take_along_axis(distance, place, axis=0)[0],
        "emax": distance.max(axis=0),
    }
