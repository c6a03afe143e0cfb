"""The synthetic cases: marginal distributions beside those of real patients, and their gates."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mgvae.config.strict import Strict
from mgvae.results.gates import Gate
from mgvae.results.numbers import Amounts, Count, Number, Share, require_same_lengths


class ByGroup(Strict):
    """One share for each group of rows; unknown where a group is empty."""

    majority: Share | None
    cases: Share | None
    synthetic: Share | None


class NumericMarginal(Strict):
    """Histograms of a numeric column over the same ``edges``: share of the rows with a value that fall into each bin.

    ``distance`` is the Kolmogorov-Smirnov distance between the real and the synthetic cases.
    """

    column: str
    label: str
    unit: str | None
    kind: Literal["numeric"]
    edges: tuple[Number, ...]
    majority: Amounts
    cases: Amounts
    synthetic: Amounts
    missing: ByGroup
    distance: Share | None

    @model_validator(mode="after")
    def _agree(self) -> NumericMarginal:
        require_same_lengths(len(self.edges) - 1, self.majority, self.cases, self.synthetic)
        if any(low >= high for low, high in zip(self.edges, self.edges[1:], strict=False)):
            raise ValueError("edges must increase")
        return self


class LevelsMarginal(Strict):
    """Share of the rows with a value that have each level; ``distance`` is total variation, real against synthetic cases."""

    column: str
    label: str
    unit: str | None
    kind: Literal["levels"]
    levels: tuple[str, ...]
    majority: Amounts
    cases: Amounts
    synthetic: Amounts
    missing: ByGroup
    distance: Share | None

    @model_validator(mode="after")
    def _agree(self) -> LevelsMarginal:
        require_same_lengths(len(self.levels), self.majority, self.cases, self.synthetic)
        return self


Marginal = Annotated[NumericMarginal | LevelsMarginal, Field(discriminator="kind")]


class SyntheticFacts(Strict):
    """The synthetic cases: how many, remarks on how they were chosen, whether they pass, how they compare with real ones."""

    n: Count
    remarks: tuple[str, ...] = ()
    gates: tuple[Gate, ...]
    marginals: tuple[Marginal, ...]
