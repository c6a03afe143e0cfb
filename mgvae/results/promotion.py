"""The comparison of a champion with its challenger, as audit.jsonl keeps it."""

from __future__ import annotations

from mgvae.config.strict import Strict
from mgvae.results.numbers import Count, Number


class MeasureComparison(Strict):
    """A measure of both models on the same patients.

    Attributes:
        champion, challenger: the measure of each model.
        value, low, high: challenger less champion, with its 95 % interval; None where undefined.
    """

    champion: Number | None
    challenger: Number | None
    value: Number | None
    low: Number | None
    high: Number | None


class ModelComparison(Strict):
    """Two models on the same patients.

    Attributes:
        n, events: patients, and how many of them have the event.
        bootstrap: resamples behind each interval.
        auroc, scaled_brier: the measures.
    """

    n: Count
    events: Count
    bootstrap: Count
    auroc: MeasureComparison
    scaled_brier: MeasureComparison


class PromotionComparison(ModelComparison):
    """A comparison that decides on a promotion.

    Attributes:
        left_out: patients of the hold-out that the champion may have been trained on.
        margin: by how much a measure may be lower.
    """

    left_out: Count
    margin: Number
