"""Which runs there are, and which artifacts each of them refers to."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows.runs.audit_log import champions, read
from flows.runs.folder import CHAMPION, LATEST, pointed
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


def note_run(store: AnyStore, out: Path, report: Mapping[str, Any]) -> None:
    """Tell a store that is not the run folders' own which artifacts a run refers to: others clean up there as well."""
    if not is_beside(store, out):
        content = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "lineage": {"artifacts": report["lineage"]["artifacts"]},
        }
        store.write_note(f"runs/{report['study']}/{report['run_id']}", content)


def note_champions(store: AnyStore, out: Path, study: str, run_ids: Sequence[str]) -> None:
    """Tell a store that is not the run folders' own which runs serve here as champions, so that nobody removes their models."""
    if not is_beside(store, out):
        here = hashlib.sha256(f"{platform.node()}/{out.resolve()}".encode()).hexdigest()[:12]
        name, content = f"champions/{study}/{here}", {"runs": list(run_ids)}
        if store.read_note(name) != content:
            store.write_note(name, content)


def serving(study: Path) -> set[str]:
    """Return the runs of a study that must keep their artifacts: its champion, by the link and by the log, and the one before.

    Where the log is damaged, nobody can tell; then all runs of the study.
    """
    changes, wrong = read(study)
    if wrong and not changes:
        return {path.name for path in study.iterdir()}
    linked = pointed(study / CHAMPION)
    return {change.run_id for change in champions(changes)[-2:]} | ({linked} if linked else set())


def known_runs(store: AnyStore, out: Path) -> tuple[list[KnownRun], list[str]]:
    """Return the runs in the run folders and those noted in the store, and the run folders whose manifest cannot be read."""
    found: dict[tuple[str, str], KnownRun] = {}
    unreadable: list[str] = []
    if not is_beside(store, out):
        for name in store.notes("runs"):
            parts = name.split("/")
            run = _run(parts[1], parts[2], store.read_note(name), latest=False) if len(parts) == 3 else None
            found |= {(run.study, run.run_id): run} if run else {}
    for folder in sorted(path.parent for path in out.glob(f"[!.]*/*/{MANIFEST}")):
        if not folder.is_symlink() and not folder.name.startswith("."):
            run = _run_in(folder)
            found |= {(run.study, run.run_id): run} if run else {}  # it knows of `latest`, which the note does not
            unreadable += [] if run else [str(folder)]
    studies = [study for study in out.glob("[!.]*") if study.is_dir()]
    serve = {(study.name, name) for study in studies for name in serving(study)} | _noted_champions(store, out)
    return [replace(run, serves=key in serve) for key, run in found.items()], unreadable


def newest(runs: Sequence[KnownRun], keep: int) -> list[KnownRun]:
    """Return the last ``keep`` runs of every study, the one that ``latest`` points at being the last, and its champions."""
    kept: list[KnownRun] = []
    for study in sorted({run.study for run in runs}):
        own = sorted((run for run in runs if run.study == study), key=lambda run: (run.latest, run.at), reverse=True)
        kept += own[:keep] + [run for run in own[keep:] if run.serves]
    return kept


def users(entry: Entry, runs: Sequence[KnownRun]) -> list[KnownRun]:
    """Return the runs that use an artifact: those that refer to it, and those of which it is the report.

    A report is made from the other artifacts of its run, and names all of them as its inputs.
    """
    return [
        run
        for run in runs
        if entry.sha256 in run.artifacts.values() or (entry.kind == "report" and dict(entry.inputs) == dict(run.artifacts))
    ]


def _noted_champions(store: AnyStore, out: Path) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for name in () if is_beside(store, out) else store.notes("champions"):
        parts, told = name.split("/"), store.read_note(name)
        if len(parts) == 3 and isinstance(told, dict) and isinstance(told.get("runs"), list):
            found |= {(parts[1], str(run_id)) for run_id in told["runs"]}
    return found


def _run_in(folder: Path) -> KnownRun | None:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        latest = (folder.parent / LATEST).resolve() == folder.resolve()
    except (OSError, ValueError):
        return None
    return _run(folder.parent.name, folder.name, manifest, latest=latest)


def _run(study: str, run_id: str, told: Any, *, latest: bool) -> KnownRun | None:
    try:
        artifacts = {str(stage): str(sha256) for stage, sha256 in told["lineage"]["artifacts"].items()}
        return KnownRun(study, run_id, str(told.get("at") or told["created_at"]), latest, artifacts)
    except (TypeError, KeyError, AttributeError):
        return None
