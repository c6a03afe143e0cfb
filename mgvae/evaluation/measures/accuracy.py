"""Losses of probabilities, and observed against expected events."""

from __future__ import annotations

import numpy as np

from mgvae.arrays import FloatArray, IntArray
from mgvae.classifiers.recalibration import SMALLEST
from mgvae.evaluation.measures.weights import ratio
from mgvae.results.evaluation import Metric


def accuracy(event: IntArray, probability: FloatArray, weights: FloatArray) -> dict[Metric, FloatArray]:
    """Compute Brier score, scaled Brier score, log loss and observed / expected events.

    The scaled Brier score is 1 - Brier / Brier of the prevalence. The log loss is the mean negative log-likelihood in nats,
    with probabilities clipped to ``[SMALLEST, 1 - SMALLEST]``.

    Args:
        event: outcome in {0, 1}, ``(N,)``.
        probability: predicted probability, ``(N,)``.
        weights: ``(N, R)``.
    Returns:
        ``(R,)`` each.
    """
    clipped = np.clip(probability, SMALLEST, 1 - SMALLEST)
    surprise = -np.log(np.where(event == 1, clipped, 1 - clipped))
    squared, surprises, expected, events = np.stack([(probability - event) ** 2, surprise, probability, event]) @ weights
    total = weights.sum(axis=0)
    prevalence, brier = ratio(events, total), ratio(squared, total)
    return {
        "brier": brier,
        "scaled_brier": 1 - ratio(brier, prevalence * (1 - prevalence)),
        "log_loss": ratio(surprises, total),
        "observed_expected": ratio(events, expected),
    }
