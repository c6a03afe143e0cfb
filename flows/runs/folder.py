"""Run folders and the links beside them: whether a folder is whole, and links that move in one step."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgvae.config.strict import build
from mgvae.config.study import CohortConfig
from mgvae.errors import ConfigError, DamagedArtifactError, MissingArtifactError, StoreError, reason_of
from mgvae.store.artifact import MANIFEST, Reference, digest, digest_file, is_digest
from mgvae.store.open import AnyStore, open_store

NEEDED = ("split", "encode", "finetune")

AGAIN = (
    "Run the study again (mgvae run): what is missing or damaged is made anew. If it used --store, name that store here too."
)


@dataclass(frozen=True)
class Finished:
    """A finished run.

    Attributes:
        config: its settings; where its extract lies is not kept.
        status: pass, warn or fail.
        folders: the artifacts that generating needs, their bytes found to match their digests.
    """

    config: CohortConfig
    status: str
    folders: Mapping[str, Path]


def finished_run(run: Path, where: str | None = None, *, needed: Sequence[str] = NEEDED) -> Finished:
    """Return the run in a run folder ``<runs>/<study>/<run id>``, whose store is ``<runs>/.store`` unless ``where`` names it.

    Args:
        run: the run folder.
        where: folder or URL of the artifact store, see `open_store`.
        needed: the stages whose artifacts are wanted.

    Raises:
        ConfigError: it is no run folder, or its extract failed validation.
        StoreError: its manifest is damaged or of an earlier version, or an artifact is missing or damaged.
    """
    manifest = manifest_of(run)
    if manifest["status"] == "invalid":
        raise ConfigError(f"{run}: the extract of this run failed validation, so nothing was trained. Mend it and run again.")
    store = open_store(run.resolve().parent.parent, where)
    artifacts = manifest["lineage"]["artifacts"]
    try:
        folders = {stage: store.folder(Reference(stage, str(artifacts.get(stage)))) for stage in needed}
    except StoreError as error:
        raise type(error)(f"{error} {AGAIN}") from None
    return Finished(_config(run, manifest), str(manifest["status"]), folders)


def manifest_of(run: Path) -> dict[str, Any]:
    """Return what the manifest of a run folder says.

    Raises:
        ConfigError: it is no run folder.
        StoreError: the manifest is damaged.
    """
    path = run / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigError(f"{path}: no such file. Give a run folder, such as runs/nafld/latest.") from None
    except OSError as error:
        raise ConfigError(f"{path}: must be readable; {reason_of(error)}.") from None
    except ValueError:
        content = None
    lineage = content.get("lineage") if isinstance(content, dict) else None
    if not isinstance(lineage, dict) or not isinstance(lineage.get("artifacts"), dict) or "status" not in content:
        raise StoreError(f"{path}: must be the manifest of a run; it is damaged. {AGAIN}")
    return dict(content)


def _config(run: Path, manifest: Mapping[str, Any]) -> CohortConfig:
    """Return the settings of the run itself: what cohort.yaml says today may be something else."""
    path, settings = run / MANIFEST, manifest.get("config")
    if not isinstance(settings, dict):
        raise StoreError(f"{path}: must hold the run's settings; an earlier version made it. {AGAIN}")
    read = {key: value for key, value in settings.items() if key != "seed"}  # as in flows.study.report_assembly.config_sha256
    if digest(read) != manifest["lineage"].get("config_sha256"):
        raise StoreError(f"{path}: its settings must match their digest; they were changed. {AGAIN}")
    try:
        return build(CohortConfig, {**settings, "extract": "(not kept)"}, source=str(path))
    except ConfigError:
        raise StoreError(f"{path}: must hold settings that this version knows; another version made it. {AGAIN}") from None


LATEST = "latest"

CHAMPION = "champion"


def whole(target: Path) -> bool:
    """Return whether the run folder is there with the bytes that its manifest names."""
    try:
        files = json.loads((target / MANIFEST).read_text(encoding="utf-8"))["files"]
        return all(digest_file(target / name) == sha256 for name, sha256 in files.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def point(link: Path, name: str) -> None:
    """Make ``link`` a symbolic link to ``name`` beside it, in one step."""
    new = link.with_name(f".{link.name}-{os.getpid()}")
    new.unlink(missing_ok=True)
    try:
        new.symlink_to(name)
        new.replace(link)
    finally:
        new.unlink(missing_ok=True)


def pointed(link: Path) -> str | None:
    """Return the name that a link holds; None where there is no link."""
    try:
        return link.readlink().name
    except OSError:
        return None


ACCEPTED = ("pass", "warn")


@dataclass(frozen=True)
class Accepted:
    """A finished run whose gates did not fail.

    Attributes:
        run_id: its name.
        extract_sha256: digest of its extract.
        created_at: when it was made, ISO text in UTC.
        artifact: what its stage validate made: the extract as read.
    """

    run_id: str
    extract_sha256: str
    created_at: str
    artifact: Reference

    def to_json(self) -> dict[str, str]:
        """Return the form that report.json holds under ``drift.reference``."""
        return {"run_id": self.run_id, "extract_sha256": self.extract_sha256, "created_at": self.created_at}


@dataclass(frozen=True)
class Against:
    """What an extract is held against: an accepted run, or nothing; ``unjudged`` says why where there should have been one."""

    accepted: Accepted | None = None
    unjudged: str = ""


def against(config: CohortConfig, store: AnyStore, out: Path, extract_sha256: str) -> Against:
    """Return what the extract of a run is held against; the first extract of a study against nothing.

    Args:
        config: the study.
        store: where the artifacts of its runs lie.
        out: folder of all runs.
        extract_sha256: digest of the extract to be judged.
    Raises:
        StoreError: the store cannot be read.
    """
    if config.drift.against == "nothing":
        return Against(unjudged="Drift was not judged: drift.against is 'nothing'. The next extract is held against this one.")
    accepted = last_accepted(out, config.study, extract_sha256)
    if accepted is None:
        return Against()
    try:
        store.folder(accepted.artifact)
    except (MissingArtifactError, DamagedArtifactError) as error:
        state = "is damaged" if isinstance(error, DamagedArtifactError) else "is not in the store any more"
        return Against(
            unjudged=f"Drift was not judged: the extract of run {accepted.run_id}, the last accepted one, {state}. "
            "The next extract is held against this one."
        )
    return Against(accepted)


def last_accepted(out: Path, study: str, extract_sha256: str) -> Accepted | None:
    """Return the newest finished run of ``study`` that passed or warned and whose extract is another; None if there is none.

    Args:
        out: folder of all runs.
        study: the study's name.
        extract_sha256: digest of the extract to be judged: it is not held against itself.
    """
    found: list[tuple[str, int, Accepted]] = []
    for path in sorted((out / study).glob(f"[!.]*/{MANIFEST}")):
        run = None if path.parent.is_symlink() else _accepted(path)
        if run is not None and run.extract_sha256 != extract_sha256:
            found.append((run.created_at, path.stat().st_mtime_ns, run))
    return max(found, key=lambda one: one[:2])[2] if found else None


def _accepted(path: Path) -> Accepted | None:
    """Return the run that a manifest describes; None where it was not accepted, or the manifest is damaged."""
    try:
        told: Any = json.loads(path.read_text(encoding="utf-8"))
        lineage = told["lineage"]
        extract, artifact = str(lineage["extract_sha256"]), str(lineage["artifacts"]["validate"])
        created, status = str(told["created_at"]), told["status"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if status not in ACCEPTED or not is_digest(extract) or not is_digest(artifact):
        return None
    return Accepted(path.parent.name, extract, created, Reference("validate", artifact))
