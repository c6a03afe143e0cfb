"""Explanations: what each predictor contributes to the predicted log odds."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from mgvae.config.sections import Arm, Classifier
from mgvae.config.strict import Strict
from mgvae.results.numbers import Count, Estimate, Number, Share, require_same_lengths

Explainer = Literal["linear", "tree", "permutation"]


class Importance(Strict):
    """How much a predictor moves the predictions of a model.

    Attributes:
        column, label: of the predictor.
        size: mean absolute contribution to the log odds.
        share: of the sum over all predictors.
        rank: from 1, by size.
        fold_shares, fold_ranks: the same in the models of the cross-validation's folds; empty where these were not fitted.
    """

    column: str
    label: str
    size: Estimate
    share: Estimate
    rank: Count
    fold_shares: tuple[Share, ...] = ()
    fold_ranks: tuple[Count, ...] = ()

    @model_validator(mode="after")
    def _agree(self) -> Importance:
        require_same_lengths(len(self.fold_shares), self.fold_ranks)
        return self


class GroupImportance(Strict):
    """The shares of the largest predictors among the patients of a subgroup.

    Attributes:
        label, level: of the subgroup.
        n: its explained patients.
        shares: by predictor.
    """

    label: str
    level: str
    n: Count
    shares: dict[str, Estimate]


class DependencePoint(Strict):
    """The mean contribution of a predictor among patients with about one value.

    Attributes:
        value: their mean value; None for a level and where the value is missing.
        level: their level; None for a number.
        n: patients, at least 10.
        contribution: to the log odds.
    """

    value: Number | None
    level: str | None
    n: Count
    contribution: Estimate


class Dependence(Strict):
    """How a predictor's contribution depends on its value, by bin of patients."""

    column: str
    label: str
    unit: str | None
    points: tuple[DependencePoint, ...]


class Coefficient(Strict):
    """A log odds ratio: per standard deviation, or of a level or a missing value."""

    column: str
    term: str
    value: Number


class ModelExplanation(Strict):
    """What a model uses.

    Attributes:
        arm, classifier: of the model, fitted without the explained patients.
        explainer: exact for a linear model or boosted trees, else permutations of the predictors.
        n: explained patients.
        base: mean log odds of the patients that contributions are measured from.
        columns: all predictors, the largest first.
        groups: by subgroup.
        dependence: of the predictors with the largest shares over all models, in this order.
        coefficients: of a linear model; empty for others.
    """

    arm: Arm
    classifier: Classifier
    explainer: Explainer
    n: Count
    base: Number
    columns: tuple[Importance, ...]
    groups: tuple[GroupImportance, ...]
    dependence: tuple[Dependence, ...]
    coefficients: tuple[Coefficient, ...]


class Explanations(Strict):
    """What the recommended model uses, and what synthetic cases changed.

    Attributes:
        part: where the explained patients come from: the hold-out, or the first fold of the training part where the hold-out
            has fewer than 15 events.
        n, events: of that part.
        bootstrap: resamples of whole groups behind each interval, the fitted models given.
        models: no correction first, then the arm that is compared with it; with the recommended classifier.
        remarks: what a reader must know, in full sentences.
    """

    part: Literal["hold-out", "fold"]
    n: Count
    events: Count
    bootstrap: Count
    models: tuple[ModelExplanation, ...]
    remarks: tuple[str, ...] = ()
