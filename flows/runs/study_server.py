"""Serve a study's runs on this machine: a page that lists them, their reports and the monitoring; read-only."""

from __future__ import annotations

import hmac
import secrets
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flows.runs.folder import CHAMPION, LATEST, RunManifest, link_target
from flows.runs.report_server import PAGE, Reports
from mgvae.errors import ConfigError
from mgvae.report.render import page

MONITORING = "monitoring.html"  # as mgvae monitor writes it


class StudyReports(Reports):
    """An ASGI application that answers GET and HEAD of a study's list of runs, their reports and its monitoring.

    Args:
        study: the study's folder, ``<runs>/<study>``.
        hosts, prefix: see `Reports`.
    """

    def __init__(self, study: Path, *, hosts: Sequence[str], prefix: str) -> None:
        super().__init__([study.parent], hosts=hosts, prefix=prefix)
        self.study = study

    def _answer(self, scope: Any) -> tuple[int, bytes | None]:
        status, found = super()._answer(scope)
        if status != 404 or scope["query_string"]:
            return status, found
        path = scope["raw_path"] or b""
        if hmac.compare_digest(path, self.prefix + b"/"):
            return 200, study_page(self.study).encode()
        watched = self.study / MONITORING
        if hmac.compare_digest(path, self.prefix + b"/" + MONITORING.encode()) and _is_file(watched):
            return 200, watched.read_bytes()
        return 404, None

    def _page(self, study: str, run: str) -> bytes | None:
        return super()._page(study, run) if study == self.study.name else None


def study_page(study: Path) -> str:
    """Return the page that lists a study's runs, the newest first; its links lead to their reports.

    Args:
        study: the study's folder.
    """
    champion, latest = link_target(study / CHAMPION), link_target(study / LATEST)
    rows = []
    for folder in runs_of(study):
        manifest = RunManifest.read(folder)
        marks = [name for name, run in ((CHAMPION, champion), (LATEST, latest)) if run == folder.name]
        verdict = manifest.verdict.sentence if manifest.verdict else ""
        rows.append((f"{study.name}/{folder.name}/{PAGE}", folder.name, manifest.created_at, manifest.standing, verdict, marks))
    rows.sort(key=lambda row: row[2], reverse=True)
    return page("study.html", study=study.name, rows=rows, champion=champion, monitored=_is_file(study / MONITORING))


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def runs_of(study: Path) -> list[Path]:
    """Return the run folders of a study that have a readable manifest and a page."""
    found = []
    for folder in sorted(study.iterdir()):
        try:
            if not folder.is_symlink() and not folder.name.startswith(".") and (folder / PAGE).is_file():
                RunManifest.read(folder)
                found.append(folder)
        except (OSError, ValueError):
            continue
    return found


def free_port() -> int:
    """Return a port of this machine that nothing uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def address_of(port: int) -> str:
    """Return an address of this machine with a key that nobody guesses; other accounts cannot ask for a report."""
    return f"http://127.0.0.1:{port}/{secrets.token_urlsafe(16)}"


def check_study(study: Path) -> Path:
    """Return a study's folder, with its name.

    Raises:
        ConfigError: it has no finished run.
    """
    folder = study.resolve()
    if not folder.is_dir() or not runs_of(folder):
        raise ConfigError(f"{study}: must be a study's folder with finished runs, such as runs/nafld.")
    return folder
