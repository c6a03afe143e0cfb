"""List runs and the artifacts that they refer to."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from flows.runs.audit_log import champions, read
from flows.runs.folder import CHAMPION, LATEST, RunLineage, RunManifest, link_target
from mgvae.store.artifact import MANIFEST, Entry
from mgvae.store.open import AnyStore, is_beside


@dataclass(frozen=True)
class KnownRun:
    """A finished run.

    Attributes:
        study: its study.
        run_id: its name.
        at: when it was made or noted, as ISO text in UTC.
        latest: whether the study's ``latest`` points at it.
        artifacts: digests of its artifacts, by stage.
        serves: whether it is the study's champion, or the one before, to which a person may roll back.
    """

    study: str
    run_id: str
    at: str
    latest: bool
    artifacts: Mapping[str, str]
    serves: bool = False


class RunNote(BaseModel):
    """What a shared store keeps of a run: time (ISO text in UTC) and artifacts."""

    at: str
    lineage: RunLineage


def note_run(store: AnyStore, out: Path, report: Mapping[str, Any]) -> None:
    """Record the artifacts of a run in a shared store, which others clean up too."""
    if not is_beside(store, out):
        artifacts = RunLineage(artifacts=report["lineage"]["artifacts"])
        note = RunNote(at=datetime.now(UTC).isoformat(timespec="seconds"), lineage=artifacts)
        store.write_note(f"runs/{report['study']}/{report['run_id']}", note.model_dump(mode="json", exclude_unset=True))


def note_champions(store: AnyStore, out: Path, study: str, run_ids: Sequence[str]) -> None:
    """Record champions in a shared store, so that nobody removes their models."""
    if not is_beside(store, out):
        here = hashlib.sha256(f"{platform.node()}/{out.resolve()}".encode()).hexdigest()[:12]
        name, content = f"champions/{study}/{here}", {"runs": list(run_ids)}
        if store.read_note(name) != content:
            store.write_note(name, content)


def serving(study: Path) -> set[str]:
    """Return the champion of a study, by link and by log, and the one before.

    Where the log is damaged, nobody can tell; then all runs of the study.
    """
    changes, wrong = read(study)
    if wrong and not changes:
        return {path.name for path in study.iterdir()}
    linked = link_target(study / CHAMPION)
    return {change.run_id for change in champions(changes)[-2:]} | ({linked} if linked else set())


def known_runs(store: AnyStore, out: Path) -> tuple[list[KnownRun], list[str]]:
    """Return the runs of folders and store, and the unreadable run folders."""
    found: dict[tuple[str, str], KnownRun] = {}
    unreadable: list[str] = []
    if not is_beside(store, out):
        for name in store.notes("runs"):
            parts = name.split("/")
            run = _shared_run(parts[1], parts[2], store.read_note(name)) if len(parts) == 3 else None
            found |= {(run.study, run.run_id): run} if run else {}
    for folder in sorted(path.parent for path in out.glob(f"[!.]*/*/{MANIFEST}")):
        if not folder.is_symlink() and not folder.name.startswith("."):
            run = _run_in(folder)
            found |= {(run.study, run.run_id): run} if run else {}  # it knows of `latest`, which the note does not
            unreadable += [] if run else [str(folder)]
    studies = [study for study in out.glob("[!.]*") if study.is_dir()]
    serve = {(study.name, name) for study in studies for name in serving(study)} | _shared_champions(store, out)
    return [replace(run, serves=key in serve) for key, run in found.items()], unreadable


def newest(runs: Sequence[KnownRun], keep: int) -> list[KnownRun]:
    """Return the last ``keep`` runs of every study, and its champions."""
    kept: list[KnownRun] = []
    for study in sorted({run.study for run in runs}):
        own = sorted((run for run in runs if run.study == study), key=lambda run: (run.latest, run.at), reverse=True)
        kept += own[:keep] + [run for run in own[keep:] if run.serves]
    return kept


def users(entry: Entry, runs: Sequence[KnownRun]) -> list[KnownRun]:
    """Return the runs that refer to an artifact, or whose report it is.

    A report is made from the other artifacts of its run, and names all of them as its inputs.
    """
    return [
        run
        for run in runs
        if entry.sha256 in run.artifacts.values() or (entry.kind == "report" and dict(entry.inputs) == dict(run.artifacts))
    ]


def _shared_champions(store: AnyStore, out: Path) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for name in () if is_beside(store, out) else store.notes("champions"):
        parts, note = name.split("/"), store.read_note(name)
        if len(parts) == 3 and isinstance(note, dict) and isinstance(note.get("runs"), list):
            found |= {(parts[1], str(run_id)) for run_id in note["runs"]}
    return found


def _run_in(folder: Path) -> KnownRun | None:
    try:
        manifest = RunManifest.read(folder)
        latest = (folder.parent / LATEST).resolve() == folder.resolve()
    except (OSError, ValueError):
        return None
    return KnownRun(folder.parent.name, folder.name, manifest.created_at, latest, manifest.lineage.artifacts)


def _shared_run(study: str, run_id: str, note: Any) -> KnownRun | None:
    try:
        found = RunNote.model_validate(note)
    except ValueError:
        return None
    return KnownRun(study, run_id, found.at, latest=False, artifacts=found.lineage.artifacts)
