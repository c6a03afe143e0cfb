"""Where majority, real cases and synthetic cases lie, as counts on a grid."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from mgvae.config.strict import Strict
from mgvae.results.numbers import Count, Number, Share

GROUPS: tuple[Literal["majority", "cases", "synthetic"], ...] = ("majority", "cases", "synthetic")


class MapCell(Strict):
    """Rows of each group in a cell of the grid; None where they are too few to be counted.

    Attributes:
        across, up: lower ends of the cell along the first and the second component.
    """

    across: Number
    up: Number
    majority: Count | None
    cases: Count | None
    synthetic: Count | None


class DensityMap(Strict):
    """Rows by the two principal components of the majority, in cells of equal size.

    Attributes:
        width, height: of a cell; what lies beyond the outermost cells counts in them.
        variance: shares of the majority's variance along the components.
        fewest: smaller counts are None, and with them as many others as it takes that no sum gives them away.
        n: rows by group.
        cells: those that hold a row of any group, from left to right and from below.
    """

    width: Number
    height: Number
    variance: tuple[Share, Share]
    fewest: Count
    n: dict[Literal["majority", "cases", "synthetic"], Count]
    cells: tuple[MapCell, ...]

    @model_validator(mode="after")
    def _suppressed(self) -> DensityMap:
        counts = [getattr(cell, group) for cell in self.cells for group in GROUPS]
        if any(count is not None and 0 < count < self.fewest for count in counts):
            raise ValueError(f"a count of 1 to {self.fewest - 1} must be None")
        return self
