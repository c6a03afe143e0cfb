"""Evaluation and recommendation with plain values, to set or read single numbers."""

from __future__ import annotations

from typing import Any

from mgvae.evaluation import evaluate as evaluation
from mgvae.evaluation import recommendation
from mgvae.results.evaluation import EvaluationResult

UNREAD = {  # what the rule of recommendation does not read
    "n": 5000,
    "bootstrap": {"n": 50, "redrawn": 0},
    "unavailable": {},
    "differences": {},
    "curves": {},
    "folds": 3,
    "repeats": 2,
    "recalibration": {},
    "holdout": None,
}


def plain(result: Any) -> Any:
    """Return a typed result as report.json spells it."""
    return result.model_dump(mode="json")


def evaluate(*arguments: Any, **options: Any) -> dict[str, Any]:
    """Call `mgvae.evaluation.evaluate.evaluate`; return the measures."""
    return plain(evaluation.evaluate(*arguments, **options)[0])


def recommend(content: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Call `recommend` on an evaluation given as plain values."""
    return plain(recommendation.recommend(EvaluationResult.model_validate({**UNREAD, **content}), **options))
