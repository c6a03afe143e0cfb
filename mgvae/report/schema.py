"""The contract of report.json: every number of the page, typed. What builds a report fills this; what shows one reads it.

An unknown number is ``None``, never NaN. Shares lie in 0..1. ``low`` and ``high`` are the limits of a 95 % interval.
"""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from mgvae.config.strict import Strict, build
from mgvae.results.cohort import CohortFacts, ExtractValidation
from mgvae.results.drift import DriftFacts
from mgvae.results.evaluation import EvaluationFacts
from mgvae.results.numbers import Seconds
from mgvae.results.recommendation import Recommendation
from mgvae.results.synthetic import SyntheticFacts
from mgvae.results.training import TrainingFacts

SCHEMA_VERSION: Literal[1] = 1

Status = Literal["pass", "warn", "fail", "invalid"]


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
    validation: ExtractValidation
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


def read_report(content: object) -> Report:
    """Return a report from the content of report.json.

    Raises:
        ConfigError: it does not keep to the contract; the message names the key.
    """
    return build(Report, content, source="report.json")
