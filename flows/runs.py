"""Which runs there are, and which artifacts each of them refers to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows.stores import AnyStore, is_beside
from mgvae.store import MANIFEST, Entry

LATEST = "latest"


@dataclass(frozen=True)
class KnownRun:
    """A finished run.

    Attributes:
        study: its study.
        run_id: its name.
        at: when it was made or noted, as ISO text in UTC.
        latest: whether the study's ``latest`` points at it.
        artifacts: digests of its artifacts, by stage.
    """

    study: str
    run_id: str
    at: str
    latest: bool
    artifacts: Mapping[str, str]


def note_run(store: AnyStore, out: Path, report: Mapping[str, Any]) -> None:
    """Tell a store that is not the run folders' own which artifacts a run refers to: others clean up there as well."""
    if not is_beside(store, out):
        content = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "lineage": {"artifacts": report["lineage"]["artifacts"]},
        }
        store.write_note(f"runs/{report['study']}/{report['run_id']}", content)


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
        if folder.name != LATEST and not folder.name.startswith("."):
            run = _run_in(folder)
            found |= {(run.study, run.run_id): run} if run else {}  # it knows of `latest`, which the note does not
            unreadable += [] if run else [str(folder)]
    return list(found.values()), unreadable


def newest(runs: Sequence[KnownRun], keep: int) -> list[KnownRun]:
    """Return the last ``keep`` runs of every study; the one that ``latest`` points at is the last."""
    kept: list[KnownRun] = []
    for study in sorted({run.study for run in runs}):
        own = sorted((run for run in runs if run.study == study), key=lambda run: (run.latest, run.at), reverse=True)
        kept += own[:keep]
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
