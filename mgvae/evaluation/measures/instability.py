"""Measure how far redeveloped models disagree on the original patients.

Source: Riley and Collins 2023, doi 10.1002/bimj.202200302; R's package pminternal computes the same measures.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mgvae.arrays import FloatArray, IntArray
from mgvae.classifiers.recalibration import Recalibration
from mgvae.evaluation.measures.calibration import calibration
from mgvae.results.instability import RedevelopedCurve, RiskBand
from mgvae.results.numbers import Estimate, number

LIMITS = (0.025, 0.975)
FEWEST = 10  # patients in a band: fewer might be recognised
FEWEST_MODELS = 10  # of which 95 % can be spoken of
GROWTH = 0.7  # each band reaches from one share of the patients with the highest risks to 0.7 of it
MOST_CURVES, CURVE_BINS = 25, 10

Redeveloped = NDArray[np.float32]


def redeveloped_limits(values: FloatArray, *, centre: float) -> Estimate:
    """Return ``centre`` with the limits of 95 % of the redeveloped models, ``(B,)``; none for fewer than ten."""
    defined = values[np.isfinite(values)]
    low, high = np.quantile(defined, LIMITS) if len(defined) >= FEWEST_MODELS else (np.nan, np.nan)
    return Estimate(value=number(centre), low=number(low), high=number(high))


def prediction_errors(original: FloatArray, redeveloped: Redeveloped) -> FloatArray:
    """Return the absolute differences from the original predictions, ``(B, N)``."""
    return np.abs(redeveloped - original)


def changed_decisions(original: FloatArray, redeveloped: Redeveloped, threshold: float) -> NDArray[np.bool_]:
    """Return where a redeveloped model decides otherwise at the threshold, ``(B, N)``."""
    return np.not_equal(redeveloped >= threshold, original >= threshold)


def slopes(event: IntArray, redeveloped: Redeveloped, weight: FloatArray) -> FloatArray:
    """Return the calibration slope of each redeveloped model on patients of a weight, ``(B,)``; NaN where undefined."""
    found = (calibration(event, row.astype(np.float64), weight[:, None]) for row in redeveloped)
    return np.array([one["calibration_slope"][0] for one in found])


def risk_bands(original: FloatArray, redeveloped: Redeveloped, threshold: float) -> tuple[RiskBand, ...]:
    """Return the patients in bands of rising original risk.

    Bands become narrower towards high risks, where decisions are made and patients are few: each leaves 0.7 of the patients
    above its lower end to the bands above it, as long as each has ten.

    Args:
        original: predictions of the original model, ``(N,)``.
        redeveloped: predictions of the redeveloped models, ``(B, N)``.
        threshold: the decision is "event" from this risk on.
    """
    order = np.argsort(original, kind="stable")
    bands = []
    for place in np.split(order, band_starts(len(original))):
        found = redeveloped[:, place]
        low, high = np.quantile(found, LIMITS, axis=0)
        bands.append(
            RiskBand(
                n=len(place),
                risk=float(original[place].mean()),
                low=float(low.mean()),
                high=float(high.mean()),
                error=float(prediction_errors(original[place], found).mean()),
                changed=float(changed_decisions(original[place], found, threshold).mean()),
            )
        )
    return tuple(bands)


def band_starts(n: int) -> list[int]:
    """Return where bands of ``n`` patients in order of risk start, without the first start, 0."""
    starts, above = [], n
    while min(following := int(above * GROWTH), above - following) >= FEWEST:
        above = following
        starts.append(n - above)
    return starts


def redeveloped_curves(event: IntArray, redeveloped: Redeveloped, weight: FloatArray) -> tuple[RedevelopedCurve, ...]:
    """Return calibration curves of at most 25 redeveloped models, evenly chosen."""
    count = min(len(redeveloped), MOST_CURVES)
    chosen = np.linspace(0, len(redeveloped) - 1, count).astype(int)
    return tuple(calibration_curve(event, redeveloped[place].astype(np.float64), weight) for place in chosen)


def calibration_curve(event: IntArray, probability: FloatArray, weight: FloatArray) -> RedevelopedCurve:
    """Return observed against predicted risk in bins of about equal expected events, of patients of a weight.

    A bin has at least ten expected events by the highest weight, so at least ten patients.
    """
    order = np.argsort(probability, kind="stable")
    p, y, w = probability[order], event[order], weight[order]
    expected = np.cumsum(w * p)
    bins = int(np.clip(expected[-1] // (FEWEST * w.max()), 1, CURVE_BINS))
    place = np.minimum((expected - w * p / 2) / expected[-1] * bins, bins - 1).astype(np.int64)
    n, risk, events = (np.bincount(place, weights=one, minlength=bins) for one in (w, w * p, w * y))
    filled = n > 0
    predicted, observed = risk[filled] / n[filled], events[filled] / n[filled]
    return RedevelopedCurve(predicted=tuple(predicted.tolist()), observed=tuple(observed.tolist()))


def recalibrated(moved: Redeveloped, lines: Sequence[Recalibration]) -> Redeveloped:
    """Return each model's predictions ``(B, N)`` after its recalibration."""
    return np.stack([line(row.astype(np.float64)).astype(np.float32) for line, row in zip(lines, moved, strict=True)])
