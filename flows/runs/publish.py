"""Write the run folder in one step, then link it as the latest."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.runs.audit_anchor import head_of
from flows.runs.folder import LATEST, RunManifest, is_whole, set_link
from mgvae.cohort.files import load_cohort
from mgvae.config.study import CohortConfig
from mgvae.errors import StoreError, reason_of
from mgvae.evaluation.deployed_model import PREDICTIONS
from mgvae.files import scratch_folder
from mgvae.generator.release import load_synthetic, released, write_labelled
from mgvae.prediction.model_file import CARD, MODEL, model_of_run, settings_of, text_of
from mgvae.report.figures.panel import FOLDER
from mgvae.report.model_card import model_card
from mgvae.report.schema import read_report
from mgvae.results.privacy import privacy_record
from mgvae.store.artifact import MANIFEST, digest_file, payload

REPORT, PAGE = "report.json", "report.html"


def publish(config: CohortConfig, report: Mapping[str, Any], folders: Mapping[str, Path], out: Path) -> Path:
    """Write and return the run folder ``<out>/<study>/<run id>``.

    A folder that is there and whole is left as it is; ``latest`` points at it in either case.

    Args:
        config: the study.
        report: report.json's content.
        folders: the stages' artifacts; the report's among them.
        out: folder of all runs.
    Raises:
        StoreError: the folder cannot be written.
    """
    study = out / config.study
    target = study / str(report["run_id"])
    try:
        study.mkdir(parents=True, exist_ok=True)
        if not is_whole(target) or ("model" in folders and not (target / MODEL).exists()):
            _write(config, report, folders, target)
        set_link(study / LATEST, target.name)
    except OSError as error:
        raise StoreError(f"The run folder {target} must be writable with space left; {reason_of(error)}.") from None
    return target


def _write(config: CohortConfig, report: Mapping[str, Any], folders: Mapping[str, Path], target: Path) -> None:
    with scratch_folder(target.parent) as place:
        folder = place / "run"
        folder.mkdir(mode=0o700)
        _write_report(report, folders["report"], folder)
        if "model" in folders:
            shutil.copyfile(folders["model"] / PREDICTIONS, folder / PREDICTIONS)
            _write_model(config, report, folders, folder)
        if "synthesise" in folders:
            _write_synthetic(config, report, folders, folder / "synthetic.parquet")
        files = {file.relative_to(folder).as_posix(): digest_file(file) for file in payload(folder)}
        audit = head_of(target.parent, before=target.name).model_dump()
        manifest = RunManifest.model_validate({**report, "config": settings_of(config), "files": files, "audit": audit})
        (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2, exclude_unset=True), encoding="utf-8")
        for file in folder.rglob("*"):
            file.chmod(0o700 if file.is_dir() else 0o600)
        if target.exists():
            shutil.rmtree(target)
        folder.replace(target)


def _write_report(report: Mapping[str, Any], made: Path, folder: Path) -> None:
    """Write report.json and its page, as the stage made them, or with what was decided of the run since."""
    if report.get("promotion") is None:
        for name in (REPORT, PAGE):
            shutil.copyfile(made / name, folder / name)
        if (made / FOLDER).is_dir():
            shutil.copytree(made / FOLDER, folder / FOLDER, copy_function=shutil.copyfile)
        return
    from mgvae.report.render import write_page

    facts = read_report(dict(report))
    (folder / REPORT).write_text(json.dumps(facts.model_dump(mode="json"), indent=1, allow_nan=False), encoding="utf-8")
    write_page(facts, folder)


def _write_model(config: CohortConfig, report: Mapping[str, Any], folders: Mapping[str, Path], folder: Path) -> None:
    """Write the model's file and its card."""
    read = read_report(dict(report))
    (folder / MODEL).write_text(text_of(model_of_run(config, read, folders["model"], folders["split"])), encoding="utf-8")
    (folder / CARD).write_text(model_card(read), encoding="utf-8")


def _write_synthetic(config: CohortConfig, report: Mapping[str, Any], folders: Mapping[str, Path], path: Path) -> None:
    cohort, test = load_cohort(folders["split"])
    majority = cohort.take(~test & ~cohort.event)
    note = gate_note(report["status"], folders["finetune"])
    write_labelled(released(load_synthetic(folders["synthesise"]), config, majority), path, note=note)


def gate_note(status: str, finetuned: Path) -> str:
    """Return what the metadata of synthetic rows say of the gates of their run, and of privacy if it was asked for."""
    gates = "A gate failed: not for the recommended model." if status == "fail" else "All gates passed or warned."
    record = privacy_record(finetuned)
    return gates if record is None else f"{gates} {record.sentence}"
