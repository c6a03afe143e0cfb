"""Gates and marginal distributions of the synthetic cases."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mgvae.config.strict import Strict
from mgvae.results.gates import Gate
from mgvae.results.numbers import Amounts, Count, Number, Share, require_same_lengths


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


class SyntheticSummary(Strict):
    """The number of synthetic cases, remarks on their choice, gates and marginals."""

    n: Count
    remarks: tuple[str, ...] = ()
    gates: tuple[Gate, ...]
    marginals: tuple[Marginal, ...]
