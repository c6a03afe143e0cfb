"""Who takes part: the predictors of the cohort by outcome and by part, without anything on a single patient."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from mgvae.config.strict import Strict
from mgvae.results.numbers import Count, Number, require_same_lengths

Side = Literal["without_event", "with_event", "training", "test"]
SIDES: tuple[Side, ...] = ("without_event", "with_event", "training", "test")


class Spread(Strict):
    """A number among the patients in whom it is known: mean, standard deviation, median and quartiles."""

    mean: Number
    sd: Number
    median: Number
    lower: Number
    upper: Number


class Characteristic(Strict):
    """A predictor by outcome and by part.

    Attributes:
        name, label, unit: of its column.
        spread: of a number, by side; a side in which fewer than `Participants.fewest` patients have it is left out.
        levels: of other kinds.
        counts: patients with each level, by side; None where suppressed.
        missing: patients without a value, by side; None where suppressed.
        by_event, by_part: standardised mean difference of those with the event from those without, and of the test from the
            training part; None where it is not defined or would tell a count that is suppressed.
    """

    name: str
    label: str
    unit: str | None
    spread: dict[Side, Spread] = Field(default_factory=dict)
    levels: tuple[str, ...] = ()
    counts: dict[Side, tuple[Count | None, ...]] = Field(default_factory=dict)
    missing: dict[Side, Count | None]
    by_event: Number | None
    by_part: Number | None

    @model_validator(mode="after")
    def _agree(self) -> Characteristic:
        require_same_lengths(len(self.levels), *self.counts.values())
        return self


class Participants(Strict):
    """The cohort's predictors by outcome and by part.

    A count of 1 to ``fewest`` - 1 patients is suppressed, on both sides of the outcome or of the parts, and with it that of
    another level, so that no difference of sums gives it away.

    Attributes:
        n: patients, by side.
        fewest: the smallest count above 0 that is shown.
        rows: by predictor, in dictionary order.
    """

    n: dict[Side, Count]
    fewest: Count
    rows: tuple[Characteristic, ...]
