"""The section of cohort.yaml on the champion's rule, with its defaults."""

from __future__ import annotations

from pydantic import Field

from mgvae.config.strict import Strict


class Promotion(Strict):
    """When a new model takes the champion's place; `mgvae.evaluation.promotion.rule` is the rule in words.

    Attributes:
        level: of the intervals by which the new model must be above chance and the champion clearly below what it was.
        auroc_drop: how far the champion's AUROC must lie below that at its promotion to count as a drop, besides the interval.
        calibration_change: factor by which its observed/expected ratio must have changed, up or down, besides the interval.
        margin: loss in AUROC and in scaled Brier score that the 95 % interval of the difference must exclude; also the largest
            sum of the losses since the last clear gain.
        new_patients: share of the training patients whom the champion's extract did not have, from which a model that is
            neither better nor worse takes its place; 0: always.
        most_nights: how often the same patients of a random hold-out may judge (median) until a quarter of them is replaced,
            from the night after the next promotion.
        nights: hold-outs of how many of the last accepted extracts judge together, this one's included, each patient once and
            none that either model was trained on; 1: this one's alone. Earlier ones need a `subject_id`, and drift that passed.
    """

    level: float = Field(default=0.99, ge=0.9, lt=1)
    auroc_drop: float = Field(default=0.05, ge=0, le=0.5)
    calibration_change: float = Field(default=1.5, ge=1)
    margin: float = Field(default=0.03, gt=0, le=0.5)
    new_patients: float = Field(default=0.05, ge=0, le=1)
    most_nights: int = Field(default=10, ge=1)
    nights: int = Field(default=5, ge=1)
