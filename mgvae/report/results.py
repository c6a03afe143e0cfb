"""The contract of report.json, second half: training, synthetic cases, evaluation, recommendation."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from mgvae.config.sections import Arm, Classifier
from mgvae.config.strict import Strict


def _snapped(value: object) -> object:
    """Return a share that rounding put a hair outside 0..1 as 0 or 1; anything else as it is."""
    if isinstance(value, float) and -1e-9 < value < 1 + 1e-9:
        return min(max(value, 0.0), 1.0)
    return value


Number = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, BeforeValidator(_snapped), Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Amounts = tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...]
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
    "specificity",
    "ppv",
]


class Estimate(Strict):
    """A value with its interval; any of the three may be unknown."""

    value: Number | None
    low: Number | None = None
    high: Number | None = None


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
    seconds: Seconds | None
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
    """One demand on the synthetic cases: what was measured, against which threshold, and the verdict.

    ``threshold`` is a limit, or the lowest and the highest tolerable value; ``rule`` says in words which side is good.
    """

    name: str
    label: str
    value: Number | None
    low: Number | None
    high: Number | None
    threshold: Number | tuple[Number, Number] | None
    rule: str = ""
    verdict: Verdict
    detail: str


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
    majority: Amounts
    cases: Amounts
    synthetic: Amounts
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
    """A calibration curve: per bin of predicted risk the mean prediction, the observed share of events, its interval, the rows.

    ``n`` counts a subject once, however often it was predicted; so it need not be whole.
    """

    predicted: tuple[Share, ...]
    observed: tuple[Share, ...]
    low: tuple[Share | None, ...]
    high: tuple[Share | None, ...]
    n: Amounts

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
        unavailable: arms that could not be run, and why.
    """

    arms: ArmScores
    holdout: ArmScores
    differences: dict[Arm, dict[Classifier, Scores]]
    curves: dict[Arm, dict[Classifier, dict[Variant, Curve]]]
    folds: Count
    repeats: Count
    bootstrap: Count
    thresholds: dict[str, str | Number | None]
    unavailable: dict[Arm, str] = Field(default_factory=dict)


class Difference(Strict):
    """The paired difference that decided.

    Attributes:
        value, low, high: of the arm less no correction.
        arm, classifier: whose difference it is: the recommended arm's, or the best challenger's where none is recommended.
        family_low: the lower limit that holds for all arms compared at once.
    """

    metric: Metric
    value: Number | None
    low: Number | None
    high: Number | None
    arm: Arm | None = None
    classifier: Classifier | None = None
    family_low: Number | None = None


class Recommendation(Strict):
    """Which arm and classifier to deploy, why, and by what rule.

    ``barred`` names the arms that must not be recommended, and why; ``threshold`` says where to cut the probabilities.
    """

    arm: Arm
    classifier: Classifier
    reason: str
    rule: str
    difference: Difference | None
    barred: dict[Arm, str] = Field(default_factory=dict)
    threshold: dict[str, str | Number | None] = Field(default_factory=dict)


def _same_lengths(expected: int, *columns: tuple[object, ...]) -> None:
    if any(len(column) != expected for column in columns):
        raise ValueError(
            f"lists that belong together must have one length; expected {expected}, got {[len(c) for c in columns]}"
        )
