"""Repair of probabilities: the prior-shift offset, recalibration on real rows held apart, the calibration plot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logit

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SMALLEST = 1e-7
SLOPE_PRIOR_SD = 0.5
WILSON_Z = 1.959963984540054


def to_logit(probability: FloatArray) -> FloatArray:
    """Return logit p, with p kept within ``[SMALLEST, 1 - SMALLEST]`` so that it is finite."""
    return np.asarray(logit(np.clip(probability, SMALLEST, 1 - SMALLEST)))


def offset(probability: FloatArray, *, fitted_share: float, share: float) -> FloatArray:
    """Return probabilities moved from one prevalence to another, ``(N,)``.

    Exact where resampling or weighting changed only the share of events and left p(x | event) alone; a generator changes that
    too, so this repair is not enough for synthetic cases.

    Args:
        probability: predicted after fitting on ``fitted_share`` events, ``(N,)``.
        fitted_share: (weighted) share of events among the rows the classifier was fitted on.
        share: share of events in the population.
    Source: King and Zeng 2001, doi 10.1093/oxfordjournals.pan.a004868.
    """
    if fitted_share == share:
        return probability
    return np.asarray(expit(to_logit(probability) - logit(fitted_share) + logit(share)))


@dataclass(frozen=True)
class Recalibration:
    """logit p' = intercept + slope * logit p, slope > 0: ranks stay as they are."""

    intercept: float = 0.0
    slope: float = 1.0

    def __call__(self, probability: FloatArray) -> FloatArray:
        """Return the recalibrated probabilities, ``(N,)``."""
        return np.asarray(expit(self.intercept + self.slope * to_logit(probability)))


def fit_recalibration(event: IntArray, probability: FloatArray, *, prior_sd: float = SLOPE_PRIOR_SD) -> Recalibration:
    """Return the recalibration learned from real rows that neither the arm nor the classifier has seen.

    The intercept is free. The logarithm of the slope has a normal prior around 0 with standard deviation ``prior_sd``: at 0.5
    the slope lies in 0.37-2.7 with probability 0.95 a priori. With five events that prior carries about as much as the data,
    with fifty next to nothing; it keeps the slope positive, so recalibration never turns a ranking round. Without both
    classes nothing can be learned, and the identity is returned.

    Args:
        event: outcome in {0, 1}, ``(N,)``.
        probability: predicted probability, best already offset, ``(N,)``.
        prior_sd: standard deviation of log slope.
    """
    if event.min(initial=1) == event.max(initial=0):
        return Recalibration()
    x = to_logit(probability)
    centre = float(x.mean())  # makes intercept and slope nearly independent

    def loss(parameters: FloatArray) -> tuple[float, FloatArray]:
        slope = float(np.exp(parameters[1]))
        line = parameters[0] + slope * (x - centre)
        residual = expit(line) - event
        value = -(log_expit(line) - (1 - event) * line).sum() + 0.5 * (parameters[1] / prior_sd) ** 2
        return float(value), np.array([residual.sum(), slope * (residual @ (x - centre)) + parameters[1] / prior_sd**2])

    start = np.array([logit(event.mean()), 0.0])
    best = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(None, None), (-3.0, 3.0)]).x
    slope = float(np.exp(best[1]))
    return Recalibration(intercept=float(best[0]) - slope * centre, slope=slope)


@dataclass(frozen=True)
class Curve:
    """Points of a calibration plot, ``(bins,)`` each: mean predicted risk, observed share with its interval, number of rows."""

    predicted: FloatArray
    observed: FloatArray
    low: FloatArray
    high: FloatArray
    n: FloatArray


def curve(event: IntArray, probability: FloatArray, *, bins: int = 10, repeats: int = 1) -> Curve:
    """Return the calibration curve in groups of rising risk with about equal numbers of expected events.

    Equal groups of rows would put nine points of ten where a rare outcome never happens; equal expected events give each point
    about the same precision and reach the high risks, where decisions are made.

    Args:
        event: outcome in {0, 1}, ``(N,)``.
        probability: predicted probability, ``(N,)``.
        bins: most groups; fewer where there are fewer than five events for each.
        repeats: how often each subject occurs among the N rows; the intervals count it once.
    """
    bins = int(np.clip(event.sum() / repeats // 5, 1, bins))
    order = np.argsort(probability, kind="stable")
    p, y = probability[order], event[order]
    expected = np.cumsum(p)
    group = np.minimum((expected - p / 2) / expected[-1] * bins, bins - 1).astype(np.int64)
    n = np.bincount(group, minlength=bins).astype(np.float64)
    filled = n > 0
    n, events = n[filled], np.bincount(group, weights=y, minlength=bins)[filled]
    low, high = wilson(events / n, n / repeats)
    predicted = np.bincount(group, weights=p, minlength=bins)[filled] / n
    return Curve(predicted=predicted, observed=events / n, low=low, high=high, n=n / repeats)


def wilson(share: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return Wilson's 95 % interval of a share of ``n``.

    Source: Wilson 1927, doi 10.1080/01621459.1927.10502953.
    """
    z2 = WILSON_Z**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = WILSON_Z / (1 + z2 / n) * np.sqrt(share * (1 - share) / n + z2 / (4 * n**2))
    return np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0)
