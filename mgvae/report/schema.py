"""The contract of report.json: every number of the page, typed. What builds a report fills this; what shows one reads it.

An unknown number is ``None``, never NaN. Shares lie in 0..1. ``low`` and ``high`` are the limits of a 95 % interval.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mgvae.config import Arm, Classifier
from mgvae.dictionary import Kind
from mgvae.strict import Strict

SCHEMA_VERSION = 1

Number = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Status = Literal["pass", "warn", "fail", "invalid"]
Verdict = Literal["pass", "warn", "fail"]
Variant = Literal["raw", "offset", "recalibrated"]
Metric = Literal[
    "auroc",
    "auprc",
    "brier",
    "scaled_brier",
    "observed_expected",
    "calibration_intercept",
    "calibration_slope",
    "balanced_accuracy",
    "g_mean",
    "sensitivity",
    "ppv",
]


class Estimate(Strict):
    """A value with its interval; any of the three may be unknown."""

    value: Number | None
    low: Number | None = None
    high: Number | None = None


class FlowStep(Strict):
    """One box of the flow diagram: what is left, from the rows of the file down to the eligible subjects (the split follows)."""

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


class EpochFacts(Strict):
    """Mean ELBO per row, in nats, at the end of an epoch."""

    epoch: Count
    train_elbo: Number | None
    heldout_elbo: Number | None


class LambdaTrial(Strict):
    """The best held-out ELBO that fine-tuning reached with one weight of the EWC penalty."""

    ewc_lambda: Number
    heldout_elbo: Number | None


class Pretraining(Strict):
    """How training on the majority went; ``heldout_elbo`` is that of ``best_epoch``, the one kept."""

    epochs: Count
    seconds: Seconds
    heldout_elbo: Number | None
    best_epoch: Count | None
    history: tuple[EpochFacts, ...]


class Finetuning(Pretraining):
    """How training on the rare cases went; ``lambda_path`` is empty where lambda was given and not chosen."""

    ewc_lambda: Number | None
    lambda_path: tuple[LambdaTrial, ...]


class TrainingFacts(Strict):
    """The generator of the whole training part."""

    device: str
    parameters: Count
    pretrain: Pretraining
    finetune: Finetuning


class Gate(Strict):
    """One demand on the synthetic cases: what was measured, against which threshold, and the verdict."""

    name: str
    label: str
    value: Number | None
    low: Number | None
    high: Number | None
    threshold: Number | None
    verdict: Verdict
    detail: str


class ByGroup(Strict):
    """One share for each group of rows; unknown where a group is empty."""

    majority: Share | None
    cases: Share | None
    synthetic: Share | None


Shares = tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...]


class NumericMarginal(Strict):
    """Histograms of a numeric column over the same ``edges``: share of the rows with a value that fall into each bin.

    ``distance`` is the Kolmogorov-Smirnov distance between the real and the synthetic cases.
    """

    column: str
    label: str
    unit: str | None
    kind: Literal["numeric"]
    edges: tuple[Number, ...]
    majority: Shares
    cases: Shares
    synthetic: Shares
    missing: ByGroup
    distance: Share | None

    @model_validator(mode="after")
    def _agree(self) -> NumericMarginal:
        _same_lengths(len(self.edges) - 1, self.majority, self.cases, self.synthetic)
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
    majority: Shares
    cases: Shares
    synthetic: Shares
    missing: ByGroup
    distance: Share | None

    @model_validator(mode="after")
    def _agree(self) -> LevelsMarginal:
        _same_lengths(len(self.levels), self.majority, self.cases, self.synthetic)
        return self


Marginal = Annotated[NumericMarginal | LevelsMarginal, Field(discriminator="kind")]


class SyntheticFacts(Strict):
    """The synthetic cases: how many, whether they pass, how they compare with real ones."""

    n: Count
    gates: tuple[Gate, ...]
    marginals: tuple[Marginal, ...]


class Curve(Strict):
    """A calibration curve: per bin of predicted risk the mean prediction, the observed share of events, its interval, the rows."""

    predicted: tuple[Share, ...]
    observed: tuple[Share, ...]
    low: tuple[Share | None, ...]
    high: tuple[Share | None, ...]
    n: tuple[Count, ...]

    @model_validator(mode="after")
    def _agree(self) -> Curve:
        _same_lengths(len(self.predicted), self.observed, self.low, self.high, self.n)
        return self


Scores = dict[Metric, Estimate]
ArmScores = dict[Arm, dict[Classifier, dict[Variant, Scores]]]


class EvaluationFacts(Strict):
    """How the arms compare.

    Attributes:
        arms: cross-validation on the training part, whole chain inside each fold.
        holdout: the same measures on the test part; empty where there is none.
        differences: recalibrated arm less recalibrated ``none``, paired over the same subjects, cross-validation.
        curves: calibration curves of the cross-validated predictions.
        folds, repeats, bootstrap: of the cross-validation, and the resamples behind each interval.
        thresholds: how the alert threshold was set and what else a reader must know, as name and text.
    """

    arms: ArmScores
    holdout: ArmScores
    differences: dict[Arm, dict[Classifier, Scores]]
    curves: dict[Arm, dict[Classifier, dict[Variant, Curve]]]
    folds: Count
    repeats: Count
    bootstrap: Count
    thresholds: dict[str, str | Number | None]


class Difference(Strict):
    """The paired difference that decided."""

    metric: Metric
    value: Number | None
    low: Number | None
    high: Number | None


class Recommendation(Strict):
    """Which arm and classifier to deploy, why, and by what rule."""

    arm: Arm
    classifier: Classifier
    reason: str
    rule: str
    difference: Difference | None


class StageFacts(Strict):
    """One stage of the run, and whether an earlier run's result was reused."""

    name: str
    seconds: Seconds | None
    cached: bool


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
    """All of report.json. A refused extract (``status`` invalid) has no training, synthetic, evaluation or recommendation."""

    schema_version: Literal[1]
    study: str
    title: str | None
    run_id: str
    created_at: str
    status: Status
    warnings: tuple[str, ...]
    cohort: CohortFacts
    validation: ValidationFacts
    training: TrainingFacts | None
    synthetic: SyntheticFacts | None
    evaluation: EvaluationFacts | None
    recommendation: Recommendation | None
    lineage: Lineage

    @model_validator(mode="after")
    def _consistent(self) -> Report:
        if (self.status == "invalid") == self.validation.passed:
            raise ValueError("status must be 'invalid' exactly where validation.passed is false")
        gates = [gate.verdict for gate in self.synthetic.gates] if self.synthetic else []
        if self.status in ("pass", "warn") and "fail" in gates:
            raise ValueError(f"status is '{self.status}', but a gate failed")
        if self.recommendation and self.evaluation and self.recommendation.arm not in self.evaluation.arms:
            raise ValueError(f"recommendation.arm '{self.recommendation.arm}' is not among evaluation.arms")
        return self


def _same_lengths(expected: int, *columns: tuple[object, ...]) -> None:
    if any(len(column) != expected for column in columns):
        raise ValueError(f"lists that belong together must have one length; expected {expected}, got {[len(c) for c in columns]}")
