"""The contract of report.json: every number of the page, typed. What builds a report fills this; what shows one reads it.

An unknown number is ``None``, never NaN. Shares lie in 0..1. ``low`` and ``high`` are the limits of a 95 % interval.
"""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from mgvae.config.dictionary import Kind
from mgvae.config.strict import Strict
from mgvae.report.drift import DriftFacts
from mgvae.report.results import Count, EvaluationFacts, Recommendation, Seconds, Share, SyntheticFacts, TrainingFacts

SCHEMA_VERSION = 1

Status = Literal["pass", "warn", "fail", "invalid"]


class FlowStep(Strict):
    """One box of the flow diagram: what is left, from the rows of the file to the eligible subjects (the split follows)."""

    label: str
    n: Count
    events: Count | None


class ColumnFacts(Strict):
    """A predictor, and the share of its cells that are missing."""

    name: str
    label: str
    kind: Kind
    unit: str | None
    missing: Share | None


class CohortFacts(Strict):
    """Who is in the study. Numbers are unknown where the extract was refused before they could be counted."""

    n: Count | None
    events: Count | None
    prevalence: Share | None
    n_train: Count | None
    n_test: Count | None
    events_train: Count | None
    events_test: Count | None
    groups: Count | None
    outcome: str
    horizon_days: int | None
    lookback_days: int | None
    flow: tuple[FlowStep, ...]
    columns: tuple[ColumnFacts, ...]


class FailedRule(Strict):
    """An expectation that the extract does not meet, and in how many cells."""

    column: str
    rule: str
    count: Count | None


class ValidationFacts(Strict):
    """What the extract was checked for. ``absent``: columns expected, not found; ``unlisted``: found, not expected."""

    passed: bool
    expectations: Count
    failed: tuple[FailedRule, ...]
    rows: Count | None
    absent: tuple[str, ...]
    unlisted: tuple[str, ...]


class Whereabouts(Strict):
    """Where a stage was carried out; pool and worker are None for a stage that no worker started."""

    pool: str | None
    worker: str | None
    host: str | None


class StageFacts(Strict):
    """One stage of the run, whether an earlier run's result was reused, and where that was made."""

    name: str
    seconds: Seconds | None
    cached: bool
    ran: Whereabouts | None = None


class Lineage(Strict):
    """What the numbers were made from, so that the run can be repeated."""

    extract_sha256: str | None
    config_sha256: str | None
    code_version: str
    seed: int
    artifacts: dict[str, str]
    versions: dict[str, str]
    machine: str
    stages: tuple[StageFacts, ...]


class Report(Strict):
    """All of report.json. A refused extract (``status`` invalid) has no training, synthetic, evaluation or recommendation.

    ``drift`` is None where there is no accepted run to hold the extract against.
    """

    schema_version: Literal[1]
    study: str
    title: str | None
    run_id: str
    created_at: str
    status: Status
    warnings: tuple[str, ...]
    cohort: CohortFacts
    validation: ValidationFacts
    drift: DriftFacts | None = None
    training: TrainingFacts | None
    synthetic: SyntheticFacts | None
    evaluation: EvaluationFacts | None
    recommendation: Recommendation | None
    lineage: Lineage

    @model_validator(mode="after")
    def _consistent(self) -> Report:
        if (self.status == "invalid") == self.validation.passed:
            raise ValueError("status must be 'invalid' exactly where validation.passed is false")
        parts = [part.gates for part in (self.synthetic, self.drift) if part]
        gates = [gate.verdict for part in parts for gate in part]
        if self.status in ("pass", "warn") and "fail" in gates:
            raise ValueError(f"status is '{self.status}', but a gate failed")
        if self.recommendation and self.evaluation and self.recommendation.arm not in self.evaluation.arms:
            raise ValueError(f"recommendation.arm '{self.recommendation.arm}' is not among evaluation.arms")
        return self
