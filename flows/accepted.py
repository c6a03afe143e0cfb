"""The last accepted run of a study: its extract is what the next one is held against."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.stores import AnyStore
from mgvae.artifact import is_digest
from mgvae.config import CohortConfig
from mgvae.errors import DamagedArtifactError, MissingArtifactError
from mgvae.store import MANIFEST, Reference

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
