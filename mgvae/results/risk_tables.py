"""How the predictions of all models are distributed, by outcome."""

from __future__ import annotations

from mgvae.config.sections import Arm, Classifier
from mgvae.results.evaluation import ArmCurves, Risks

RiskTable = dict[Arm, dict[Classifier, Risks]]


def recalibrated_risks(curves: ArmCurves) -> RiskTable:
    """Return the histograms of recalibrated predictions, by arm and classifier."""
    table: RiskTable = {}
    for arm, by_classifier in curves.items():
        for classifier, variants in by_classifier.items():
            curve = variants.get("recalibrated")
            if curve is not None and curve.risks is not None:
                table.setdefault(arm, {})[classifier] = curve.risks
    return table
