"""The steps from event tables to an extract."""

from __future__ import annotations

from pydantic import Field

from mgvae.config.strict import Strict


class AttritionStep(Strict):
    """One step from event tables to the cohort.

    Attributes:
        label: what was asked of each row.
        rows: rows left, one per subject and prediction.
        subjects: subjects left.
        events: rows left with the outcome in its window.
        note: what a reader must know of those who left.
    """

    label: str
    rows: int = Field(ge=0)
    subjects: int = Field(ge=0)
    events: int = Field(ge=0)
    note: str | None = None
