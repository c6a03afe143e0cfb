"""Champion against challenger on the same patients, and the rule by which the challenger takes its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mgvae.arrays import FloatArray, IntArray
from mgvae.cohort.build import FEW_EVENTS
from mgvae.evaluation.bootstrap import interval, resamples
from mgvae.evaluation.metrics import accuracy, ones, ranking
from mgvae.results.evaluation import Metric
from mgvae.results.numbers import number

MEASURES: dict[Metric, str] = {"auroc": "AUROC", "scaled_brier": "scaled Brier score"}


def rule(margin: float) -> str:
    """Return the rule in plain English."""
    return (
        "A run becomes champion if its gates passed or only warned, and it is not worse than the present champion. Both models "
        "predict the new run's hold-out, less every patient whom the champion was trained on or whose group it was. With fewer "
        f"than {FEW_EVENTS} events there, nobody can tell and the champion stays. Else the differences in AUROC and in scaled "
        "Brier score are taken over the same patients, with 95 % intervals from a paired bootstrap of whole groups. The new "
        f"model is worse if, in either measure, its difference is below -{margin:g} or the interval lies wholly below 0. "
        "Otherwise it is promoted: of two models that cannot be told apart, the one that knows the later patients serves."
    )


def contest(
    event: IntArray, group: IntArray, *, champion: FloatArray, challenger: FloatArray, n: int, seed: int
) -> dict[str, Any]:
    """Return both models' measures on the same rows, and the differences.

    Args:
        event: outcome in {0, 1}, ``(N,)``; both occur.
        group: ``(N,)``, drawn whole.
        champion, challenger: predicted probabilities, ``(N,)`` each.
        n: resamples.
        seed: of the draws.

    Returns:
        ``{n, events, bootstrap, auroc: {champion, challenger, value, low, high}, scaled_brier: ...}``; ``value`` is challenger
        less champion, None where undefined.

    Raises:
        OutcomeError: draws of groups lack one class again and again.
    """
    plan = resamples(event, group, n=n, seed=seed)
    plain = [_measured(event, one, ones(len(event))) for one in (champion, challenger)]
    chunks = [[_measured(event, one, weights) for one in (champion, challenger)] for weights in plan.chunks()]
    found: dict[str, Any] = {"n": len(event), "events": int(event.sum()), "bootstrap": n}
    for name in MEASURES:
        old, new = (float(side[name][0]) for side in plain)
        low, high = interval(np.concatenate([theirs[name] - ours[name] for ours, theirs in chunks]))
        told = {"champion": old, "challenger": new, "value": new - old, "low": low, "high": high}
        found[name] = {key: number(value) for key, value in told.items()}
    return found


def verdict(comparison: Mapping[str, Any], margin: float) -> tuple[bool, str]:
    """Return whether the challenger is promoted by `rule`, and why, for a comparison with events enough."""
    told = "; ".join(f"{label} {_shown(comparison[name])}" for name, label in MEASURES.items())
    on = f"on {comparison['n']:,} patients with {comparison['events']:,} events that the champion was not trained on"
    if any(comparison[name][key] is None for name in MEASURES for key in ("value", "low", "high")):
        return False, f"Cannot tell: a difference is undefined {on}: {told}."
    worse = [label for name, label in MEASURES.items() if _worse(comparison[name], margin)]
    if worse:
        return False, f"Worse than the champion in {' and '.join(worse)} {on}: {told}."
    return True, f"Not worse than the champion {on}: {told}."


def _worse(difference: Mapping[str, float], margin: float) -> bool:
    return difference["value"] < -margin or difference["high"] < 0


def _measured(event: IntArray, probability: FloatArray, weights: FloatArray) -> dict[Metric, FloatArray]:
    return {**ranking(event, probability, weights), **accuracy(event, probability, weights)}


def _shown(difference: Mapping[str, float | None]) -> str:
    value, low, high = ("?" if difference[key] is None else f"{difference[key]:+.4f}" for key in ("value", "low", "high"))
    return f"{value} ({low} to {high})"
