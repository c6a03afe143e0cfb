"""Champion against challenger on the same patients, and the rule of promotion."""

from __future__ import annotations

from typing import Literal

import numpy as np

from mgvae.arrays import FloatArray, IntArray
from mgvae.cohort.build import FEW_EVENTS
from mgvae.evaluation.bootstrap import interval, resamples
from mgvae.evaluation.measures.accuracy import accuracy
from mgvae.evaluation.measures.ranking import ranking
from mgvae.evaluation.measures.weights import unit_weights
from mgvae.results.evaluation import Metric
from mgvae.results.numbers import number
from mgvae.results.promotion import MeasureComparison, ModelComparison

MEASURES: dict[Literal["auroc", "scaled_brier"], str] = {"auroc": "AUROC", "scaled_brier": "scaled Brier score"}


def rule(margin: float) -> str:
    """Return the rule in plain English."""
    return (
        "A run becomes champion if its gates passed or only warned, and it is not worse than the present champion. Both models "
        "predict the new run's hold-out without the patients, and their groups, that the champion was trained on. With fewer "
        f"than {FEW_EVENTS} events there, the comparison is undecided and the champion stays. Otherwise the differences in "
        "AUROC and scaled Brier score are computed on the same patients, with 95 % intervals from a paired bootstrap of whole "
        f"groups. The new model is worse if, in either measure, its difference is below -{margin:g} or its interval wholly "
        "below 0. Otherwise it is promoted: of two models without a clear difference, that trained on later patients serves."
    )


def compare_models(
    event: IntArray, group: IntArray, *, champion: FloatArray, challenger: FloatArray, n: int, seed: int
) -> ModelComparison:
    """Return both models' measures on the same rows, and the differences.

    Args:
        event: outcome in {0, 1}, ``(N,)``; both occur.
        group: ``(N,)``, drawn whole.
        champion, challenger: predicted probabilities, ``(N,)`` each.
        n: resamples.
        seed: of the draws.

    Raises:
        OutcomeError: draws of groups lack one class again and again.
    """
    plan = resamples(event, group, n=n, seed=seed)
    models = (champion, challenger)
    old, new = (_measure(event, probability, unit_weights(len(event))) for probability in models)
    chunks = [[_measure(event, probability, weights) for probability in models] for weights in plan.chunks()]
    measures: dict[str, MeasureComparison] = {}
    for name in MEASURES:
        before, after = float(old[name][0]), float(new[name][0])
        low, high = interval(np.concatenate([second[name] - first[name] for first, second in chunks]))
        values = {"champion": before, "challenger": after, "value": after - before, "low": low, "high": high}
        measures[name] = MeasureComparison(**{key: number(value) for key, value in values.items()})
    return ModelComparison(n=len(event), events=int(event.sum()), bootstrap=n, **measures)


def verdict(comparison: ModelComparison, margin: float) -> tuple[bool, str]:
    """Return whether `rule` promotes the challenger, and why, given enough events."""
    found = {label: getattr(comparison, name) for name, label in MEASURES.items()}
    numbers = "; ".join(f"{label} {_text(difference)}" for label, difference in found.items())
    on = f"on {comparison.n:,} patients with {comparison.events:,} events that the champion was not trained on"
    worse = []
    for label, difference in found.items():
        if difference.value is None or difference.low is None or difference.high is None:
            return False, f"Cannot tell: a difference is undefined {on}: {numbers}."
        if difference.value < -margin or difference.high < 0:
            worse.append(label)
    if worse:
        return False, f"Worse than the champion in {' and '.join(worse)} {on}: {numbers}."
    return True, f"Not worse than the champion {on}: {numbers}."


def _measure(event: IntArray, probability: FloatArray, weights: FloatArray) -> dict[Metric, FloatArray]:
    return {**ranking(event, probability, weights), **accuracy(event, probability, weights)}


def _text(difference: MeasureComparison) -> str:
    value, low, high = ("?" if x is None else f"{x:+.4f}" for x in (difference.value, difference.low, difference.high))
    return f"{value} ({low} to {high})"
