"""Calibration-in-the-large and calibration slope."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.special import expit

from mgvae.arrays import FloatArray, IntArray
from mgvae.classifiers.recalibration import to_logit
from mgvae.results.evaluation import Metric

STEPS, TOLERANCE, LARGEST_STEP = 50, 1e-9, 2.0
FARTHEST = 20.0  # a line this steep or this high means separated classes: there is no maximum


def calibration(event: IntArray, probability: FloatArray, weights: FloatArray) -> dict[Metric, FloatArray]:
    """Compute calibration-in-the-large and the calibration slope, ``(R,)`` each.

    The first is the intercept at slope 1; beside the slope the intercept is free. Both are logistic regressions of the outcome
    on logit p. Rows are spread over a fine grid of logits that keeps their number and their sum, so that a resample costs the
    same for any number of rows; on the grid the probabilities are right to about 1e-5.
    """
    logit = to_logit(probability)
    nodes, spread = grid(logit)
    rows = spread @ weights
    events, moment = event @ weights, (event * logit) @ weights
    intercept, _ = fit_line(nodes, rows, events, moment, free_slope=False)
    _, slope = fit_line(nodes, rows, events, moment, free_slope=True)
    return {"calibration_intercept": intercept, "calibration_slope": slope}


def grid(logit: FloatArray, *, step: float = 0.02, most: int = 1500) -> tuple[FloatArray, sparse.csc_array]:
    """Return logit nodes ``(K,)`` and the matrix ``(K, N)`` of rows spread over them.

    Each row is shared between its two neighbouring nodes. The shares keep the sum of weights and the sum of weighted logits.
    With few distinct logits the nodes are these themselves.
    """
    distinct, place = np.unique(logit, return_inverse=True)
    if len(distinct) <= most // 4:
        return distinct, _spread(place[:, None], np.ones((len(logit), 1)), len(distinct))
    count = int(np.clip(np.ceil((distinct[-1] - distinct[0]) / step), 2, most)) + 1
    nodes = np.linspace(distinct[0], distinct[-1], count)
    low = (np.searchsorted(nodes, logit, "right") - 1).clip(0, count - 2)
    share = (logit - nodes[low]) / (nodes[low + 1] - nodes[low])
    return nodes, _spread(np.column_stack([low, low + 1]), np.column_stack([1 - share, share]), count)


def _spread(places: IntArray, shares: FloatArray, nodes: int) -> sparse.csc_array:
    """Return the matrix ``(nodes, N)`` of the rows' shares at their places, ``(N, M)`` each, increasing."""
    starts = np.arange(0, places.size + 1, places.shape[1])
    return sparse.csc_array((shares.ravel(), places.ravel(), starts), shape=(nodes, len(places)))


def fit_line(
    logit: FloatArray, rows: FloatArray, events: FloatArray, moment: FloatArray, *, free_slope: bool
) -> tuple[FloatArray, FloatArray]:
    """Fit the maximum-likelihood intercepts and slopes, ``(R,)`` each.

    Where there is no maximum both are NaN.

    Args:
        logit: logit of the predicted probability at each node, ``(K,)``.
        rows: number of rows at each node, ``(K, R)``.
        events: number of events, ``(R,)``.
        moment: sum of the events' logits, ``(R,)``.
        free_slope: whether the slope is fitted; it is 1 otherwise.
    """

    def step(intercept: FloatArray, slope: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return a Newton step, shortened where it is long.

        Far from the maximum the second-order approximation misleads.
        """
        expected = expit(intercept + logit[:, None] * slope)
        mass = rows * expected
        information = mass * (1 - expected)
        g0, h00 = events - mass.sum(axis=0), information.sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            if not free_slope:
                return np.clip(g0 / h00, -LARGEST_STEP, LARGEST_STEP), np.zeros_like(g0)
            g1, h01, h11 = moment - logit @ mass, logit @ information, logit**2 @ information
            det = h00 * h11 - h01**2
            det = np.where(det > 1e-12 * h00 * h11, det, np.nan)
            shift, turn = (h11 * g0 - h01 * g1) / det, (h00 * g1 - h01 * g0) / det
            scale = np.minimum(1.0, LARGEST_STEP / np.maximum(np.abs(shift), np.abs(turn)))
            scale = np.where(np.isfinite(scale), scale, 1.0)
        return shift * scale, turn * scale

    total = rows.sum(axis=0)
    intercept, slope = np.zeros_like(total), np.ones_like(total)
    usable = (events > 0) & (events < total)
    for _ in range(STEPS):
        shift, turn = step(intercept, slope)
        usable &= np.isfinite(shift) & np.isfinite(turn)
        shift, turn = np.where(usable, shift, 0.0), np.where(usable, turn, 0.0)
        intercept, slope = intercept + shift, slope + turn
        if max(np.abs(shift).max(initial=0), np.abs(turn).max(initial=0)) < TOLERANCE:
            break
        usable &= (np.abs(intercept) < FARTHEST) & (np.abs(slope) < FARTHEST)
    settled = usable & (np.abs(shift) < 1e-4) & (np.abs(turn) < 1e-4)
    return np.where(settled, intercept, np.nan), np.where(settled, slope, np.nan)
