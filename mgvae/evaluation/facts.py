"""The evaluation and the recommendation as report.json spells them: the keys of `mgvae.report.schema`, no more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def evaluation_facts(evaluation: Mapping[str, Any], *, margin: float, calibration_fraction: float) -> dict[str, Any]:
    """Return the ``evaluation`` block of report.json from what `mgvae.evaluation.evaluate.evaluate` returns."""
    holdout = evaluation["holdout"]
    return {
        **{key: evaluation[key] for key in ("arms", "differences", "curves", "folds", "repeats")},
        "bootstrap": evaluation["bootstrap"]["n"],
        "unavailable": evaluation["unavailable"],
        "holdout": {} if holdout is None else holdout["arms"],
        "thresholds": _remarks(evaluation, margin=margin, calibration_fraction=calibration_fraction),
    }


def recommendation_facts(recommendation: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ``recommendation`` block of report.json from what `mgvae.evaluation.recommendation.recommend` returns."""
    return {key: recommendation[key] for key in ("arm", "classifier", "reason", "rule", "difference", "barred", "threshold")}


def _remarks(evaluation: Mapping[str, Any], *, margin: float, calibration_fraction: float) -> dict[str, str | float]:
    contrasts, redrawn = evaluation["contrasts"], evaluation["bootstrap"]["redrawn"]
    remarks: dict[str, str | float] = {
        "Threshold, raw": "0.5; arm 'threshold': the prevalence of the fitting rows",
        "Threshold, offset and recalibrated": "the prevalence of the fitting rows",
        "Recalibration": f"intercept and slope on {calibration_fraction:.0%} of each training fold, held apart from every arm",
        "Margin in scaled Brier score": margin,
        "Arms and classifiers compared with no correction": contrasts["candidates"],
        "Intervals": "95 %, percentiles of a bootstrap of whole groups, the fitted models given",
    }
    if redrawn:
        remarks["Resamples without both classes, drawn again"] = redrawn
    return remarks
