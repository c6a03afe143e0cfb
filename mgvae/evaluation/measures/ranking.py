"""Measures of how well a score ranks events above non-events."""

from __future__ import annotations

import numpy as np

from mgvae.arrays import FloatArray, IntArray
from mgvae.evaluation.measures.weights import ratio, sums
from mgvae.results.evaluation import Metric

RANKING: tuple[Metric, ...] = ("auroc", "auprc")


def ranking(event: IntArray, score: FloatArray, weights: FloatArray) -> dict[Metric, FloatArray]:
    """Compute AUROC and average precision, ``(R,)`` each.

    In AUROC ties count half; in average precision tied rows enter together. Both depend on the non-events only through how many
    lie between neighbouring scores of events, so the work per resample is one sum over the rows and a cumulative sum over the
    events.
    """
    case = event == 1
    scores, place = np.unique(score[case], return_inverse=True)
    if not len(scores):
        return {name: np.full(weights.shape[1], np.nan) for name in RANKING}
    true = sums(place, weights[case], len(scores))
    left, right = np.searchsorted(scores, score[~case], "left"), np.searchsorted(scores, score[~case], "right")
    false = sums(left + right, weights[~case], 2 * len(scores) + 1)
    tied, between = false[1::2], false[0::2]
    below = np.cumsum(between[:-1], axis=0) + np.cumsum(tied, axis=0) - tied
    n_true, n_false = true.sum(axis=0), false.sum(axis=0)
    pairs = ratio((true * (below + 0.5 * tied)).sum(axis=0), n_true * n_false)
    hits = n_true - np.cumsum(true, axis=0) + true
    alarms = n_false - below
    precision = np.divide(hits, hits + alarms, out=np.zeros_like(hits), where=hits + alarms > 0)
    return {"auroc": pairs, "auprc": ratio((true * precision).sum(axis=0), n_true)}
