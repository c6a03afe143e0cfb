"""Sentences that read a figure for those who do not."""

from __future__ import annotations

from collections.abc import Sequence

from mgvae.config.sections import Arm, Classifier
from mgvae.report.formatting import listing, share
from mgvae.results.evaluation import DecisionCurves
from mgvae.results.labels import ARMS


def decision_reading(found: DecisionCurves, arm: Arm, classifier: Classifier) -> str:
    """Return at which thresholds a model is worth more than treating all and none; empty where it has no curve."""
    curve = found.arms.get(arm, {}).get(classifier)
    if curve is None:
        return ""
    bounds = [max(everyone, 0.0) for everyone in found.treat_all]
    better = [value > bound for value, bound in zip(curve.net_benefit, bounds, strict=True)]
    surely = [low is not None and low > bound for low, bound in zip(curve.low, bounds, strict=True)]
    if not any(better):
        return f"{ARMS[arm]} is at no threshold worth more than treating all or none."
    text = f"{ARMS[arm]} is worth more than treating all and none {_ranges(found.thresholds, better)}"
    if not any(surely):
        return f"{text}; its lower limit is so at no threshold."
    return f"{text}; its lower limit is so {'too' if surely == better else _ranges(found.thresholds, surely)}."


def _ranges(thresholds: Sequence[float], holds: Sequence[bool]) -> str:
    """Return where it holds: ``at all thresholds``, ``from 1 % to 2 % and at 4 %``."""
    if all(holds):
        return f"at all thresholds from {share(thresholds[0], 2)} to {share(thresholds[-1], 2)}"
    runs: list[list[float]] = []
    for place, threshold in enumerate(thresholds):
        if holds[place]:
            if place and holds[place - 1]:
                runs[-1].append(threshold)
            else:
                runs.append([threshold])
    written = [f"at {share(run[0], 2)}" if len(run) == 1 else f"from {share(run[0], 2)} to {share(run[-1], 2)}" for run in runs]
    return listing(written)
