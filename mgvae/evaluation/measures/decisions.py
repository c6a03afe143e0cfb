"""Measures of decisions for or against an event."""

from __future__ import annotations

import numpy as np

from mgvae.arrays import BoolArray, FloatArray, IntArray
from mgvae.evaluation.measures.weights import ratio
from mgvae.results.evaluation import Metric


def decisions(
    event: IntArray, positive: BoolArray, weights: FloatArray, *, deployment_prevalence: float | None = None
) -> dict[Metric, FloatArray]:
    """Compute the measures of decisions, ``(R,)`` each.

    Args:
        event: outcome in {0, 1}, ``(N,)``.
        positive: whether the decision is "event", ``(N,)``.
        weights: ``(N, R)``.
        deployment_prevalence: share of events where the model will be used; sensitivity and specificity given, the positive
            predictive value there is restated by Bayes' rule. None: not restated.
    """
    total = weights.sum(axis=0)
    true, alerts, n_true = np.stack([event * positive, positive, event]) @ weights
    n_false, false = total - n_true, alerts - true
    sensitivity, specificity = ratio(true, n_true), 1 - ratio(false, n_false)
    spread = np.sqrt(alerts * (total - alerts) * n_true * n_false)
    measures: dict[Metric, FloatArray] = {
        "sensitivity": sensitivity,
        "specificity": specificity,
        "ppv": ratio(true, alerts),
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "g_mean": np.sqrt(sensitivity * specificity),
        "f1": ratio(2 * true, alerts + n_true),
        "mcc": ratio(true * total - alerts * n_true, spread),
    }
    if deployment_prevalence is not None:
        found, alarmed = sensitivity * deployment_prevalence, (1 - specificity) * (1 - deployment_prevalence)
        measures["ppv_at_deployment"] = ratio(found, found + alarmed)
    return measures
