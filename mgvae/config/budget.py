"""Budgets: how much of an evaluation is computed, as changes of settings."""

from __future__ import annotations

from enum import StrEnum


class Budget(StrEnum):
    """How much is computed: ``standard`` is what the configuration says."""

    SMALL = "small"
    STANDARD = "standard"
    FULL = "full"


SETTINGS: dict[Budget, tuple[str, ...]] = {
    Budget.SMALL: (
        "evaluation.folds=3",
        "evaluation.repeats=1",
        "evaluation.arms=[none, class_weight, threshold, mgvae]",
        "evaluation.classifiers=[logistic_regression]",
        "evaluation.bootstrap=200",
        "evaluation.majority_rows=50000",
        "instability.redevelopments=20",
        "instability.generated=0",
        "instability.arms=[none, class_weight]",
        "learning_curve.repeats=1",
        "learning_curve.shares=[0.5]",
    ),
    Budget.STANDARD: (),
    Budget.FULL: (
        "evaluation.folds=5",
        "evaluation.repeats=5",
        "evaluation.bootstrap=2000",
        "instability.redevelopments=200",
        "instability.generated=50",
        "learning_curve.repeats=5",
    ),
}
