"""Gates and marginal distributions of the synthetic cases."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mgvae.config.strict import Strict
from mgvae.results.density_map import DensityMap
from mgvae.results.gates import Gate
from mgvae.results.numbers import Amounts, Count, Estimate, Number, Share, require_same_lengths


class ByGroup(Strict):
    """A share for each group of rows; None where a group is empty."""

    majority: Share | None
    cases: Share | None
    synthetic: Share | None


class ColumnMarginal(Strict):
    """The distribution of a column, by group of rows.

    Attributes:
        column, label, unit: of the column.
        majority, cases, synthetic: shares of the rows with a value, by bin or level.
        missing: shares of missing cells.
        distance: between real and synthetic cases, 0 to 1; None where unknown.
    """

    column: str
    label: str
    unit: str | None
    majority: Amounts
    cases: Amounts
    synthetic: Amounts
    missing: ByGroup
    distance: Share | None


class NumericMarginal(ColumnMarginal):
    """Histograms over the same ``edges``; ``distance`` is Kolmogorov-Smirnov."""

    kind: Literal["numeric"]
    edges: tuple[Number, ...]

    @model_validator(mode="after")
    def _agree(self) -> NumericMarginal:
        require_same_lengths(len(self.edges) - 1, self.majority, self.cases, self.synthetic)
        if any(low >= high for low, high in zip(self.edges, self.edges[1:], strict=False)):
            raise ValueError("edges must increase")
        return self


class LevelsMarginal(ColumnMarginal):
    """Shares of each level; ``distance`` is total variation."""

    kind: Literal["levels"]
    levels: tuple[str, ...]

    @model_validator(mode="after")
    def _agree(self) -> LevelsMarginal:
        require_same_lengths(len(self.levels), self.majority, self.cases, self.synthetic)
        return self


Marginal = Annotated[NumericMarginal | LevelsMarginal, Field(discriminator="kind")]


class RuleRecord(Strict):
    """What it took for synthetic rows to keep the rules between columns.

    Attributes:
        made: rows that were made.
        redrawn: those that broke a rule at first, and were drawn again.
        calculated: those in which a number was calculated that a rule defines.
        kept: rows of them that were kept.
        borrowed: those of the kept that have the columns of a rule from another synthetic row.
        broken: those of the kept that still break a rule.
    """

    made: Count
    redrawn: Count
    calculated: Count
    kept: Count
    borrowed: Count
    broken: Count

    @property
    def sentence(self) -> str:
        """All counts."""
        return (
            f"Of {self.made:,} rows made, {self.redrawn:,} broke a rule at first and were drawn again, and in "
            f"{self.calculated:,} a number that a rule defines was calculated. Of the {self.kept:,} kept, {self.borrowed:,} "
            f"have the columns of a rule from another synthetic row."
        )

    @property
    def warning(self) -> tuple[str, ...]:
        """A sentence without counts, the same for many fits, if redrawing was not enough; else none."""
        if not self.borrowed + self.broken:
            return ()
        return ("Translations kept the rules between columns too seldom: some were repaired from others, or still break one.",)


class RepairRecord(Strict):
    """Synthetic cases that were dropped, and why; one may count under several reasons.

    Attributes:
        made, dropped: cases made, and those of them that were dropped.
        near_case, near_majority: those too near a training case, or a majority patient.
        broken: those that break a rule between columns.
        within: share of the distance to the nearest other patient that was too near.
    """

    made: Count
    dropped: Count
    near_case: Count
    near_majority: Count
    broken: Count
    within: Share

    @property
    def sentence(self) -> str:
        """All counts."""
        return (
            f"Repair dropped {self.dropped:,} of {self.made:,} synthetic cases: {self.near_case:,} too near a training case, "
            f"{self.near_majority:,} too near a majority patient (within {self.within:g} of the distance to the nearest "
            f"other), {self.broken:,} that break a rule between columns."
        )

    @property
    def warning(self) -> tuple[str, ...]:
        """A sentence without counts, the same for many fits, if most cases were dropped; else none."""
        if 2 * self.dropped <= self.made:
            return ()
        return ("Repair dropped more than half of the synthetic cases of a fit: the generator copies its patients.",)


class RepairEffect(Strict):
    """AUROC of logistic regression on patients held out, with all synthetic cases and with those that repair left.

    Attributes:
        before, after: AUROC.
        difference: after - before, paired, with its interval.
    """

    before: Share
    after: Share
    difference: Estimate


class Repair(Strict):
    """What repair did.

    Attributes:
        record: what was dropped.
        gates: the gates on all synthetic cases, before repair.
        effect: on prediction; None where it cannot be measured.
    """

    record: RepairRecord
    gates: tuple[Gate, ...]
    effect: RepairEffect | None


class SyntheticSummary(Strict):
    """The number of synthetic cases, remarks on their choice, gates, marginals, and repair where it was asked for.

    ``map`` shows where they lie; None where that cannot be drawn, and in reports of earlier versions.
    """

    n: Count
    remarks: tuple[str, ...] = ()
    repair: Repair | None = None
    gates: tuple[Gate, ...]
    marginals: tuple[Marginal, ...]
    map: DensityMap | None = None
