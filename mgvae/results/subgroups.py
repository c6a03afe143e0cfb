"""Performance by subgroup, and how subgroups differ."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from mgvae.config.sections import Arm, Classifier
from mgvae.config.strict import Strict
from mgvae.results.numbers import Count, Estimate, Number

SubgroupMetric = Literal["auroc", "observed_expected", "calibration_slope", "sensitivity", "ppv"]


class RestDifference(Estimate):
    """A subgroup's measure less that of all other patients.

    Attributes:
        family_low, family_high: limits that hold for all subgroups at once, 95 %.
    """

    family_low: Number | None
    family_high: Number | None

    @property
    def excludes_zero(self) -> bool:
        """Whether its own limits exclude 0."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high

    @property
    def stands(self) -> bool:
        """Whether the limits for all subgroups exclude 0."""
        return self.family_low is not None and self.family_high is not None and not self.family_low <= 0 <= self.family_high


class SubgroupScores(Strict):
    """A subgroup: its patients, and how the model does among them.

    Attributes:
        level: what its patients have in common.
        n, events: patients, and how many of them have the event.
        too_few: whether it has too few events to be measured: it is counted alone.
        measures: of recalibrated probabilities, ranks within folds.
        against_rest: less the patients of the other levels; empty where these have too few events.
    """

    level: str
    n: Count
    events: Count
    too_few: bool
    measures: dict[SubgroupMetric, Estimate] = Field(default_factory=dict)
    against_rest: dict[SubgroupMetric, RestDifference] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _counts_alone(self) -> SubgroupScores:
        if self.too_few and (self.measures or self.against_rest):
            raise ValueError("a subgroup of too few events has no measures")
        return self


class ColumnSubgroups(Strict):
    """The subgroups of a column.

    Attributes:
        groups: in the dictionary's order.
        ranges: largest less smallest value of the measured subgroups; never below 0, also where no subgroup differs.
    """

    column: str
    label: str
    groups: tuple[SubgroupScores, ...]
    ranges: dict[SubgroupMetric, Estimate]


class ModelSubgroups(Strict):
    """A model in all patients and by subgroup.

    Attributes:
        overall: in all patients.
        comparisons: of subgroups with the rest, mirror images once; of each measure, 5 % would exclude 0 by chance.
    """

    arm: Arm
    classifier: Classifier
    overall: SubgroupScores
    columns: tuple[ColumnSubgroups, ...]
    comparisons: Count


class SubgroupPart(Strict):
    """The models on one part of the cohort: no correction first, then the recommended."""

    models: tuple[ModelSubgroups, ...]


class Subgroups(Strict):
    """Performance by subgroup.

    Attributes:
        fewest_events: below which a subgroup is counted alone.
        bootstrap: resamples of whole groups.
        training: cross-validated predictions of the training part.
        holdout: None where there is no hold-out of 15 events.
    """

    fewest_events: Count
    bootstrap: Count
    training: SubgroupPart
    holdout: SubgroupPart | None
