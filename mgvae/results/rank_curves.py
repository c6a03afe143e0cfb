"""Curves of how well models rank: receiver operating characteristic, and precision against recall."""

from __future__ import annotations

from pydantic import model_validator

from mgvae.config.sections import Arm, Classifier
from mgvae.config.strict import Strict
from mgvae.results.numbers import Share, require_same_lengths


class RankCurve(Strict):
    """How a model ranks, on raw probabilities.

    Attributes:
        sensitivity: at each share of false positives; the area below is the AUROC, up to the coarseness of the grid.
        precision: at each recall; the mean over all recalls is the average precision, up to the coarseness of the grid.
    """

    sensitivity: tuple[Share, ...]
    precision: tuple[Share, ...]


class RankCurves(Strict):
    """How models rank on one part of the cohort.

    Attributes:
        false_positive, recall: the grids, rising from 0 to 1.
        prevalence: precision of a model that ranks by chance.
        arms: by arm and classifier. An arm that moves the decision threshold alone ranks as no correction, and is left out.
    """

    false_positive: tuple[Share, ...]
    recall: tuple[Share, ...]
    prevalence: Share
    arms: dict[Arm, dict[Classifier, RankCurve]]

    @model_validator(mode="after")
    def _agree(self) -> RankCurves:
        for curve in (curve for by_classifier in self.arms.values() for curve in by_classifier.values()):
            require_same_lengths(len(self.false_positive), curve.sensitivity)
            require_same_lengths(len(self.recall), curve.precision)
        return self
