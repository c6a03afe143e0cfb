"""Measures of a risk prediction, for many sets of row weights at once.

So a bootstrap costs a few matrix products. Every function takes ``weights (N, R)``: column r holds how often resample r drew
each row; `unit_weights` gives the plain measure. A measure that a resample does not define (no event, no non-event) is NaN
there.
"""

from __future__ import annotations

from mgvae.arrays import FloatArray, IntArray
from mgvae.evaluation.measures.accuracy import accuracy
from mgvae.evaluation.measures.calibration import calibration
from mgvae.evaluation.measures.decisions import decisions
from mgvae.evaluation.measures.net_benefit import net_benefit, threshold_grid, threshold_range
from mgvae.evaluation.measures.ranking import ranking
from mgvae.evaluation.measures.smooth_calibration import smooth_calibration
from mgvae.results.evaluation import Metric


def measure(
    event: IntArray, probability: FloatArray, weights: FloatArray, *, threshold: float | FloatArray
) -> dict[Metric, FloatArray]:
    """Compute every measure for each column of ``weights``, ``(R,)``; all rows are ranked together.

    The arguments are those of `measure_probabilities`.
    """
    return {
        **ranking(event, probability, weights),
        **measure_probabilities(event, probability, weights, threshold=threshold),
    }


def measure_probabilities(
    event: IntArray,
    probability: FloatArray,
    weights: FloatArray,
    *,
    threshold: float | FloatArray,
    thresholds: FloatArray | None = None,
    deployment_prevalence: float | None = None,
) -> dict[Metric, FloatArray]:
    """Compute every measure that depends on more than ranks, for each column of ``weights``, ``(R,)``.

    Args:
        event: outcome in {0, 1}, ``(N,)``.
        probability: predicted probability of the event, ``(N,)``.
        weights: ``(N, R)``.
        threshold: the decision is "event" from this probability on; one number, or one per row ``(N,)``.
        thresholds: those of the net benefit, ``(T,)``, see `threshold_grid`; None: around the share of events.
        deployment_prevalence: see `decisions`.
    """
    if thresholds is None:
        thresholds = threshold_grid(threshold_range(float(event.mean())))
    return {
        **accuracy(event, probability, weights),
        **calibration(event, probability, weights),
        **smooth_calibration(event, probability, weights),
        **decisions(event, probability >= threshold, weights, deployment_prevalence=deployment_prevalence),
        **net_benefit(event, probability, weights, thresholds),
    }
