"""Results of the sample size calculation."""

from __future__ import annotations

from typing import Literal

from mgvae.config.strict import Strict
from mgvae.results.numbers import Count, Estimate, Number, Share


class Criterion(Strict):
    """The smallest sample that meets one criterion; unknown where no sample does.

    Attributes:
        name: shrinkage (predictor effects are overestimated by a tenth at most), optimism (apparent and adjusted R2 of
            Nagelkerke differ by 0.05 at most) or overall_risk (the outcome's share is known to within 0.05).
        n, events: subjects, and the events among them at the cohort's prevalence.
    """

    name: Literal["shrinkage", "optimism", "overall_risk"]
    n: Count | None
    events: Count | None


class SampleSize(Strict):
    """What the training part has, and what a regression on these predictors needs.

    Attributes:
        n, events, prevalence: of the training part.
        parameters: candidate parameters: columns of the design of the logistic regression.
        auroc: of no correction, cross-validated: with logistic regression, else with its best classifier.
        cox_snell, nagelkerke: shares of variation that such an AUROC stands for at this prevalence.
        criteria: the smallest sample by each criterion; all must be met.
        required_events: events that meet all of them; its limits belong to the limits of the AUROC. Unknown: none is enough.
    """

    n: Count
    events: Count
    prevalence: Share
    parameters: Count
    auroc: Estimate
    cox_snell: Number | None
    nagelkerke: Number | None
    criteria: tuple[Criterion, ...]
    required_events: Estimate

    @property
    def per_parameter(self) -> float | None:
        """Events for each candidate parameter; None where there is no parameter."""
        return self.events / self.parameters if self.parameters else None
