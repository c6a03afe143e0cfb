"""The recommendation: which arm and classifier to deploy."""

from __future__ import annotations

from pydantic import Field

from mgvae.config.sections import Arm, Classifier
from mgvae.config.strict import Strict
from mgvae.results.evaluation import Metric
from mgvae.results.numbers import Number


class Difference(Strict):
    """The paired difference that decided.

    Attributes:
        value, low, high: of the arm less no correction.
        arm, classifier: whose difference it is: the recommended arm's, or the best challenger's where none is recommended.
        family_low: the lower limit that holds for all arms compared at once.
    """

    metric: Metric
    value: Number | None
    low: Number | None
    high: Number | None
    arm: Arm | None = None
    classifier: Classifier | None = None
    family_low: Number | None = None


class Recommendation(Strict):
    """Which arm and classifier to deploy.

    Attributes:
        reason, rule: why, and by which rule.
        difference: the paired difference that decided.
        barred: the arms that must not be recommended, and why.
        threshold: where to cut the probabilities, and what that gives.
    """

    arm: Arm
    classifier: Classifier
    reason: str
    rule: str
    difference: Difference | None
    barred: dict[Arm, str] = Field(default_factory=dict)
    threshold: dict[str, str | Number | None] = Field(default_factory=dict)
