"""The run folder: written aside, then put in its place whole, and only then named the latest."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.runs.folder import LATEST, point, whole
from mgvae.cohort.files import load_cohort
from mgvae.config.study import CohortConfig
from mgvae.errors import StoreError, reason_of
from mgvae.evaluation.deployed_model import PREDICTIONS
from mgvae.files import aside
from mgvae.generator.release import load_synthetic, released, write_labelled
from mgvae.store.artifact import digest_file


def publish(config: CohortConfig, report: Mapping[str, Any], folders: Mapping[str, Path], out: Path) -> Path:
    """Return the run folder ``<out>/<study>/<run id>``: report, synthetic rows, predictions of the hold-out, manifest.json.

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
        if not whole(target):
            _write(config, report, folders, target)
        point(study / LATEST, target.name)
    except OSError as error:
        raise StoreError(f"The run folder {target} must be writable with space left; {reason_of(error)}.") from None
    return target


def _write(config: CohortConfig, report: Mapping[str, Any], folders: Mapping[str, Path], target: Path) -> None:
    with aside(target.parent) as place:
        folder = place / "run"
        folder.mkdir(mode=0o700)
        for name in ("report.html", "report.json"):
            shutil.copyfile(folders["report"] / name, folder / name)
        if "model" in folders:
            shutil.copyfile(folders["model"] / PREDICTIONS, folder / PREDICTIONS)
        if "synthesise" in folders:
            _write_synthetic(config, report, folders, folder / "synthetic.parquet")
        files = {file.name: digest_file(file) for file in sorted(folder.iterdir())}
        about = {key: report[key] for key in ("study", "run_id", "created_at", "status", "lineage")}
        settings = config.model_dump(mode="json", exclude={"extract", "stages"})  # where the extract lies may hold a signature
        manifest = {**about, "config": settings, "files": files}
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=2), encoding="utf-8")
        for file in folder.iterdir():
            file.chmod(0o600)
        if target.exists():
            shutil.rmtree(target)
        folder.replace(target)


def _write_synthetic(config: CohortConfig, report: Mapping[str, Any], folders: Mapping[str, Path], path: Path) -> None:
    cohort, test = load_cohort(folders["split"])
    majority = cohort.take(~test & ~cohort.event)
    write_labelled(released(load_synthetic(folders["synthesise"]), config, majority), path, note=gate_note(report["status"]))


def gate_note(status: str) -> str:
    """Return what the metadata of synthetic rows say of the gates of their run."""
    return "A gate failed: not for the recommended model." if status == "fail" else "All gates passed or warned."
