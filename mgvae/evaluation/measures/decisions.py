"""Measures of decisions for or against an event."""

from __future__ import annotations

import numpy as np

from mgvae.arrays import BoolArray, FloatArray, IntArray
from mgvae.evaluation.measures.weights import ratio
from mgvae.results.evaluation import Metric


def decisions(event: IntArray, positive: BoolArray, weights: FloatArray) -> dict[Metric, FloatArray]:
    """Compute the measures of the decisions ``positive (N,)``."""
    true, false = (event * positive) @ weights, ((1 - event) * positive) @ weights
    n_true = event @ weights
    n_false = weights.sum(axis=0) - n_true
    sensitivity, specificity = ratio(true, n_true), 1 - ratio(false, n_false)
    return {
        "sensitivity": sensitivity,
        "specificity": specificity,
        "ppv": ratio(true, true + false),
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "g_mean": np.sqrt(sensitivity * specificity),
    }
