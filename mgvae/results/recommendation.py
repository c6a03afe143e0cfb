"""The recommendation: which arm and classifier to train with, if any."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mgvae.config.sections import Arm, Classifier
from mgvae.config.strict import Strict
from mgvae.results.evaluation import Metric
from mgvae.results.numbers import Estimate, Number

Answer = Literal["use", "no_gain", "cannot_tell", "deploy_none"]

RECOMMENDATION = "recommendation.json"  # the file of a recommendation beside its model


class Difference(Strict):
    """The paired difference that decided.

    Attributes:
        value, low, high: of the arm less no correction.
        arm, classifier: whose difference it is: the recommended arm's, or the best challenger's where none is recommended.
        family_low: the lower limit that holds for all arms compared at once.
        evidence: mean gain in net benefit and log loss, in standard errors.
        needed: the evidence from which it is more than luck among the arms.
        expected_auroc: the gain in AUROC, shrunk towards the published results, with a 95 % range.
    """

    metric: Metric
    value: Number | None
    low: Number | None
    high: Number | None
    arm: Arm | None = None
    classifier: Classifier | None = None
    family_low: Number | None = None
    evidence: Number | None = None
    needed: Number | None = None
    expected_auroc: Estimate | None = None


class SmallestGain(Strict):
    """The smallest true gain that this study would have found with 80 % power.

    Attributes:
        metric, value: in the measure that decided.
        auroc: in AUROC.
        relevant: the gain in AUROC from which the study team would care, ``evaluation.relevant_gain``.
    """

    metric: Metric
    value: Number | None
    auroc: Number | None
    relevant: Number


class Recommendation(Strict):
    """Which arm and classifier to train with.

    Attributes:
        arm, classifier: no correction and its best classifier unless the answer is "use".
        answer: use (the arm is better than no correction), no_gain (none is, and the study would have found a relevant gain),
            cannot_tell (it would not), deploy_none (no model predicts better than the prevalence).
        reason, rule: why, and by which rule.
        difference: the paired difference that decided.
        smallest_gain: what the study could have found; None where nothing was compared.
        barred: the arms that must not be recommended, and why.
        threshold: where to cut the probabilities, and what that gives.
    """

    arm: Arm
    classifier: Classifier
    answer: Answer
    reason: str
    rule: str
    difference: Difference | None
    smallest_gain: SmallestGain | None = None
    barred: dict[Arm, str] = Field(default_factory=dict)
    threshold: dict[str, str | Number | None] = Field(default_factory=dict)
