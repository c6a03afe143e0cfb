"""The sections of cohort.yaml, each with its defaults."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, StrictBool, field_validator, model_validator

from mgvae.config.classifiers import Classifier as Classifier  # also by this module's name
from mgvae.config.classifiers import ImportPath, MLPLoss, names_and_paths, require_known
from mgvae.config.dictionary import Level, canonical
from mgvae.config.formats import plain_name
from mgvae.config.privacy import Privacy
from mgvae.config.strict import Strict
from mgvae.findings import kind_of

Arm = Literal[
    "none",
    "class_weight",
    "threshold",
    "random_oversampling",
    "smote",
    "vae",
    "mgvae_no_pretraining",
    "mgvae_no_ewc",
    "mgvae",
    "guided",
]


class Outcome(Strict):
    """What is to be predicted.

    Attributes:
        column: the column that holds the outcome. Rows without an outcome are not eligible.
        event: the value that means "the event happened"; every other value means that it did not.
        expected_prevalence: lowest and highest plausible share of events; validation fails outside this range.
        label: name of the outcome in the report; the column's name if absent.
        follow_up: column of the days from the index date to the event, or to the end of follow-up. Then the outcome is whether
            the event happened within ``horizon_days``. It is unknown of a patient whose follow-up ended before; the others
            stand for these by inverse-probability-of-censoring weights, never "no event".
        competing: with ``follow_up``: levels of the outcome after which the event cannot happen any more, such as another
            death; it is then known that it did not.
    """

    column: str
    event: Level = 1
    expected_prevalence: tuple[float, float] = (0.0, 0.5)
    label: str | None = None
    follow_up: str | None = None
    competing: tuple[Level, ...] = ()

    @field_validator("column", "follow_up")
    @classmethod
    def _plain_column(cls, value: str | None) -> str | None:
        return None if value is None else plain_name(value)

    @model_validator(mode="after")
    def _competes_in_time(self) -> Outcome:
        if self.competing and self.follow_up is None:
            raise ValueError("competing needs follow_up: the column that says when")
        if canonical(self.event) in map(canonical, self.competing):
            raise ValueError("competing must not name the event itself")
        return self

    @field_validator("expected_prevalence")
    @classmethod
    def _interval(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= value[0] < value[1] <= 1:
            raise ValueError("must be two shares, 0 <= low < high <= 1")
        return value


class Split(Strict):
    """How the test part is held out. Subjects of one group always stay on one side.

    Attributes:
        method: random (stratified by the outcome), temporal (the latest index dates are the test part: a model is used on
            patients who come after those that it learned from), or auto: temporal where the study has an index date that can
            be split, else random.
        test_fraction: share of the eligible subjects in the test part.
        window: which random hold-out: each next one replaces a quarter of the one before. The nightly run moves it on by the
            rule in `promotion.most_nights`, if that is further than what stands here.
    """

    method: Literal["auto", "random", "temporal"] = "auto"
    test_fraction: float = Field(default=0.25, ge=0.05, le=0.5)
    window: int = Field(default=0, ge=0)


class Training(Strict):
    """How the generator is trained; epochs are upper bounds for early stopping.

    Attributes:
        latent_dim: D, the size of a code.
        hidden: width of each hidden layer, encoder and decoder alike.
        batch_size: rows in a pre-training step.
        pretrain_epochs: maximum passes over the majority rows; "auto" makes about 2,000 steps, in 10 to 200 passes.
        finetune_epochs: maximum passes over the minority rows; of more than 5,120, as many as make 8,000 steps, at least 10.
        learning_rate: Adam's learning rate in pre-training, with cosine decay.
        finetune_learning_rate: Adam's learning rate in fine-tuning, constant.
        warmup_fraction: share of pre-training over which the weight of the KL term grows from 0 to 1.
        patience: epochs without a better held-out ELBO after which pre-training stops.
        finetune_patience: the same for fine-tuning.
        heldout_fraction: share of the majority rows held out for early stopping.
        exemplars: number of majority rows, drawn anew each epoch, that form the mixture prior; "all" for the exact mixture.
        exemplar_weights: tilted (exemplars that resemble the cases weigh more in fine-tuning and translation, see
            mgvae/training/exemplar_weights.py) or uniform (as published).
        plausibility: matched (of more translations than needed, keep those that differ from the majority as real cases do, see
            mgvae/generator/plausibility.py), stacked (the same by judges whose weights are learned), filtered (drop those that
            look less like a case than nearly all real cases) or none.
        posterior_variance: free (each code has its own variance) or tied (all have that of the prior).
        leave_one_out: whether a row is left out of its own prior.
        ewc_lambda: weight of the EWC penalty on the normalised Fisher, or "auto": chosen by held-out minority ELBO.
        ewc_grid: the weights that "auto" tries.
        device: auto, cpu or cuda.
        processes: among which stage pretrain divides each step: with device cuda one a card, else one a core. The result is the
            same up to rounding. The evaluation's folds train in one process each, many at a time.
        privacy: differential privacy of the generator for the rare cases; in cohort.yaml it stands at the top, as
            ``privacy: {epsilon: 5, delta: 1e-5}``. Then ``plausibility`` is none and ``ewc_lambda`` "auto" is 10. null: none.
    """

    latent_dim: int = Field(default=10, ge=1)
    hidden: tuple[int, ...] = (128, 128)
    batch_size: int = Field(default=128, ge=2)
    pretrain_epochs: int | Literal["auto"] = "auto"
    finetune_epochs: int = Field(default=200, ge=1)
    learning_rate: float = Field(default=4e-3, gt=0)
    finetune_learning_rate: float = Field(default=1e-3, gt=0)
    warmup_fraction: float = Field(default=0.1, ge=0, le=0.9)
    patience: int = Field(default=10, ge=1)
    finetune_patience: int = Field(default=15, ge=1)
    heldout_fraction: float = Field(default=0.15, gt=0, lt=0.5)
    exemplars: int | Literal["all"] = 2000
    exemplar_weights: Literal["tilted", "uniform"] = "tilted"
    plausibility: Literal["matched", "stacked", "filtered", "none"] = "matched"
    posterior_variance: Literal["free", "tied"] = "free"
    leave_one_out: StrictBool = True
    ewc_lambda: float | Literal["auto"] = 10.0
    ewc_grid: tuple[float, ...] = (1.0, 10.0, 100.0)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    processes: int = Field(default=1, ge=1)
    privacy: Privacy | None = None

    @field_validator("ewc_lambda", "ewc_grid")
    @classmethod
    def _not_negative(cls, value: float | str | tuple[float, ...]) -> float | str | tuple[float, ...]:
        weights = value if isinstance(value, tuple) else (value,)
        if not weights or any(not isinstance(weight, str) and weight < 0 for weight in weights):
            raise ValueError("a weight must be 0 (no anchor) or a positive number")
        return value

    @field_validator("exemplars", "pretrain_epochs", "hidden")
    @classmethod
    def _positive(cls, value: int | str | tuple[int, ...]) -> int | str | tuple[int, ...]:
        numbers = value if isinstance(value, tuple) else (value,)
        if not numbers or any(not isinstance(number, str) and number < 1 for number in numbers):
            raise ValueError("must be 1 or more")
        return value


class Synthesis(Strict):
    """How many synthetic cases are made, and which are dropped.

    Attributes:
        prevalence: share of cases in the training rows with synthetic cases; 0.5 balances the classes.
        repair: drop cases within this share of a patient's distance to the nearest other, and those that break a rule, see
            mgvae/generator/repair.py; ``true`` for 0.33, as ``gates.near_copies``; null: none.
    """

    prevalence: float = Field(default=0.5, gt=0, le=0.5)
    repair: float | None = Field(default=None, gt=0, le=1)

    @field_validator("repair", mode="before")
    @classmethod
    def _switched(cls, value: object) -> object:
        return {True: 0.33, False: None}[value] if isinstance(value, bool) else value


class Evaluation(Strict):
    """How the arms are compared.

    Attributes:
        arms: ways to treat the imbalance; "none" must be among them. "guided" adds no rows: it averages each classifier's log
            odds with the majority-guided score, see mgvae/classifiers/majority_direction.py.
        classifiers: downstream models: logistic_regression, elastic_net, hist_gradient_boosting, random_forest, mlp,
            majority_guided, ensemble (the mean log odds of logistic regression and boosting), or your own with its import
            path, as in ``[logistic_regression, {tabpfn: "mypackage:make"}]``; or a mapping, null for one that is built in.
        own_classifiers: names and import paths of your own; filled in from ``classifiers``.
        mlp_loss: what the MLP minimises: cross_entropy, focal, ldam or class_balanced, see mgvae/classifiers/losses.py.
        folds: folds of the grouped stratified cross-validation on the training part.
        repeats: number of cross-validations, each with other folds.
        bootstrap: bootstrap resamples (of whole groups) behind each interval.
        decision_thresholds: lowest and highest risk at which a decision may be taken, between 0 and 1. The report gives the
            mean net benefit over this range; null: from half to four times the training prevalence.
        deployment_prevalence: share of events where the model will be used; the positive predictive value is restated for it.
            null: not restated.
        relevant_gain: gain in AUROC over no correction from which a correction would matter. A study that would have found it
            and did not says "no gain"; one that could not says "cannot tell".
        majority_rows: most patients without the event that a fit learns from, beside all events: a random sample of whole
            groups, drawn anew for each fit, whose probabilities are moved back to the prevalence of all. It holds for every fit
            of a study, the generator's and the final model's included; every patient is still tested. null: all.
    """

    arms: tuple[Arm, ...] = ("none", "class_weight", "threshold", "random_oversampling", "smote", "mgvae", "guided")
    classifiers: tuple[Classifier, ...] = ("logistic_regression", "hist_gradient_boosting")
    own_classifiers: dict[Classifier, ImportPath] = Field(default_factory=dict)
    mlp_loss: MLPLoss = "cross_entropy"
    folds: int = Field(default=5, ge=2)
    repeats: int = Field(default=2, ge=1)
    bootstrap: int = Field(default=500, ge=50)
    decision_thresholds: tuple[float, float] | None = None
    deployment_prevalence: float | None = Field(default=None, gt=0, lt=1)
    relevant_gain: float = Field(default=0.02, gt=0, lt=0.5)
    majority_rows: int | None = Field(default=None, ge=100)

    @model_validator(mode="before")
    @classmethod
    def _paths_by_name(cls, values: Any) -> Any:
        """Move the import paths that stand in ``classifiers`` to ``own_classifiers``."""
        return names_and_paths(values) if isinstance(values, dict) else values

    @field_validator("arms", "classifiers")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or len(set(value)) < len(value):
            raise ValueError("must name at least one, each once")
        return value

    @field_validator("decision_thresholds")
    @classmethod
    def _rising(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not 0 < value[0] < value[1] < 1:
            raise ValueError("must be null or two risks, 0 < low < high < 1")
        return value

    @model_validator(mode="after")
    def _has_reference(self) -> Evaluation:
        if "none" not in self.arms:
            raise ValueError("arms must include 'none': every other arm is judged against it")
        return self

    @model_validator(mode="after")
    def _knows_classifiers(self) -> Evaluation:
        require_known(self.classifiers, self.own_classifiers)
        return self


class Findings(Strict):
    """How findings are treated.

    Attributes:
        mute: code of a finding -> why it may pass, such as ``{MGV203: "a pilot"}``. A muted finding is reported with its reason
            and does not count.
    """

    mute: dict[str, str] = Field(default_factory=dict)

    @field_validator("mute")
    @classmethod
    def _reasoned(cls, value: dict[str, str]) -> dict[str, str]:
        for code, reason in value.items():
            kind_of(code)
            if not reason.strip():
                raise ValueError(f"{code} must have a reason, which the report and the audit log keep; got empty text")
        return value
