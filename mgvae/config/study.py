"""cohort.yaml as a typed, frozen model: with sections.py the only defaults."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from mgvae.config.attrition import AttritionStep
from mgvae.config.card import Card
from mgvae.config.conditions import columns_of
from mgvae.config.dictionary import Dictionary, read_dictionary
from mgvae.config.drift import Drift
from mgvae.config.follow_up import check_follow_up
from mgvae.config.formats import plain_name
from mgvae.config.gates import Gates
from mgvae.config.promotion import Promotion
from mgvae.config.reviews import Reviews, count_reviews, refuse_open
from mgvae.config.sections import Evaluation, Findings, Outcome, Split, Synthesis, Training
from mgvae.config.stability import Instability, LearningCurve
from mgvae.config.strict import Strict, build, require_one_study
from mgvae.config.yaml_reader import parse_yaml, read_yaml
from mgvae.errors import ConfigError, nearest

PlacedStage = Literal[
    "validate",
    "split",
    "encode",
    "pretrain",
    "finetune",
    "synthesise",
    "assess",
    "evaluate",
    "model",
    "explain",
    "instability",
    "learning_curve",
    "subgroups",
]
NOT_PRIVATE = ("vae", "mgvae_no_pretraining")  # arms whose generator learns everything from the cases
Pool = Literal["cpu", "gpu"]
PARENT = "parent_id"  # the column of synthetic rows that names the patient from whom each was translated


class CohortConfig(Strict):
    """The whole of cohort.yaml.

    Attributes:
        study: short name, also the name of the folder of its runs.
        title: headline of the report.
        extract: path, glob or fsspec URL of the table: CSV, Parquet, SPSS, SAS or Stata, one file or a folder of parts. A
            relative path is relative to cohort.yaml.
        separator: what stands between the columns of a CSV file, such as ``";"``, ``"|"`` or ``tab``; a comma if absent, a tab
            in files called .tsv.
        encoding: the encoding of a CSV file, such as ``cp1252`` or ``utf-16``; UTF-8 if absent.
        subject_id: column with one distinct value per row; null if the extract has none: each row is then a subject, identified
            by its row number, and several rows of one patient cannot be recognised.
        group: column that groups subjects (family, site, matched set); a group is never split between training and test.
        index_date: date column at which the prediction is made.
        lookback_days: days before the index date from which predictors come; for the report only.
        horizon_days: days after the index date in which the outcome counts; for the report only, unless
            ``outcome.follow_up`` says how long patients were followed.
        outcome, split, training, synthesis, evaluation, gates, instability, learning_curve, drift, promotion, findings: a
            section of its own, see below.
        columns: the data dictionary, inline. Usually the key ``dictionary`` stands instead: the path of its file, relative to
            cohort.yaml.
        stages: stages that run on workers of another pool, such as ``{pretrain: gpu, finetune: gpu}``; all others run in the
            process of the run. Placement changes no result and no digest.
        attrition: the steps from event tables to this extract, as `mgvae build` writes them; for the report only.
        card: what the authors say of the study, for documents only; a section of its own, see below.
        reviews: the open review lines of the draft; counted in the files, whatever stands here.
        seed: seed of all random draws.
    """

    study: str
    extract: str
    subject_id: str | None
    outcome: Outcome
    columns: Dictionary
    title: str | None = None
    separator: str | None = None
    encoding: str | None = None
    group: str | None = None
    index_date: str | None = None
    lookback_days: int | None = Field(default=None, gt=0)
    horizon_days: int | None = Field(default=None, gt=0)
    split: Split = Split()
    training: Training = Training()
    synthesis: Synthesis = Synthesis()
    evaluation: Evaluation = Evaluation()
    gates: Gates = Gates()
    instability: Instability = Instability()
    learning_curve: LearningCurve = LearningCurve()
    drift: Drift = Drift()
    promotion: Promotion = Promotion()
    findings: Findings = Findings()
    stages: dict[PlacedStage, Pool] = Field(default_factory=dict)
    attrition: tuple[AttritionStep, ...] = ()
    card: Card | None = None
    reviews: Reviews = Reviews()
    seed: int = Field(default=0, ge=0, lt=2**32)

    @field_validator("study")
    @classmethod
    def _plain_name(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", value):
            raise ValueError("must be 1 to 64 letters, digits, '-' or '_', beginning with a letter or digit: it names a folder")
        return value

    @field_validator("separator")
    @classmethod
    def _one_character(cls, value: str | None) -> str | None:
        value = "\t" if value in ("tab", "\\t") else value
        if value is not None and (len(value) != 1 or value.isalnum() or value in '"\r\n. +-' or not value.isascii()):
            raise ValueError("must be the one character between columns: ',', ';', '|' or tab; leave it out for a comma")
        return value

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str | None) -> str | None:
        try:
            if value is not None:
                codecs.getincrementaldecoder(value)()
                "".encode(value)  # refuses codecs that are no encoding of text, such as rot13
        except (LookupError, TypeError):
            raise ValueError("must be an encoding of text, such as utf-8, cp1252, iso8859-2, utf-16") from None
        return value

    @field_validator("subject_id", "group", "index_date")
    @classmethod
    def _plain_column(cls, value: str | None) -> str | None:
        return None if value is None else plain_name(value)

    @model_validator(mode="before")
    @classmethod
    def _privacy_of_training(cls, values: Any) -> Any:
        """Move ``privacy``, which stands at the top of cohort.yaml, to the generator's settings."""
        if not isinstance(values, dict) or "privacy" not in values:
            return values
        privacy, training = values["privacy"], values.get("training", {})
        if not isinstance(training, dict) or training.get("privacy") not in (None, privacy):
            raise ValueError("privacy must stand once, at the top; take it out of 'training'")
        return {key: value for key, value in values.items() if key != "privacy"} | {"training": training | {"privacy": privacy}}

    @model_validator(mode="after")
    def _private_arms_have_a_majority(self) -> CohortConfig:
        if self.training.privacy is not None and self.synthesis.repair is not None:
            raise ValueError("with privacy nobody may look which rows are near a case; leave out synthesis.repair")
        others = [arm for arm in self.evaluation.arms if arm in NOT_PRIVATE]
        if self.training.privacy is not None and others:
            raise ValueError(
                "with privacy a generator must start from the majority, the only rows it may read freely; "
                f"take arm '{others[0]}' out of evaluation.arms"
            )
        return self

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
        used = {key: getattr(self, key) for key in roles}
        used |= {"outcome.column": self.outcome.column, "outcome.follow_up": self.outcome.follow_up}
        for key, name in used.items():
            if name in self.columns.features:
                remedy = f"give it the role '{roles.get(key, 'excluded')}'"
                raise ValueError(f"{key} '{name}' must not be a feature; {remedy} in the data dictionary")
        if PARENT in (*self.columns.features, self.outcome.column):
            raise ValueError(
                f"no predictor or outcome may be called '{PARENT}': synthetic rows carry the id of their parent under that "
                f"name; rename the column in the extract, or exclude it"
            )
        return self

    @model_validator(mode="after")
    def _follows_patients_to_a_horizon(self) -> CohortConfig:
        if self.outcome.follow_up is not None:
            check_follow_up(self.outcome, self.horizon_days, self.columns)
        return self

    @model_validator(mode="after")
    def _rules_name_what_is_read(self) -> CohortConfig:
        read = {name for name, _ in self.columns.with_role("feature", "subgroup")} | {self.outcome.column, self.index_date}
        for rule in self.columns.rules:
            other = next((name for name in columns_of(rule.bound(self.columns.columns)) if name not in read), None)
            if other is not None:
                role = " and ".join(self.columns[other].role)
                raise ValueError(
                    f"rule '{rule.text}' must name features, subgroups, the outcome and the index date; the role of "
                    f"'{other}' is {role}, and its cells are not read as values. Change the role, or take the rule out"
                )
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
    path: Path,
    *,
    settings: tuple[str, ...] = (),
    extract: str | None = None,
    seed: int | None = None,
    allow: Callable[[Path], None] | None = None,
    strict: bool = False,
) -> CohortConfig:
    """Return the configuration in ``path``, changed by the command line's options.

    Args:
        path: cohort.yaml.
        settings: ``key=value`` texts; the key may be dotted (``training.latent_dim=8``), the value is read as YAML.
        extract: path or URL that replaces the configured one; relative to the working folder.
        seed: replaces the configured seed.
        allow: called with the path of the data dictionary before it is read; raises where it may not be read.
        strict: whether open review lines are refused.
    Raises:
        ConfigError: the file or an option is wrong, or a review line is open and ``strict``.
    """
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: must be a mapping of keys to values; got {type(values).__name__}.")
    require_one_study(values, str(path))
    files = [path, *([path.parent / str(values["dictionary"])] if values.get("dictionary") is not None else [])]
    values = _with_dictionary(values, path, allow)
    if strict:
        refuse_open(files)
    if extract is not None:
        values["extract"] = _located(extract, Path.cwd())
    elif "extract" in values:
        values["extract"] = _located(values["extract"], path.parent)
    if seed is not None:
        values["seed"] = seed
    for setting in settings:
        _apply(values, setting)
    values["reviews"] = count_reviews(file.read_text(encoding="utf-8") for file in files).model_dump()
    return build(CohortConfig, values, source=str(path))


def _with_dictionary(values: dict[str, Any], path: Path, allow: Callable[[Path], None] | None) -> dict[str, Any]:
    values = dict(values)
    reference = values.pop("dictionary", None)
    if reference is not None and "columns" in values:
        raise ConfigError(f"{path}: give either 'dictionary' (a file) or 'columns' (inline), not both.")
    if reference is not None and "rules" in values:
        raise ConfigError(f"{path}: 'rules' must stand in the data dictionary, {reference}; move them there.")
    if reference is not None:
        place = path.parent / str(reference)
        if allow is not None:
            allow(place)
        values["columns"] = read_dictionary(place).model_dump(exclude_unset=True)
    elif "columns" in values:
        inline = {"columns": values["columns"], "rules": values.pop("rules", ())}
        values["columns"] = inline if inline["rules"] else {"columns": values["columns"]}
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
        value = parse_yaml(text, source="--set")
    except ConfigError:
        raise ConfigError(f"--set {setting}: the value must be YAML, for example 8, true, [none, mgvae].") from None
    *parents, last = key.strip().split(".")
    place = values
    for parent in parents:
        below = place.setdefault(parent, {})
        if not isinstance(below, dict):
            raise ConfigError(f"--set {setting}: '{parent}' is a single value and has no keys below it.")
        place[parent] = place = dict(below)
    place[last] = value
