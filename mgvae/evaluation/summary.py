"""Predictions -> the numbers of the report: measures with intervals, paired differences, calibration curves."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mgvae.evaluation.arms import SAME_FIT
from mgvae.evaluation.bootstrap import Resamples, interval
from mgvae.evaluation.calibration import curve
from mgvae.evaluation.chain import Key, Variant
from mgvae.evaluation.crossval import Predictions
from mgvae.evaluation.metrics import METRICS, measure, ones

FloatArray = NDArray[np.float64]

JUDGED: Variant = "recalibrated"
REFERENCE = "none"


@dataclass(frozen=True)
class Score:
    """One measure of one arm, classifier and variant.

    Attributes:
        repeats: the measure in each repeat of the cross-validation, ``(repeats,)``.
        draws: its mean over the repeats in each resample of the subjects, ``(R,)``.
    """

    repeats: FloatArray
    draws: FloatArray

    @property
    def value(self) -> float:
        """The mean over the repeats."""
        return float(self.repeats.mean())

    def __sub__(self, other: Score) -> Score:
        return Score(self.repeats - other.repeats, self.draws - other.draws)

    def summary(self) -> dict[str, float | None]:
        """Return value, low and high (95 %, percentiles of the resamples) as JSON numbers."""
        low, high = interval(self.draws)
        return {"value": number(self.value), "low": number(low), "high": number(high)}


Scores = dict[Key, dict[str, Score]]


def score(predictions: Predictions, plan: Resamples) -> Scores:
    """Return every measure of every arm, classifier and variant; all of them on the same resamples.

    Out-of-fold predictions of a repeat are pooled, measured, and the measures averaged over the repeats. The intervals hold
    what the draw of subjects adds, with the fitted models given; what refitting adds shows in the spread over repeats.
    """
    keys = [key for key in predictions.probability if _twin(key) not in predictions.probability]
    draws: dict[Key, dict[str, list[FloatArray]]] = {key: {name: [] for name in METRICS} for key in keys}
    for weights in plan.chunks():
        for key in draws:
            for name, values in _mean_over_repeats(predictions, key, weights).items():
                draws[key][name].append(values)
    whole = {key: _by_repeat(predictions, key, ones(len(predictions.event))) for key in keys}
    scores = {key: {name: Score(whole[key][name][:, 0], np.concatenate(draws[key][name])) for name in METRICS} for key in keys}
    return {key: scores[twin] if (twin := _twin(key)) in scores else scores[key] for key in predictions.probability}


def _twin(key: Key) -> Key | None:
    """Return the key with the same probabilities and the same threshold, for an arm that moves the raw threshold alone."""
    arm, classifier, variant = key
    return (SAME_FIT[arm], classifier, variant) if arm in SAME_FIT and variant != "raw" else None


def threshold(predictions: Predictions, key: Key, repeat: int) -> float | FloatArray:
    """Return from which probability on a row is called an event.

    Raw probabilities are cut at 0.5, as the MGVAE paper does; repaired ones, and those of the threshold arm, at the
    prevalence of the row's own fitting rows, the cut that weighs sensitivity and specificity alike when probabilities are
    right.
    """
    arm, _, variant = key
    return 0.5 if variant == "raw" and arm not in SAME_FIT else predictions.prevalence[repeat]


def _by_repeat(predictions: Predictions, key: Key, weights: FloatArray) -> dict[str, FloatArray]:
    """Return each measure, ``(repeats, R)``."""
    each = [
        measure(predictions.event, probability, weights, threshold=threshold(predictions, key, repeat))
        for repeat, probability in enumerate(predictions.probability[key])
    ]
    return {name: np.stack([one[name] for one in each]) for name in METRICS}


def _mean_over_repeats(predictions: Predictions, key: Key, weights: FloatArray) -> dict[str, FloatArray]:
    return {name: values.mean(axis=0) for name, values in _by_repeat(predictions, key, weights).items()}


def arms_table(scores: Scores) -> dict[str, Any]:
    """Return ``{arm: {classifier: {variant: {metric: {value, low, high}}}}}``."""
    return nested((key, {name: one.summary() for name, one in measures.items()}) for key, measures in scores.items())


def differences_table(scores: Scores) -> dict[str, Any]:
    """Return ``{arm: {classifier: {metric: {value, low, high}}}}``: recalibrated, less ``none`` of the same classifier."""
    return nested(
        (
            (arm, classifier),
            {name: (one - scores[REFERENCE, classifier, JUDGED][name]).summary() for name, one in measures.items()},
        )
        for (arm, classifier, variant), measures in scores.items()
        if variant == JUDGED and arm != REFERENCE
    )


def curves_table(predictions: Predictions) -> dict[str, Any]:
    """Return ``{arm: {classifier: {variant: {predicted, observed, low, high, n}}}}``, lists over the groups of rising risk."""
    event = np.tile(predictions.event, predictions.repeats)
    tables = []
    for key, probability in predictions.probability.items():
        points = curve(event, probability.ravel(), repeats=predictions.repeats)
        tables.append((key, {name: [number(value) for value in values] for name, values in vars(points).items()}))
    return nested(iter(tables))


def nested(items: Iterator[tuple[tuple[str, ...], dict[str, Any]]]) -> dict[str, Any]:
    """Return a tree of dictionaries from (path, leaf) pairs."""
    tree: dict[str, Any] = {}
    for path, leaf in items:
        place = tree
        for step in path[:-1]:
            place = place.setdefault(step, {})
        place[path[-1]] = leaf
    return tree


def number(value: float) -> float | None:
    """Return a JSON number; None where it is not finite."""
    return float(value) if math.isfinite(value) else None
