"""The file of a model in use: all that its predictions need, without pickle and without a patient's row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from mgvae.classifiers.deployed import DeployedModel, content_of, model_from
from mgvae.cohort.files import load_cohort
from mgvae.config.strict import Strict, build
from mgvae.config.study import CohortConfig
from mgvae.errors import CheckpointError, ConfigError, DamagedArtifactError, reason_of
from mgvae.prediction.bins import ColumnBins, fit_bins
from mgvae.prediction.reference import invent_reference
from mgvae.report.schema import Report
from mgvae.reproducibility import derive
from mgvae.results.numbers import Count, Number
from mgvae.results.recommendation import RECOMMENDATION, Answer, Recommendation
from mgvae.store.artifact import MANIFEST, digest, digest_file

MODEL, CARD = "model.json", "model_card.md"
UPDATES = "models"  # the folder beside a study's runs that holds updated versions
FORMAT: Literal[1] = 1
AGAIN = "Run the study again (mgvae run): what is missing or damaged is made anew."
UpdateKind = Literal["intercept", "slope", "refit"]


class ModelUpdate(Strict):
    """How a version of a model came from the one before.

    Attributes:
        kind: intercept (recalibrated in the large), slope (level and slope), or refit (fitted on the new patients alone).
        parent, parent_sha256: the version before, and the digest of its file.
        why, who, when: a person's reason and name, and ISO text in UTC.
        extract_sha256, n, events: the patients whose outcomes it learned from.
    """

    kind: UpdateKind
    parent: str
    parent_sha256: str
    why: str
    who: str
    when: str
    extract_sha256: str
    n: Count
    events: Count


class ModelFile(Strict):
    """The content of a model's file.

    Attributes:
        format: of this file.
        study, run_id: whose model it is.
        version: the run's name; an update adds ``+1``, ``+2``.
        created_at: when the run or the update was made, ISO text in UTC.
        code_version: of the program that made it.
        answer: what the run recommends; with deploy_none its predictions are no better than the prevalence.
        threshold: risk from which a patient is an alert.
        patients, events: whom it was fitted on.
        split_sha256: digest of the artifact that holds the run's patients, for the case mix of other patients.
        settings: the study's settings and data dictionary, less where the extract lies.
        model: see `mgvae.classifiers.deployed.content_of`.
        reference: invented patients for explanations, see `mgvae.prediction.reference`; None where an earlier version made it.
        bins: the training patients counted by predictor, for monitoring; None where an earlier version made it.
        update: None for the run's own model.
        sha256: digest of all the rest.
    """

    format: Literal[1] = FORMAT
    study: str
    run_id: str
    version: str
    created_at: str
    code_version: str
    answer: Answer
    threshold: Number
    patients: Count
    events: Count
    split_sha256: str
    settings: dict[str, Any]
    model: dict[str, Any]
    reference: dict[str, list[float | str | None]] | None = None
    bins: dict[str, ColumnBins] | None = None
    update: ModelUpdate | None = None
    sha256: str = Field(default="")

    @property
    def deployed(self) -> DeployedModel:
        """The model.

        Raises:
            CheckpointError: it is incomplete or of another format.
        """
        try:
            return model_from(self.model)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise CheckpointError(f"A model must be complete; {type(error).__name__}. {AGAIN}") from None

    @property
    def config(self) -> CohortConfig:
        """The study's settings; those that another version had besides are left out.

        Raises:
            CheckpointError: this version cannot read them.
        """
        try:
            return build(CohortConfig, {**_known(self.settings), "extract": "(not kept)"}, source=MODEL)
        except ConfigError:
            raise CheckpointError(f"{MODEL}: must hold settings that this version can read; another made it. {AGAIN}") from None


def _known(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that this version has; a prediction needs none of the others."""
    fields = CohortConfig.model_fields
    sections = {name: field.annotation for name, field in fields.items() if hasattr(field.annotation, "model_fields")}
    kept = {name: value for name, value in settings.items() if name in fields}
    for name, section in sections.items():
        if name != "columns" and isinstance(kept.get(name), dict):
            known = getattr(section, "model_fields")  # noqa: B009 - of a pydantic model
            kept[name] = {key: value for key, value in kept[name].items() if key in known}
    return kept


def model_of_run(config: CohortConfig, report: Report, made: Path, split: Path) -> ModelFile:
    """Return the file of a run's model.

    Args:
        config: the study.
        report: of the run.
        made: what stage model wrote.
        split: what stage split wrote.
    """
    cohort, test = load_cohort(split)
    training = cohort.take(~test).features
    chosen = Recommendation.model_validate_json((made / RECOMMENDATION).read_bytes())
    cut = chosen.threshold.get("value")
    return ModelFile(
        study=config.study,
        run_id=report.run_id,
        version=report.run_id,
        created_at=report.created_at,
        code_version=report.lineage.code_version,
        answer=chosen.answer,
        threshold=float(cut) if isinstance(cut, int | float) else report.cohort.prevalence or 0.5,
        patients=report.cohort.n or 0,
        events=report.cohort.events or 0,
        split_sha256=report.lineage.artifacts["split"],
        settings=settings_of(config),
        model=json.loads((made / MODEL).read_text(encoding="utf-8")),
        reference=invent_reference(training, seed=derive(config.seed, "explain")),
        bins=fit_bins(training),
    )


def settings_of(config: CohortConfig) -> dict[str, Any]:
    """Return a study's settings, less where its extract lies, which may hold a signature."""
    return config.model_dump(mode="json", exclude={"extract", "stages"})


def text_of(file: ModelFile) -> str:
    """Return the text of a model's file, with its digest."""
    content = file.model_dump(mode="json", exclude={"sha256"})
    return json.dumps({**content, "sha256": digest(content)}, indent=None, allow_nan=False, ensure_ascii=False)


def with_model(file: ModelFile, model: DeployedModel, **changes: Any) -> ModelFile:
    """Return a file with another model and other entries."""
    return file.model_copy(update={"model": content_of(model), "sha256": "", **changes})


def read_model_file(path: Path) -> ModelFile:
    """Return the content of a model's file.

    Raises:
        ConfigError: there is no such file.
        CheckpointError: it is no model, or of a format that this version does not know.
        DamagedArtifactError: its content is not what its digest says.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        stated = content.pop("sha256")
        known = content.get("format") == FORMAT
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigError(
            f"{path}: no such file. Give a run folder, such as runs/nafld/latest. The runs of an earlier version have no "
            "model's file: run the study again, which takes seconds where all stages are kept."
        ) from None
    except OSError as error:
        raise ConfigError(f"{path}: must be readable; {reason_of(error)}.") from None
    except (ValueError, LookupError, AttributeError, TypeError, RecursionError):
        raise CheckpointError(f"{path}: must be the file of a model; it is none, or damaged. {AGAIN}") from None
    if not known:
        raise CheckpointError(f"{path}: must have format {FORMAT}; another version made it. {AGAIN}")
    if digest(content) != stated:
        raise DamagedArtifactError(f"{path}: must have the content that its digest names; it was changed. {AGAIN}")
    try:
        return ModelFile(**content, sha256=stated)
    except ValidationError:
        raise CheckpointError(f"{path}: must be a complete model's file; it is not. {AGAIN}") from None


def read_from_run(run: Path) -> ModelFile:
    """Return the model in a run folder, after comparing its file with the run's manifest.

    Raises:
        ConfigError: there is none.
        CheckpointError: it cannot be read.
        DamagedArtifactError: it is not the file that the run wrote.
    """
    file = read_model_file(run / MODEL)
    try:
        files = json.loads((run / MANIFEST).read_text(encoding="utf-8"))["files"]
        same = files[MODEL] == digest_file(run / MODEL)
    except (OSError, ValueError, LookupError, TypeError):
        same = False
    if not same:
        raise DamagedArtifactError(f"{run / MODEL}: must be the file that {MANIFEST} names; it was changed. {AGAIN}")
    return file


def updated_path(run: Path, version: str) -> Path:
    """Return where an updated version of a run's model lies."""
    return run.resolve().parent / UPDATES / f"{version}.json"


def versions_of(run: Path) -> list[str]:
    """Return the updated versions of a run's model, the oldest first."""
    name = run.resolve().name
    found = [path.stem for path in (run.resolve().parent / UPDATES).glob(f"{name}+*.json")]
    return sorted(found, key=lambda version: int(version.rpartition("+")[2]))
