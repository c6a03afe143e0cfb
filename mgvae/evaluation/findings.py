"""What the evaluation finds that a reader must know before relying on it."""

from __future__ import annotations

from typing import get_args

from mgvae.cohort.build import few_events
from mgvae.config.classifiers import BuiltIn
from mgvae.results.evaluation import JUDGED, EvaluationResult, ModelName, PartResult, Scores
from mgvae.results.findings import Finding, found
from mgvae.results.numbers import FEW_EVENTS, Estimate
from mgvae.results.recommendation import Recommendation

NEAR_PERFECT = 0.95  # lower limit of AUROC
PERFECT, SURELY = 0.99, 0.8  # AUROC and its lower limit: with few events the limit of a perfect one is not so high
CALIBRATED = (0.8, 1.25)  # slope, observed / expected


def evaluation_findings(evaluation: EvaluationResult, chosen: Recommendation) -> tuple[Finding, ...]:
    """Return the findings on the comparison and on the recommended model.

    Args:
        evaluation: of all arms.
        chosen: the recommendation made from it.
    """
    model = ModelName(arm=chosen.arm, classifier=chosen.classifier)
    scores = evaluation.arms[chosen.arm][chosen.classifier][JUDGED]
    rules = (
        _useless(chosen),
        _near_perfect(evaluation, model),
        few_events(evaluation.events, evaluation.holdout.events if evaluation.holdout else None),
        _badly_calibrated(scores),
        _contradicted(evaluation, model),
        _unsaved(model),
    )
    missing = (found("MGV205", f"Arm {arm} could not be run: {reason}") for arm, reason in evaluation.unavailable.items())
    return (*(one for one in rules if one is not None), *missing)


def _useless(chosen: Recommendation) -> Finding | None:
    return found("MGV201", chosen.reason) if chosen.answer == "deploy_none" else None


def _near_perfect(evaluation: EvaluationResult, model: ModelName) -> Finding | None:
    """Return a finding where a model without correction, or the recommended one, is too good."""
    models = {(model.arm, model.classifier), ("none", evaluation.contrasts.reference.classifier)}
    auroc = [evaluation.arms[arm][classifier][JUDGED]["auroc"] for arm, classifier in sorted(models)]
    best = max(auroc, key=lambda estimate: estimate.low or 0.0)
    if best.low is None or best.value is None:
        return None
    if best.low > NEAR_PERFECT or (best.value >= PERFECT and best.low > SURELY):
        return found("MGV202", f"The cross-validated AUROC is {_text(best)}.")
    return None


def _badly_calibrated(scores: Scores) -> Finding | None:
    names = {"calibration_slope": "calibration slope", "observed_expected": "observed/expected ratio"}
    off = [f"{label} {_text(scores[name])}" for name, label in names.items() if _off(scores[name])]  # type: ignore[index]
    return found("MGV204", f"Cross-validated {' and '.join(off)}; 1 is ideal.") if off else None


def _off(estimate: Estimate) -> bool:
    """Return whether an estimate is off by its interval and by its size."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return False
    low, high = CALIBRATED
    return not estimate.low <= 1 <= estimate.high and not low <= estimate.value <= high


def _contradicted(evaluation: EvaluationResult, model: ModelName) -> Finding | None:
    holdout = evaluation.holdout
    if holdout is None or holdout.events < FEW_EVENTS:
        return None
    inner, outer = _auroc(evaluation, model), _auroc(holdout, model)
    if inner is None or outer is None or inner.low is None or outer.low is None or outer.high is None:
        return None
    if outer.high >= inner.low and not outer.low <= 0.5 < inner.low:
        return None
    return found("MGV206", f"AUROC is {_text(inner)} in cross-validation and {_text(outer)} in the hold-out.")


def _unsaved(model: ModelName) -> Finding | None:
    own = model.classifier not in get_args(BuiltIn)
    return (
        found("MGV209", f"Classifier '{model.classifier}' is saved as import path, version, digests and seed.") if own else None
    )


def _auroc(part: PartResult, model: ModelName) -> Estimate | None:
    return part.arms.get(model.arm, {}).get(model.classifier, {}).get(JUDGED, {}).get("auroc")


def _text(estimate: Estimate) -> str:
    value, low, high = ("?" if x is None else f"{x:.3f}" for x in (estimate.value, estimate.low, estimate.high))
    return f"{value} ({low} to {high})"
