"""Read run folders and their manifests."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from mgvae.config.strict import Strict, build
from mgvae.config.study import CohortConfig
from mgvae.errors import ConfigError, StoreError, reason_of
from mgvae.results.findings import RunVerdict
from mgvae.results.numbers import Count
from mgvae.store.artifact import MANIFEST, Reference, digest, digest_file, is_digest
from mgvae.store.open import open_store

LATEST = "latest"
CHAMPION = "champion"
PASSED = ("pass", "warn")
NEEDED = ("split", "encode", "finetune")
AGAIN = (
    "Run the study again (mgvae run): what is missing or damaged is made anew. If it used --store, name that store here too."
)


class RunLineage(BaseModel):
    """The part of `mgvae.report.schema.Lineage` that later runs read; all is kept."""

    model_config = ConfigDict(extra="allow", frozen=True)

    extract_sha256: str | None = None
    config_sha256: str | None = None
    artifacts: dict[str, str]


class AuditHead(Strict):
    """The head of an audit log.

    Attributes:
        lines: how many lines it has.
        sha256: of the last one, which holds the hash of the line before; None for an empty log.
    """

    lines: Count
    sha256: str | None

    @property
    def text(self) -> str:
        """The head in one word: ``lines:sha256``."""
        return f"{self.lines}:{self.sha256 or '-'}"

    @classmethod
    def parsed(cls, text: str) -> AuditHead:
        """Return the head that a text names.

        Raises:
            ConfigError: it names none.
        """
        lines, _, sha256 = text.strip().partition(":")
        if not (lines.isascii() and lines.isdecimal() and len(lines) < 10 and (is_digest(sha256) or sha256 == "-")):
            raise ConfigError("A head must be LINES:SHA256, as mgvae audit verify prints it.")
        return cls(lines=int(lines), sha256=None if sha256 == "-" else sha256)


class RunManifest(BaseModel):
    """The content of a run folder's manifest.json.

    Attributes:
        study, run_id: the run.
        created_at: ISO text in UTC.
        status: pass, warn, fail or invalid: the worst of the gates.
        verdict: what may be relied on; None where an earlier version wrote it.
        lineage: artifacts by stage, digests of extract and settings.
        config: the settings, less where the extract lies; None where an earlier version wrote it.
        files: digest of each file of the folder.
        audit: head of the audit log when the run was published; None where an earlier version wrote it.
    """

    model_config = ConfigDict(frozen=True)

    study: str = ""
    run_id: str = ""
    created_at: str
    status: str
    verdict: RunVerdict | None = None
    lineage: RunLineage
    config: dict[str, Any] | None = None
    files: dict[str, str] | None = None
    audit: AuditHead | None = None

    @property
    def standing(self) -> str:
        """The status, or unreliable where a severe finding counts."""
        return "unreliable" if self.verdict is not None and self.verdict.status == "unreliable" else self.status

    @classmethod
    def read(cls, folder: Path) -> RunManifest:
        """Return the manifest in a run folder.

        Raises:
            OSError: it cannot be read.
            ValueError: it is damaged.
        """
        return cls.model_validate_json((folder / MANIFEST).read_bytes())


@dataclass(frozen=True)
class FinishedRun:
    """A finished run.

    Attributes:
        config: its settings; where its extract lies is not kept.
        status: pass, warn or fail.
        folders: the artifacts that were asked for; their bytes match their digests.
    """

    config: CohortConfig
    status: str
    folders: Mapping[str, Path]


def finished_run(run: Path, store_url: str | None = None, *, needed: Sequence[str] = NEEDED) -> FinishedRun:
    """Return the run in a run folder ``<runs>/<study>/<run id>``.

    Args:
        run: the run folder.
        store_url: folder or URL of the artifact store, see `open_store`; ``<runs>/.store`` if left out.
        needed: the stages whose artifacts are wanted.

    Raises:
        ConfigError: it is no run folder, or its extract failed validation.
        StoreError: its manifest is damaged or of an earlier version, or an artifact is missing or damaged.
    """
    manifest = manifest_of(run)
    if manifest.status == "invalid":
        raise ConfigError(f"{run}: the extract of this run failed validation, so nothing was trained. Fix it and run again.")
    store = open_store(run.resolve().parent.parent, store_url)
    artifacts = manifest.lineage.artifacts
    try:
        folders = {stage: store.folder(Reference(stage, str(artifacts.get(stage)))) for stage in needed}
    except StoreError as error:
        raise type(error)(f"{error} {AGAIN}") from None
    return FinishedRun(config_of(run, manifest), manifest.status, folders)


def manifest_of(run: Path) -> RunManifest:
    """Return the manifest of a run folder that a person named.

    Raises:
        ConfigError: it is no run folder.
        StoreError: the manifest is damaged.
    """
    path = run / MANIFEST
    try:
        return RunManifest.read(run)
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigError(f"{path}: no such file. Give a run folder, such as runs/nafld/latest.") from None
    except OSError as error:
        raise ConfigError(f"{path}: must be readable; {reason_of(error)}.") from None
    except ValueError:
        raise StoreError(f"{path}: must be the manifest of a run; it is damaged. {AGAIN}") from None


def config_of(run: Path, manifest: RunManifest) -> CohortConfig:
    """Return the settings of the run itself; cohort.yaml may have changed since."""
    path = run / MANIFEST
    if manifest.config is None:
        raise StoreError(f"{path}: must hold the run's settings; an earlier version made it. {AGAIN}")
    read = {key: value for key, value in manifest.config.items() if key != "seed"}  # as in flows.study.lineage.config_sha256
    if digest(read) != manifest.lineage.config_sha256:
        raise StoreError(f"{path}: its settings must match their digest; they were changed. {AGAIN}")
    settings = {**manifest.config, "extract": "(not kept)"}
    if isinstance(settings.get("evaluation"), dict):  # before there was a section promotion
        settings["evaluation"] = {key: value for key, value in settings["evaluation"].items() if key != "margin"}
    try:
        return build(CohortConfig, settings, source=str(path))
    except ConfigError:
        raise StoreError(f"{path}: must hold settings that this version knows; another version made it. {AGAIN}") from None


def is_whole(folder: Path) -> bool:
    """Return whether the run folder is there with the bytes that its manifest names."""
    try:
        files = RunManifest.read(folder).files
        return files is not None and all(digest_file(folder / name) == sha256 for name, sha256 in files.items())
    except (OSError, ValueError):
        return False


def set_link(link: Path, name: str) -> None:
    """Make ``link`` a symbolic link to ``name`` beside it, in one step."""
    new = link.with_name(f".{link.name}-{os.getpid()}")
    new.unlink(missing_ok=True)
    try:
        new.symlink_to(name)
        new.replace(link)
    finally:
        new.unlink(missing_ok=True)


def link_target(link: Path) -> str | None:
    """Return the name that a link holds; None where there is no link."""
    try:
        return link.readlink().name
    except OSError:
        return None
