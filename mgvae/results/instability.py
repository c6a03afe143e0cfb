"""Results of the instability analysis: how far redeveloped models disagree."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from mgvae.config.sections import Arm, Classifier
from mgvae.config.strict import Strict
from mgvae.results.numbers import Count, Estimate, Number, Share, require_same_lengths

Recalibrated = Literal["learned", "kept"]


class RiskBand(Strict):
    """Patients of similar predicted risk; at least ten, so that none can be recognised.

    Attributes:
        n: patients.
        risk: mean prediction by the original model.
        low, high: limits between which 95 % of the redeveloped models' predictions of a patient lie, mean over the patients.
        error: mean absolute difference between the predictions of redeveloped models and the original one.
        changed: share of redeveloped models that decide otherwise than the original one, mean over the patients.
    """

    n: Count
    risk: Share
    low: Share
    high: Share
    error: Share
    changed: Share


class RedevelopedCurve(Strict):
    """The calibration curve of a redeveloped model on the original patients."""

    predicted: tuple[Share, ...]
    observed: tuple[Share, ...]

    @model_validator(mode="after")
    def _agree(self) -> RedevelopedCurve:
        require_same_lengths(len(self.predicted), self.observed)
        return self


class ArmInstability(Strict):
    """How far models of an arm disagree that are redeveloped on bootstrap samples.

    Attributes:
        arm: how the imbalance is treated.
        recalibration: learned (each redevelopment learns its own) or kept (each keeps that of the original model, which hides
            a part of the instability).
        redevelopments: number of redeveloped models.
        failed: bootstrap samples on which the arm could not be run; not among ``redevelopments``.
        mape: mean absolute prediction error, over patients and redeveloped models; limits: 95 % of the redeveloped models.
        changed: share of decisions at the threshold that differ from those of the original model; limits alike.
        slope: calibration slope of a redeveloped model on the original patients: median; limits alike.
        bands: patients by predicted risk, rising.
        curves: calibration curves of some redeveloped models.
    """

    arm: Arm
    recalibration: Recalibrated
    redevelopments: Count
    failed: Count
    mape: Estimate
    changed: Estimate
    slope: Estimate
    bands: tuple[RiskBand, ...]
    curves: tuple[RedevelopedCurve, ...]


class InstabilityResult(Strict):
    """What would have been predicted, had other patients been sampled.

    Attributes:
        classifier: the classifier of all redeveloped models.
        n: patients of the training part whose predictions are compared.
        events: events among them.
        prevalence: share of events in the training part.
        threshold: risk from which the decision is "event".
        arms: by arm and recalibration; an arm can stand here twice.
        unavailable: arms that could not be redeveloped, and why.
        remarks: what a reader must know, in full sentences.
    """

    classifier: Classifier
    n: Count
    events: Count
    prevalence: Share
    threshold: Number
    arms: tuple[ArmInstability, ...]
    unavailable: dict[Arm, str] = Field(default_factory=dict)
    remarks: tuple[str, ...] = ()
