"""Record an updated version of a run's model beside the old one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from flows.runs.audit_log import Change, champions, current_user, opened
from flows.runs.serving import MODEL_FILE
from flows.study.external import NewPatients
from mgvae.classifiers.deployed import DeployedModel
from mgvae.classifiers.recalibration import Recalibration, fit_level, fit_recalibration
from mgvae.errors import ConfigError, StoreError, reason_of
from mgvae.files import scratch_folder
from mgvae.prediction.model_file import (
    ModelFile,
    ModelUpdate,
    UpdateKind,
    read_model_file,
    text_of,
    updated_path,
    versions_of,
    with_model,
)
from mgvae.prediction.predictor import Predictor
from mgvae.results.evaluation import Line

RULE = "A person decided to update the model by mgvae evaluate --update."


def update_model(predictor: Predictor, patients: NewPatients, kind: UpdateKind, why: str) -> ModelFile:
    """Write and return a new version of a model; the version before stays as it is.

    The threshold of alerts stays too: it is a decision on harms and benefits, not an estimate.

    Args:
        predictor: the version before, loaded from its run folder.
        patients: whose outcomes it learns from.
        kind: intercept (recalibrated in the large), slope (level and slope) or refit (arm and classifier fitted anew on these
            patients alone, recalibrated by cross-validation).
        why: the reason, for the file and the audit log.
    Raises:
        ConfigError: no reason, or the model was read without its run.
        OutcomeError: too few events to refit.
        StoreError: the file or the audit log cannot be written.
    """
    why, run = " ".join(why.split()), predictor.run
    if not why:
        raise ConfigError("An update must have a reason: --why TEXT. The model's file and the audit log keep it.")
    if run is None or not run.is_dir():
        raise ConfigError("An update must know the run of the model: give the run folder or the study, not the file alone.")
    model = _updated(predictor.model, patients, kind)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    run = run.resolve()
    with opened(run.parent) as log:
        known = versions_of(run)
        number = 1 + max((int(version.rpartition("+")[2]) for version in known), default=0)
        update = ModelUpdate(
            kind=kind,
            parent=predictor.version,
            parent_sha256=predictor.file.sha256,
            why=why,
            who=current_user(),
            when=now,
            extract_sha256=patients.sha256,
            n=len(patients.cohort),
            events=patients.cohort.events,
        )
        fitted = {"patients": update.n, "events": update.events} if kind == "refit" else {}
        version = f"{run.name}+{number}"
        made = with_model(predictor.file, model, version=version, created_at=now, update=update, **fitted)
        path = updated_path(run, version)
        _write(path, text_of(made))
        written = read_model_file(path)
        serving = champions(log.changes)
        reason = (
            f"{kind} on {update.n:,} patients with {update.events:,} events: version {version} after {update.parent}. {why}"
        )
        digests = {MODEL_FILE: written.sha256, "extract": patients.sha256}
        try:
            log.append(Change("updated", run.name, serving[-1].run_id if serving else None, reason, RULE, None, digests))
        except StoreError:
            path.unlink(missing_ok=True)  # a version without its line must not serve
            raise
    return written


def _updated(model: DeployedModel, patients: NewPatients, kind: UpdateKind) -> DeployedModel:
    if kind == "refit":
        return _refitted(model, patients)
    event = patients.cohort.event.astype(np.int64)
    line = (fit_level if kind == "intercept" else fit_recalibration)(event, patients.risk, patients.cohort.weight)
    before = model.recalibration
    joined = Recalibration(line.intercept + line.slope * before.intercept, line.slope * before.slope)
    return DeployedModel(**{**vars(model), "recalibration": joined})


def _refitted(model: DeployedModel, patients: NewPatients) -> DeployedModel:
    """Return arm and classifier fitted on the new patients alone, recalibrated by their own cross-validation."""
    from mgvae.cohort.rows import rows
    from mgvae.config.sections import Evaluation
    from mgvae.evaluation.cross_validation import predict_both
    from mgvae.evaluation.deployed_model import fit_deployed
    from mgvae.evaluation.evaluate import chain_of, evaluation_seed
    from mgvae.threads import one_thread

    cohort, settings = patients.cohort, patients.config.evaluation
    arms = ("none",) if model.arm == "none" else ("none", model.arm)
    narrowed = {**settings.model_dump(), "arms": arms, "classifiers": (model.classifier,)}
    config = patients.config.model_copy(update={"evaluation": Evaluation.model_validate(narrowed)})
    with one_thread():
        found = predict_both(
            rows(cohort.features, cohort.event, cohort.group, cohort.weight),
            None,
            chain_of(config),
            n_folds=settings.folds,
            repeats=settings.repeats,
            seed=evaluation_seed(config),
        )
    learned = found.training[model.arm, model.classifier]  # type: ignore[index]
    line = Line(intercept=learned.intercept, slope=learned.slope)
    return fit_deployed(
        cohort,
        config,
        arm=model.arm,  # type: ignore[arg-type]
        classifier=model.classifier,
        recalibration=line,
        refitted=True,
    )


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with scratch_folder(path.parent) as place:
            (place / path.name).write_text(text, encoding="utf-8")
            (place / path.name).chmod(0o600)
            (place / path.name).replace(path)
    except OSError as error:
        raise StoreError(f"{path}: must be writable with space left; {reason_of(error)}.") from None
