"""Find the model that serves: that of a run, or of a study's champion."""

from __future__ import annotations

from pathlib import Path

from flows.runs.audit_log import last_move, read
from flows.runs.folder import PASSED, manifest_of
from flows.runs.inspection import study_folder
from mgvae.errors import ConfigError, StoreError
from mgvae.prediction.model_file import ModelFile
from mgvae.store.artifact import MANIFEST, digest_file

MODEL_FILE = "model_file"  # the key of an updated model's digest in the audit log
STANDINGS = {
    "fail": "a gate of its run failed",
    "unreliable": "a severe finding says that its run is not to be relied on",
}


def serving_run(named: str, out: Path) -> Path:
    """Return a run folder as named, or the champion's of a study.

    Args:
        named: a run folder, the file of a model, a study's name, or the folder of its runs.
        out: folder of all runs.
    Raises:
        ConfigError: there is no such run or study, or the study has no champion.
        StoreError: the audit log is damaged, or the champion is not the run that it names.
    """
    path = Path(named)
    if (path / MANIFEST).exists() or path.is_file():
        return path
    study = study_folder(named, out)
    changes, wrong = read(study)
    champion = last_move(changes)
    if wrong and not changes:
        raise StoreError(wrong[0])
    if champion is None:
        raise ConfigError(
            f"{named}: must have a champion, whose model predicts; no run was promoted. Name a run, such as "
            f"{study / 'latest'}, or see mgvae champion promote --help."
        )
    run = study / champion.run_id
    manifest_of(run)
    if digest_file(run / MANIFEST) != champion.sha256.get(MANIFEST):
        raise StoreError(f"{run / MANIFEST}: must be the file that became champion; it was changed since.")
    return run


def unfit_to_predict(run: Path, file: ModelFile) -> str | None:
    """Return why a model should not be used, in a sentence; None where nothing speaks against it.

    Args:
        run: its run folder, or its file alone.
        file: the content of its file.
    """
    if file.answer == "deploy_none":
        return (
            f"The report of run {file.run_id} recommends to deploy no model: none predicts the outcome better than its "
            "prevalence."
        )
    standing = manifest_of(run).standing if run.is_dir() else "pass"
    if standing in PASSED:
        return None
    return f"The model of run {file.run_id} is not to be used: {STANDINGS.get(standing, f'its status is {standing}')}."


def require_logged(run: Path, file: ModelFile) -> None:
    """Raise unless the audit log names an updated model as it is.

    Raises:
        StoreError: it does not.
    """
    if file.update is None or run.is_file():  # a file that was taken elsewhere has its own digest alone
        return
    changes, _ = read(run.resolve().parent)
    if not any(change.action == "updated" and change.sha256.get(MODEL_FILE) == file.sha256 for change in changes):
        raise StoreError(f"{file.version}: must be a version that the audit log names; it is not. Make it again.")
