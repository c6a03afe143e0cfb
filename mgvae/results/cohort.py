"""The cohort, and what the validation of an extract found."""

from __future__ import annotations

from pydantic import Field

from mgvae.config.dictionary import Kind
from mgvae.config.strict import Strict
from mgvae.results.numbers import Count, Number, Share
from mgvae.results.participants import Participants


class FlowStep(Strict):
    """One step from the rows of the file to the eligible subjects.

    Attributes:
        label: what the remaining subjects have in common.
        n: how many remain.
        events: remaining subjects with the event; None where the outcome is not considered yet.
        note: what a reader must know of those who left; None where there is nothing.
        patients: how many patients they are, where one may remain several times; None where each remains once.
    """

    label: str
    n: Count
    events: Count | None
    note: str | None = None
    patients: Count | None = None


class ColumnSummary(Strict):
    """A predictor, and the share of its cells that are missing."""

    name: str
    label: str
    kind: Kind
    unit: str | None
    missing: Share | None


class Censoring(Strict):
    """What weights against censoring do.

    Attributes:
        unknown: patients whose follow-up ended before the horizon, without the event.
        known: patients with a known outcome, who stand for them.
        highest: the highest weight; the lowest is 1.
        cut: how many weights were cut to the highest that is allowed.
        observed: share of events among those with a known outcome, before weights.
    """

    unknown: Count
    known: Count
    highest: Number
    cut: Count
    observed: Share


class CohortSummary(Strict):
    """Who is in the study; None where a refused extract left it uncounted.

    Attributes:
        prevalence: share of events; with ``censoring``, at the horizon among all patients, those with an unknown outcome too.
        groups: how many groups have two patients or more; None where no group was named.
        groups_divided: whether patients of one group lie on both sides of some split, which the warnings name.
        participants: the predictors by outcome and by part; None in reports of earlier versions, too.
        censoring: of patients followed to the horizon; None where the study does not say how long they were followed.
    """

    n: Count | None
    events: Count | None
    prevalence: Share | None
    n_train: Count | None
    n_test: Count | None
    events_train: Count | None
    events_test: Count | None
    groups: Count | None
    groups_divided: bool = False
    outcome: str
    horizon_days: int | None
    lookback_days: int | None
    flow: tuple[FlowStep, ...]
    columns: tuple[ColumnSummary, ...]
    participants: Participants | None = None
    censoring: Censoring | None = None


class FailedRule(Strict):
    """A rule that a table breaks.

    Attributes:
        column: its name; ``(table)`` for rules about the table as a whole.
        rule: what must hold, as a sentence about the column.
        count: rows that break it; None where the rule is not about single rows.
    """

    column: str
    rule: str
    count: Count | None


class ValidationResult(Strict):
    """What the suite of expectations found in a table.

    Attributes:
        passed: whether nothing failed.
        expectations: how many expectations were evaluated. Those on a column that is absent are not.
        failed: the rules that were broken, in the order of the suite.
        rows: rows of the table.
    """

    passed: bool
    expectations: Count
    failed: tuple[FailedRule, ...]
    rows: Count


class ExtractValidation(ValidationResult):
    """What the suite found in an extract.

    Attributes:
        absent: columns expected and not found.
        unlisted: columns found and not expected.
    """

    absent: tuple[str, ...]
    unlisted: tuple[str, ...]


class ExtractRecord(ExtractValidation):
    """What stage validate writes of an extract.

    Attributes:
        sha256: digest of the files.
        missing: share of missing cells, by column.
        stored: how the files store each of their columns; empty where an earlier version did not write it.
        remarks: what a person must know of the files.
    """

    sha256: str
    missing: dict[str, Share]
    stored: dict[str, str] = Field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @property
    def validation(self) -> ExtractValidation:
        """The part that the report shows."""
        return ExtractValidation(**{name: getattr(self, name) for name in ExtractValidation.model_fields})
