"""Results of the evaluation: measures, differences, calibration curves, contrasts."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

from pydantic import Field, model_validator

from mgvae.config.sections import Arm, Classifier
from mgvae.config.strict import Strict
from mgvae.results.numbers import Amounts, Count, Estimate, Number, Share, require_same_lengths
from mgvae.results.rank_curves import RankCurves

Variant = Literal["raw", "offset", "recalibrated"]
JUDGED: Variant = "recalibrated"  # by which models are compared
Metric = Literal[
    "auroc",
    "auprc",
    "brier",
    "log_loss",
    "scaled_brier",
    "observed_expected",
    "calibration_intercept",
    "calibration_slope",
    "ici",
    "e90",
    "emax",
    "balanced_accuracy",
    "g_mean",
    "f1",
    "mcc",
    "sensitivity",
    "specificity",
    "ppv",
    "ppv_at_deployment",
    "net_benefit",
    "sensitivity_at_alert_1",
    "ppv_at_alert_1",
    "nne_at_alert_1",
    "sensitivity_at_alert_2",
    "ppv_at_alert_2",
    "nne_at_alert_2",
    "sensitivity_at_alert_5",
    "ppv_at_alert_5",
    "nne_at_alert_5",
    "sensitivity_at_alert_10",
    "ppv_at_alert_10",
    "nne_at_alert_10",
    "sensitivity_at_spec_90",
    "ppv_at_spec_90",
    "nne_at_spec_90",
    "sensitivity_at_spec_95",
    "ppv_at_spec_95",
    "nne_at_spec_95",
]


class SmoothCurve(Strict):
    """A smooth calibration curve.

    Attributes:
        predicted: predicted risk, rising.
        observed, low, high: share of events expected there, with its pointwise interval.
    """

    predicted: tuple[Share, ...]
    observed: tuple[Share, ...]
    low: tuple[Share | None, ...]
    high: tuple[Share | None, ...]

    @model_validator(mode="after")
    def _agree(self) -> SmoothCurve:
        require_same_lengths(len(self.predicted), self.observed, self.low, self.high)
        return self


class Risks(Strict):
    """A histogram of predicted risks; each subject counts once.

    Attributes:
        edges: of the bars, one more than these.
        events, others: subjects with and without the event, by bar; at least five unless there are none, or one bar holds all.
    """

    edges: tuple[Share, ...]
    events: Amounts
    others: Amounts

    @model_validator(mode="after")
    def _agree(self) -> Risks:
        require_same_lengths(len(self.edges) - 1, self.events, self.others)
        return self

    def density(self, counts: Amounts) -> list[float]:
        """Return the shares of counts by bar over the bars' widths in log odds, so that bars of any width compare."""
        total = sum(counts) or 1.0
        odds = [math.log(edge / (1 - edge)) for edge in (min(max(edge, 1e-12), 1 - 1e-12) for edge in self.edges)]
        return [count / total / (high - low) for count, (low, high) in zip(counts, pairwise(odds), strict=True)]


class Curve(Strict):
    """A calibration curve, by bin of predicted risk.

    Attributes:
        predicted: mean prediction.
        observed, low, high: share of events with its interval.
        n: subjects; each counts once, however often it was predicted, so it need not be whole.
        smooth: the smooth curve; of raw and recalibrated probabilities, from five events on.
        risks: how the predictions are distributed.
    """

    predicted: tuple[Share, ...]
    observed: tuple[Share, ...]
    low: tuple[Share | None, ...]
    high: tuple[Share | None, ...]
    n: Amounts
    smooth: SmoothCurve | None = None
    risks: Risks | None = None

    @model_validator(mode="after")
    def _agree(self) -> Curve:
        require_same_lengths(len(self.predicted), self.observed, self.low, self.high, self.n)
        return self


class DecisionCurve(Strict):
    """Net benefit of a model at each threshold, with its interval."""

    net_benefit: tuple[Number, ...]
    low: tuple[Number | None, ...]
    high: tuple[Number | None, ...]


class DecisionCurves(Strict):
    """Net benefit against the decision threshold, recalibrated; treating none has 0.

    Attributes:
        thresholds: rising, evenly spaced in their logarithm.
        prevalence: the largest possible net benefit; divided by it, a net benefit is standardised.
        treat_all: net benefit of treating everybody.
        arms: of the models, by arm and classifier.
    """

    thresholds: tuple[Share, ...]
    prevalence: Share
    treat_all: tuple[Number, ...]
    arms: dict[Arm, dict[Classifier, DecisionCurve]]

    @model_validator(mode="after")
    def _agree(self) -> DecisionCurves:
        curves = [curve for by_classifier in self.arms.values() for curve in by_classifier.values()]
        columns = [column for curve in curves for column in (curve.net_benefit, curve.low, curve.high)]
        require_same_lengths(len(self.thresholds), self.treat_all, *columns)
        return self


Scores = dict[Metric, Estimate]
ArmScores = dict[Arm, dict[Classifier, dict[Variant, Scores]]]
ArmCurves = dict[Arm, dict[Classifier, dict[Variant, Curve]]]
ArmDifferences = dict[Arm, dict[Classifier, Scores]]


class ModelName(Strict):
    """An arm with a classifier."""

    arm: Arm
    classifier: Classifier


class Bootstrap(Strict):
    """Number of resamples of each interval, and of draws without both classes."""

    n: Count
    redrawn: Count


class Gain(Estimate):
    """A difference from the reference.

    Attributes:
        se: its standard error, over resamples of the groups.
        family_low, family_high: the limits of which each holds for all candidates at once with 97.5 %.
        least_repeat: the smallest difference over the repeats of the cross-validation.
    """

    se: Number | None
    family_low: Number | None
    family_high: Number | None
    least_repeat: Number | None


class Contrast(Strict):
    """A candidate less the reference, recalibrated. In the log loss a negative difference is better, else a positive one."""

    auroc: Gain
    scaled_brier: Gain
    net_benefit: Gain
    log_loss: Gain


class Contrasts(Strict):
    """The comparisons that the recommendation reads.

    Attributes:
        reference: no correction with its best classifier.
        candidates: how many arms and classifiers are compared with it.
        critical: bound of the largest studentised deviation in AUROC, in standard errors.
        against: by arm and classifier.
    """

    reference: ModelName
    candidates: Count
    critical: Number | None
    against: dict[Arm, dict[Classifier, Contrast]]


class PartResult(Strict):
    """All arms and classifiers on one part of the cohort, as in `EvaluationSummary`.

    Attributes:
        remarks: sentences on groups that could not be kept whole inside a training part.
    """

    n: Count
    events: Count
    prevalence: Share
    bootstrap: Bootstrap
    unavailable: dict[Arm, str]
    remarks: tuple[str, ...] = ()
    arms: ArmScores
    differences: ArmDifferences
    curves: ArmCurves
    decision_curves: DecisionCurves | None = None


class Line(Strict):
    """A recalibration: logit p' = intercept + slope * logit p."""

    intercept: Number
    slope: Number


class Recalibrations(Strict):
    """The recalibrations of a model, learned from predictions of rows it never saw.

    Attributes:
        training: of the model fitted on the training part, which predicts the hold-out.
        final: of the model refitted on training part and hold-out.
    """

    training: Line
    final: Line


class EvaluationResult(PartResult):
    """Cross-validation on the training part, and the hold-out where there is one.

    Attributes:
        recalibration: by arm and classifier.
    """

    folds: Count
    repeats: Count
    contrasts: Contrasts
    recalibration: dict[Arm, dict[Classifier, Recalibrations]]
    holdout: PartResult | None


class EvaluationSummary(Strict):
    """How the arms compare.

    Attributes:
        arms: cross-validation on the training part, whole chain inside each fold.
        holdout: the same measures on the test part; empty where there is none.
        differences: recalibrated arm less recalibrated ``none``, paired over the same subjects, cross-validation.
        curves: calibration curves of the cross-validated predictions.
        decision_curves: net benefit of the cross-validated predictions against the threshold.
        rank_curves, holdout_rank_curves: sensitivity against false positives and precision against recall, cross-validated and
            of the hold-out; None in reports of earlier versions.
        holdout_risks: how the recalibrated predictions of the hold-out are distributed, by arm and classifier.
        folds, repeats, bootstrap: of the cross-validation, and the resamples behind each interval.
        thresholds: how the alert threshold was set and what else a reader must know, as name and text.
        unavailable: arms that could not be run, and why.
    """

    arms: ArmScores
    holdout: ArmScores
    differences: ArmDifferences
    curves: ArmCurves
    decision_curves: DecisionCurves | None = None
    rank_curves: RankCurves | None = None
    holdout_rank_curves: RankCurves | None = None
    holdout_risks: dict[Arm, dict[Classifier, Risks]] = Field(default_factory=dict)
    folds: Count
    repeats: Count
    bootstrap: Count
    thresholds: dict[str, str | Number | None]
    unavailable: dict[Arm, str] = Field(default_factory=dict)
