"""Curves of predictions: calibration by bins and smooth, and net benefit against the threshold."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from mgvae.arrays import FloatArray, IntArray
from mgvae.classifiers.recalibration import to_logit
from mgvae.config.sections import Arm, Classifier, Evaluation
from mgvae.evaluation.bootstrap import Resamples
from mgvae.evaluation.intervals import TOO_FEW, Score, logit_limits, wilson
from mgvae.evaluation.measures.net_benefit import net_benefit_curves, threshold_grid
from mgvae.evaluation.measures.smooth_calibration import smooth_curve
from mgvae.evaluation.predictions import Key, Predictions
from mgvae.evaluation.summary import decision_range, sample_of
from mgvae.results.evaluation import JUDGED, ArmCurves, Curve, DecisionCurve, DecisionCurves, Risks, SmoothCurve
from mgvae.results.numbers import FEWEST_NAMED, number

POINTS, BARS = 50, 40
NARROWEST = 0.25  # of the bars of a histogram, in log odds
SMOOTHED = ("raw", JUDGED)


def curves_table(predictions: Predictions, plan: Resamples) -> ArmCurves:
    """Return the calibration curves, by arm, classifier and variant; smooth ones of raw and recalibrated probabilities."""
    smooth = _smooth_curves(predictions, plan, [key for key in predictions.probability if key[2] in SMOOTHED])
    event, weight = np.tile(predictions.event, predictions.repeats), np.tile(predictions.weights[:, 0], predictions.repeats)
    table: ArmCurves = {}
    for key, probability in predictions.probability.items():
        (arm, classifier, variant), repeats = key, predictions.repeats
        binned = curve(event, probability.ravel(), weight, repeats=repeats)
        found = {"smooth": smooth.get(key), "risks": risks(event, probability.ravel(), repeats=repeats)}
        table.setdefault(arm, {}).setdefault(classifier, {})[variant] = binned.model_copy(update=found)
    return table


def curve(
    event: IntArray, probability: FloatArray, weight: FloatArray | None = None, *, bins: int = 10, repeats: int = 1
) -> Curve:
    """Return the calibration curve in bins of about equal expected events.

    Equal groups of rows would put nine points of ten where a rare outcome never happens; equal expected events give each point
    about the same precision and reach the high risks, where decisions are made.

    Args:
        event: outcome in {0, 1}, ``(N,)``.
        probability: predicted probability, ``(N,)``.
        weight: how many patients each row stands for, ``(N,)``; None: one each. Intervals count rows of equal weight
            (Kish 1965, Survey Sampling).
        bins: most groups; fewer where there are fewer than five events for each.
        repeats: how often each subject occurs among the N rows; the intervals count it once.
    """
    bins = int(np.clip(event.sum() / repeats // 5, 1, bins))
    order = np.argsort(probability, kind="stable")
    p, y, w = probability[order], event[order], np.ones(len(event)) if weight is None else weight[order]
    expected = np.cumsum(w * p)
    group = np.minimum((expected - w * p / 2) / expected[-1] * bins, bins - 1).astype(np.int64)
    n, squares, risk, events = (np.bincount(group, weights=one, minlength=bins) for one in (w, w**2, w * p, w * y))
    filled = n > 0
    n, squares, risk, events = n[filled], squares[filled], risk[filled], events[filled]
    low, high = wilson(events / n, n**2 / squares / repeats)
    return Curve(
        predicted=tuple(risk / n),
        observed=tuple(events / n),
        low=tuple(map(number, low)),
        high=tuple(map(number, high)),
        n=tuple(n / repeats),
    )


def risks(event: IntArray, probability: FloatArray, *, repeats: int = 1) -> Risks:
    """Return the histogram of predicted risks, in bars of equal width on the logit scale.

    Neighbours are pooled until no bar holds fewer than `FEWEST_NAMED` subjects with, or without, the event, unless it has none.
    Edges are round log odds, so that no subject's risk becomes one.

    Args:
        event: outcome in {0, 1}, ``(N,)``.
        probability: predicted probability, ``(N,)``.
        repeats: how often each subject occurs among the N rows.
    """
    logit = to_logit(probability)
    width = max(np.ceil(np.ptp(logit) / BARS / NARROWEST), 1) * NARROWEST
    edges = width * np.arange(np.floor(logit.min() / width), np.floor(logit.max() / width) + 2)
    counts = np.stack([np.histogram(logit[event == value], edges)[0] / repeats for value in (1, 0)])
    edges, (events, others) = _pooled(edges, counts)
    return Risks(edges=tuple(expit(edges)), events=tuple(events.tolist()), others=tuple(others.tolist()))


def _pooled(edges: FloatArray, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return wider bars, ``(B + 1,)``, and their counts, ``(2, B)``, none of them small; but for one bar that holds all."""
    kept, bars = [edges[0]], [np.zeros(2)]
    for edge, counted in zip(edges[1:], counts.T, strict=True):
        bars[-1] = bars[-1] + counted
        if not _small(bars[-1]):
            kept.append(edge)
            bars.append(np.zeros(2))
    rest = bars.pop()
    while rest.any() and bars:  # the last bar is too small to stand alone
        rest, kept = rest + bars.pop(), kept[:-1]
        if not _small(rest):
            break
    if rest.any():
        kept, bars = [*kept, edges[-1]], [*bars, rest]
    return np.array(kept), np.stack(bars, axis=1)


def _small(counted: FloatArray) -> bool:
    return bool(((counted > 0) & (counted < FEWEST_NAMED)).any())


def _smooth_curves(predictions: Predictions, plan: Resamples, keys: list[Key]) -> dict[Key, SmoothCurve]:
    """Return the mean over the repeats, with limits; nothing below ``TOO_FEW`` events."""
    at = {key: _logits_drawn(predictions.probability[key]) for key in keys}

    def mean(key: Key, weights: FloatArray) -> FloatArray:
        rows = predictions.probability[key]
        each = [smooth_curve(predictions.event, row, weights, at[key])[1] for row in rows]
        return np.asarray(np.mean(each, axis=0))

    if predictions.event.sum() < TOO_FEW:
        return {}
    draws: dict[Key, list[FloatArray]] = {key: [] for key in keys}
    for weights in plan.chunks():
        for key, found in draws.items():
            found.append(mean(key, weights))
    curves = {}
    for key, found in draws.items():
        value = mean(key, predictions.weights)
        sample, drawn = sample_of(predictions, plan, key), np.concatenate(found, axis=1)
        limits = [logit_limits(Score(value[place], drawn[place], sample)) for place in range(POINTS)]
        curves[key] = SmoothCurve(
            predicted=tuple(expit(at[key]).tolist()),
            observed=tuple(value[:, 0].tolist()),
            low=tuple(number(low) for low, _ in limits),
            high=tuple(number(high) for _, high in limits),
        )
    return curves


def _logits_drawn(probability: FloatArray) -> FloatArray:
    """Return the logits at which a curve is given: where data can tell.

    Below lie two expected events of each repeat, or 2 % if that is more; above, ten predictions.
    """
    rising = np.sort(probability, axis=None)
    expected = rising.cumsum() / len(probability)
    low = rising[np.searchsorted(expected, max(min(2.0, expected[-1] / 4), 0.02 * expected[-1]))]
    high = rising[-min(len(rising) // 4, 10 * len(probability)) - 1]
    ends = to_logit(np.array([min(low, high), high]))
    return np.linspace(float(ends[0]), float(ends[1]), POINTS)


def decision_curves(predictions: Predictions, plan: Resamples, settings: Evaluation) -> DecisionCurves:
    """Return the net benefit of recalibrated probabilities over the range of thresholds, averaged over the repeats."""
    thresholds = threshold_grid(decision_range(predictions, settings))
    keys = [key for key in predictions.probability if key[2] == JUDGED]

    def by_repeat(key: Key, weights: FloatArray) -> FloatArray:
        rows = predictions.probability[key]
        return np.stack([net_benefit_curves(predictions.event, row, weights, thresholds)[0] for row in rows])

    draws: dict[Key, list[FloatArray]] = {key: [] for key in keys}
    for weights in plan.chunks():
        for key, found in draws.items():
            found.append(by_repeat(key, weights).mean(axis=0))
    table: dict[Arm, dict[Classifier, DecisionCurve]] = {}
    for key, found in draws.items():
        values = by_repeat(key, predictions.weights)[:, :, 0]
        sample, drawn = sample_of(predictions, plan, key), np.concatenate(found, axis=1)
        points = [Score(values[:, t], drawn[t], sample).difference("net_benefit") for t in range(len(thresholds))]
        table.setdefault(key[0], {})[key[1]] = DecisionCurve(
            net_benefit=tuple(float(value) for value in values.mean(axis=0)),
            low=tuple(point.low for point in points),
            high=tuple(point.high for point in points),
        )
    prevalence = predictions.share
    everyone = prevalence - (1 - prevalence) * thresholds / (1 - thresholds)
    return DecisionCurves(
        thresholds=tuple(thresholds.tolist()), prevalence=prevalence, treat_all=tuple(everyone.tolist()), arms=table
    )
