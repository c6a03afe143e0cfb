"""cohort.yaml as a typed, frozen model. Every key has its default here, and nowhere else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, field_validator, model_validator

from mgvae.dictionary import Dictionary, Level, read_dictionary
from mgvae.errors import ConfigError
from mgvae.strict import Strict, build, nearest, read_yaml

Arm = Literal[
    "none", "class_weight", "threshold", "random_oversampling", "smote", "vae", "mgvae_no_pretraining", "mgvae_no_ewc", "mgvae"
]
Classifier = Literal["logistic_regression", "hist_gradient_boosting"]
Share = Field(gt=0, lt=1)


class Outcome(Strict):
    """What is to be predicted.

    Attributes:
        column: the column that holds it. Rows where it is missing are not eligible.
        event: the value that means "the event happened"; every other value means it did not.
        expected_prevalence: lowest and highest plausible share of events; validation fails outside.
        label: what a reader of the report sees.
    """

    column: str
    event: Level = 1
    expected_prevalence: tuple[float, float] = (0.0, 0.5)
    label: str | None = None

    @field_validator("expected_prevalence")
    @classmethod
    def _interval(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= value[0] < value[1] <= 1:
            raise ValueError("must be two shares, 0 <= low < high <= 1")
        return value


class Split(Strict):
    """How a test part is held apart. Subjects of one group always stay on one side.

    Attributes:
        method: random (stratified by the outcome) or temporal (the latest index dates are the test part).
        test_fraction: share of the eligible subjects.
    """

    method: Literal["random", "temporal"] = "random"
    test_fraction: float = Field(default=0.25, ge=0.05, le=0.5)


class Training(Strict):
    """How the generator is trained. Epochs are upper bounds: early stopping on held-out ELBO ends training sooner.

    Attributes:
        latent_dim: D, the size of a code.
        hidden: width of each hidden layer, encoder and decoder alike.
        batch_size: rows in a pre-training step.
        pretrain_epochs: most passes over the majority rows; "auto" makes about 2,000 steps, in 10 to 200 passes.
        finetune_epochs: most passes over the minority rows.
        learning_rate: Adam's step size in pre-training, annealed by a cosine.
        finetune_learning_rate: the same in fine-tuning, not annealed.
        warmup_fraction: share of pre-training over which the weight of the KL term grows from 0 to 1.
        patience: epochs without a better held-out ELBO after which pre-training stops.
        finetune_patience: the same in fine-tuning.
        heldout_fraction: share of the majority rows that early stopping watches and training never sees.
        exemplars: how many majority rows, drawn anew each epoch, carry the prior; "all" for the exact mixture.
        exemplar_weights: tilted (exemplars that resemble the cases weigh more in fine-tuning and translation, see
            mgvae/tilt.py) or
            uniform (as published).
        plausibility: matched (of more translations than needed, those are kept that differ from the majority as real
            cases do, see mgvae/matching.py), filtered (those that look less like a case than nearly all real cases are
            dropped) or none.
        posterior_variance: free (each row's code has its own spread) or tied (that of the prior, for all).
        leave_one_out: whether a row is left out of its own prior.
        ewc_lambda: weight of the EWC penalty on the normalised Fisher, or "auto": chosen by held-out minority ELBO.
        ewc_grid: the weights that "auto" tries.
        device: auto, cpu or cuda.
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
    plausibility: Literal["matched", "filtered", "none"] = "matched"
    posterior_variance: Literal["free", "tied"] = "free"
    leave_one_out: bool = True
    ewc_lambda: float | Literal["auto"] = 10.0
    ewc_grid: tuple[float, ...] = (1.0, 10.0, 100.0)
    device: Literal["auto", "cpu", "cuda"] = "auto"

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
    """How many synthetic cases are made.

    Attributes:
        prevalence: share of cases after synthetic cases are added to the training rows; 0.5 balances the classes.
    """

    prevalence: float = Field(default=0.5, gt=0, le=0.5)


class Evaluation(Strict):
    """How the arms are compared.

    Attributes:
        arms: ways to treat the imbalance; "none" must be among them.
        classifiers: downstream models.
        folds: folds of the grouped stratified cross-validation on the training part.
        repeats: how often it is repeated with other folds.
        calibration_fraction: share of each training fold held apart, real and at natural prevalence, for recalibration.
        bootstrap: resamples of subjects (whole groups) behind each interval.
        margin: how much worse in AUROC or scaled Brier counts as no worse.
    """

    arms: tuple[Arm, ...] = ("none", "class_weight", "threshold", "random_oversampling", "smote", "mgvae")
    classifiers: tuple[Classifier, ...] = ("logistic_regression", "hist_gradient_boosting")
    folds: int = Field(default=5, ge=2)
    repeats: int = Field(default=2, ge=1)
    calibration_fraction: float = Field(default=0.2, ge=0.1, le=0.5)
    bootstrap: int = Field(default=500, ge=50)
    margin: float = Field(default=0.005, ge=0)

    @field_validator("arms", "classifiers")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or len(set(value)) < len(value):
            raise ValueError("must name at least one, each once")
        return value

    @model_validator(mode="after")
    def _has_reference(self) -> Evaluation:
        if "none" not in self.arms:
            raise ValueError("arms must include 'none': every other arm is judged against it")
        return self


class Gates(Strict):
    """Thresholds of the gates on the synthetic cases; validation/gates.py says what each one measures.

    Attributes:
        separation_warn, separation_fail: least share of the real cases' separation from the majority.
        parent_share_warn, parent_share_fail: largest share of synthetic cases that lie within the majority's own
            nearest-neighbour distance of their parent.
        dcr_low, dcr_high: range of the share of synthetic cases that lie closer to training than to hold-out cases
            (diagnostic). c2st_warn: classifier two-sample AUC above which the report warns (0.5 is not realistic with few
            cases).
    """

    separation_warn: float = Field(default=0.8, ge=0)
    separation_fail: float = Field(default=0.5, ge=0)
    parent_share_warn: float = Field(default=0.05, ge=0, le=1)
    parent_share_fail: float = Field(default=0.25, ge=0, le=1)
    dcr_low: float = Field(default=0.45, ge=0, le=1)
    dcr_high: float = Field(default=0.55, ge=0, le=1)
    c2st_warn: float = Field(default=0.85, ge=0.5, le=1)


class CohortConfig(Strict):
    """The whole of cohort.yaml.

    Attributes:
        study: short name; the run folder is called so.
        title: what the report's head says.
        extract: path, glob or fsspec URL of the table: CSV or Parquet, one file or a folder of parts. A relative path is
            relative to cohort.yaml.
        subject_id: column with one distinct value per row; null where the extract has none: each row is then a subject of its
            own, named by its number, and rows of one patient cannot be told.
        group: column that ties subjects together (family, site, matched set); a group is never split.
        index_date: date column at which the prediction is made.
        lookback_days, horizon_days: what may be seen before the index date, and when the outcome counts; for the report.
        outcome, split, training, synthesis, evaluation, gates: see the classes.
        dictionary: path of the data dictionary, relative to cohort.yaml; or the entries inline under ``columns``.
        seed: the seed of everything that is drawn.
    """

    study: str
    extract: str
    subject_id: str | None
    outcome: Outcome
    columns: Dictionary
    title: str | None = None
    group: str | None = None
    index_date: str | None = None
    lookback_days: int | None = Field(default=None, gt=0)
    horizon_days: int | None = Field(default=None, gt=0)
    split: Split = Split()
    training: Training = Training()
    synthesis: Synthesis = Synthesis()
    evaluation: Evaluation = Evaluation()
    gates: Gates = Gates()
    seed: int = Field(default=0, ge=0, lt=2**32)

    @field_validator("study")
    @classmethod
    def _plain_name(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", value):
            raise ValueError("must be 1 to 64 letters, digits, '-' or '_', beginning with a letter or digit: it names a folder")
        return value

    @model_validator(mode="after")
    def _names_columns(self) -> CohortConfig:
        for key in ("subject_id", "group", "index_date"):
            name = getattr(self, key)
            if name is not None and name not in self.columns:
                raise ValueError(f"{key} names '{name}', which the data dictionary lacks.{nearest(name, self.columns.columns)}")
        if not self.columns.features:
            raise ValueError("the data dictionary must give at least one column the role 'feature'")
        return self

    @model_validator(mode="after")
    def _predicts_from_predictors(self) -> CohortConfig:
        roles = {"subject_id": "identifier", "group": "identifier", "index_date": "excluded"}
        used = {key: getattr(self, key) for key in roles} | {"outcome.column": self.outcome.column}
        for key, name in used.items():
            if name in self.columns.features:
                mend = f"give it the role '{roles.get(key, 'excluded')}'"
                raise ValueError(f"{key} '{name}' must not be a feature; {mend} in the data dictionary")
        return self

    @model_validator(mode="after")
    def _dates_have_an_index(self) -> CohortConfig:
        dates = [name for name, column in self.columns.features.items() if column.kind == "date"]
        if dates and self.index_date is None:
            raise ValueError(f"date feature '{dates[0]}' needs an index_date to be measured from")
        if self.index_date is not None and self.columns[self.index_date].kind != "date":
            raise ValueError(f"index_date '{self.index_date}' must be of kind date in the data dictionary")
        if self.split.method == "temporal" and self.index_date is None:
            raise ValueError("split.method temporal needs an index_date")
        return self


def load_config(
    path: Path, *, settings: tuple[str, ...] = (), extract: str | None = None, seed: int | None = None
) -> CohortConfig:
    """Return the configuration in ``path``, changed by the command line's options.

    Args:
        path: cohort.yaml.
        settings: ``key=value`` texts; the key may be dotted (``training.latent_dim=8``), the value is read as YAML.
        extract: path or URL that replaces the configured one; relative to the working folder.
        seed: replaces the configured seed.
    Raises:
        ConfigError: the file or an option is wrong.
    """
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: must be a mapping of keys to values; got {type(values).__name__}.")
    values = _with_dictionary(values, path)
    if extract is not None:
        values["extract"] = _located(extract, Path.cwd())
    elif "extract" in values:
        values["extract"] = _located(values["extract"], path.parent)
    if seed is not None:
        values["seed"] = seed
    for setting in settings:
        _apply(values, setting)
    return build(CohortConfig, values, where=str(path))


def _with_dictionary(values: dict[str, Any], path: Path) -> dict[str, Any]:
    values = dict(values)
    reference = values.pop("dictionary", None)
    if reference is not None and "columns" in values:
        raise ConfigError(f"{path}: give either 'dictionary' (a file) or 'columns' (inline), not both.")
    if reference is not None:
        values["columns"] = read_dictionary(path.parent / str(reference)).model_dump(exclude_unset=True)
    elif "columns" in values:
        values["columns"] = {"columns": values["columns"]}
    else:
        raise ConfigError(f"{path}: needs 'dictionary' (a file) or 'columns' (inline): what each column of the extract is.")
    return values


def _located(extract: object, folder: Path) -> object:
    if not isinstance(extract, str) or "://" in extract:
        return extract
    return str((folder / extract).resolve())


def _apply(values: dict[str, Any], setting: str) -> None:
    key, separator, text = setting.partition("=")
    if not separator or not key.strip():
        raise ConfigError(f"--set {setting}: must read key=value, for example training.latent_dim=8.")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"--set {setting}: the value must be YAML, for example 8, true, [none, mgvae].") from None
    *parents, last = key.strip().split(".")
    place = values
    for parent in parents:
        below = place.setdefault(parent, {})
        if not isinstance(below, dict):
            raise ConfigError(f"--set {setting}: '{parent}' is a single value and has no keys below it.")
        place[parent] = place = dict(below)
    place[last] = value
