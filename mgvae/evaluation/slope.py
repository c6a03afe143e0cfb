"""The logistic line logit P(event) = intercept + slope * logit p, fitted for many resamples at once by Newton steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

FloatArray = NDArray[np.float64]

STEPS, TOLERANCE, LARGEST_STEP = 50, 1e-9, 2.0
FARTHEST = 20.0  # a line this steep or this high means separated classes: there is no maximum


def fit_line(
    logit: FloatArray, rows: FloatArray, events: FloatArray, moment: FloatArray, *, free_slope: bool
) -> tuple[FloatArray, FloatArray]:
    """Return the maximum-likelihood intercepts and slopes, ``(R,)`` each; NaN where there is no maximum.

    Args:
        logit: logit of the predicted probability at each node, ``(K,)``.
        rows: number of rows at each node, ``(K, R)``.
        events: number of events, ``(R,)``.
        moment: sum of the events' logits, ``(R,)``.
        free_slope: whether the slope is fitted; it is 1 otherwise.
    """
    total = rows.sum(axis=0)
    intercept, slope = np.zeros_like(total), np.ones_like(total)
    usable = (events > 0) & (events < total)
    for _ in range(STEPS):
        shift, turn = _step(logit, rows, events, moment, intercept, slope, free_slope=free_slope)
        usable &= np.isfinite(shift) & np.isfinite(turn)
        shift, turn = np.where(usable, shift, 0.0), np.where(usable, turn, 0.0)
        intercept, slope = intercept + shift, slope + turn
        if max(np.abs(shift).max(initial=0), np.abs(turn).max(initial=0)) < TOLERANCE:
            break
        usable &= (np.abs(intercept) < FARTHEST) & (np.abs(slope) < FARTHEST)
    settled = usable & (np.abs(shift) < 1e-4) & (np.abs(turn) < 1e-4)
    return np.where(settled, intercept, np.nan), np.where(settled, slope, np.nan)


def _step(
    logit: FloatArray,
    rows: FloatArray,
    events: FloatArray,
    moment: FloatArray,
    intercept: FloatArray,
    slope: FloatArray,
    *,
    free_slope: bool,
) -> tuple[FloatArray, FloatArray]:
    """Return one Newton step, shortened where it is long (far from the maximum the second-order picture misleads)."""
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
