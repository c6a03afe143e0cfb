"""The contract of report.json: every number of the page, typed.

An unknown number is ``None``, never NaN. Shares lie in 0..1. ``low`` and ``high`` are the limits of a 95 % interval.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from mgvae.config.card import Card
from mgvae.config.strict import Strict, build
from mgvae.results.cohort import CohortSummary, ExtractValidation
from mgvae.results.drift import DriftSummary
from mgvae.results.evaluation import EvaluationSummary
from mgvae.results.explanations import Explanations
from mgvae.results.findings import Finding, RunVerdict
from mgvae.results.instability import InstabilityResult
from mgvae.results.learning_curve import LearningCurveResult
from mgvae.results.numbers import Count, Seconds
from mgvae.results.privacy import PrivacyRecord
from mgvae.results.promotion import PromotionRecord
from mgvae.results.recommendation import Recommendation
from mgvae.results.subgroups import Subgroups
from mgvae.results.synthetic import SyntheticSummary
from mgvae.results.training import TrainingSummary

SCHEMA_VERSION: Literal[1] = 1

Status = Literal["pass", "warn", "fail", "invalid"]


class Location(Strict):
    """Where a stage ran; pool and worker are None where no worker started it."""

    pool: str | None
    worker: str | None
    host: str | None


class StageCost(Strict):
    """What it cost to make a stage's artifact, by the run that made it.

    Attributes:
        seconds: on the wall.
        processor_seconds: of the process and its ended workers, user and system.
        peak_mib: most memory that the process and its workers held at a time, sampled; 0 where the system does not say.
        read_bytes, written_bytes: through files and connections, by the process and its ended workers; likewise.
    """

    seconds: Seconds
    processor_seconds: Seconds
    peak_mib: Seconds
    read_bytes: Count
    written_bytes: Count


class StageSummary(Strict):
    """A stage of the run; ``cached`` where an earlier run's result was reused. None for ``cost``: not kept."""

    name: str
    seconds: Seconds | None
    cached: bool
    ran: Location | None = None
    cost: StageCost | None = None


class Lineage(Strict):
    """Inputs, code and settings of a run, so that it can be repeated.

    Attributes:
        muted: code of a finding that does not count -> the reason given.
    """

    extract_sha256: str | None
    config_sha256: str | None
    code_version: str
    seed: int
    artifacts: dict[str, str]
    versions: dict[str, str]
    machine: str
    stages: tuple[StageSummary, ...]
    muted: dict[str, str] = Field(default_factory=dict)


class Report(Strict):
    """The content of report.json.

    A refused extract (``status`` invalid) has no training, synthetic, evaluation, recommendation, explanations or subgroups.
    ``drift`` is None where there is no accepted run to compare the extract with. ``status`` is the worst verdict of the gates;
    ``verdict`` adds the ``findings``, of which the muted ones do not count. ``privacy`` is there where the generator is
    differentially private for the cases. ``promotion`` is there where the run was considered as champion; its finding warns
    and does not make the run unreliable, since the champion stays. ``card`` holds the authors' texts; None without them, and
    in earlier reports.
    """

    schema_version: Literal[1]
    study: str
    title: str | None
    run_id: str
    created_at: str
    status: Status
    verdict: RunVerdict
    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...]
    cohort: CohortSummary
    validation: ExtractValidation
    drift: DriftSummary | None = None
    training: TrainingSummary | None
    privacy: PrivacyRecord | None = None
    synthetic: SyntheticSummary | None
    evaluation: EvaluationSummary | None
    recommendation: Recommendation | None
    explanations: Explanations | None = None
    instability: InstabilityResult | None = None
    learning_curve: LearningCurveResult | None = None
    subgroups: Subgroups | None = None
    promotion: PromotionRecord | None = None
    lineage: Lineage
    card: Card | None = None

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
