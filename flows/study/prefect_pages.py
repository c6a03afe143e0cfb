"""Show a run on Prefect's pages: summary, arms, calibration, progress, failure."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import local
from typing import Any
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.events import emit_event
from prefect.logging import disable_run_logger
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from flows.prefect_server import served
from flows.progress import Silent, listening, reporter
from flows.runs.audit_anchor import head_of, mismatch
from flows.runs.failure_page import KEY as FAILED
from flows.runs.failure_page import escaped, failure_text
from flows.runs.folder import AuditHead
from flows.study.outcome import REFUSED
from flows.study.prefect_text import arms_table, calibration_text, summary
from mgvae.report.formatting import spelled
from mgvae.report.schema import Report
from mgvae.store.artifact import digest

EVERY_SECONDS = 5.0


def show_run(report: Report, folder: Path, *, remarks: list[str]) -> None:
    """Make the Prefect artifacts of a run; emit ``mgvae.run.refused`` if it failed.

    A night does not fail for want of them: what cannot be shown is logged.

    Args:
        report: the run's report.
        folder: the run folder.
        remarks: what a reader should know besides, such as whether the run was promoted.
    """
    if not served():
        return
    name = artifact_key(report.study)
    if report.evaluation:
        text = calibration_text(report, folder) or ""
        about = "Calibration of each classifier: recalibrated probabilities, cross-validated"
        _attempt(lambda: create_markdown_artifact(text, key=f"{name}-calibration", description=about))
        measures = "Arms and classifiers: recalibrated probabilities, cross-validated, 95 % intervals"
        _attempt(lambda: create_table_artifact(arms_table(report), key=f"{name}-arms", description=measures))
    _attempt(  # last, as Prefect lists the newest first
        lambda: create_markdown_artifact(summary(report, folder, remarks=remarks), key=name, description="Summary of the run")
    )
    if report.status in REFUSED:
        run = f"{report.study}/{report.run_id}"
        resource = {"prefect.resource.id": f"mgvae-cohort.run.{run}", "prefect.resource.name": run}
        _attempt(lambda: emit_event("mgvae.run.refused", resource=resource, payload={"status": report.status}))


def show_head(study: Path) -> str:
    """Have Prefect hold the head of a study's audit log, which its folder alone could not prove.

    The artifact belongs to no run: it stays when Prefect removes old runs and what they made.

    Returns:
        Whether Prefect holds it, as a sentence; nothing fails for want of a server.
    """
    if not served():
        return "Prefect does not hold this line: no server is configured."
    head = head_of(study)
    text = f"# Audit log of {study.name}\n\nHead after {head.lines} lines:\n\n`{head.text}`\n"
    if _attempt(lambda: _keep_markdown(text, key=_head_key(study), description="Audit log", run=None)):
        return f"Prefect holds the audit log's head of line {head.lines}."
    return f"Prefect does not hold this line: the server at {PREFECT_API_URL.value()} did not take it."


def _head_key(study: Path) -> str:
    """Return the key for the log of this folder; another folder may hold a study of the same name."""
    return f"{artifact_key(study.name)}-audit-{digest(str(study.resolve()))[:8]}"


def compare_head(study: Path) -> tuple[str, str | None]:
    """Return what was compared with the head that Prefect holds, and a problem or None."""
    if not served():
        return "Not compared with Prefect: no server is configured.", None
    try:
        wanted = {"artifacts": {"key": {"any_": [_head_key(study)]}}}
        with get_client(sync_client=True) as client:
            held = client.request("POST", "/artifacts/latest/filter", json=wanted).json()
        found = re.search(r"`(\d+:[0-9a-f-]+)`", str(held[0]["data"])) if held else None
    except Exception as error:  # whatever is wrong with the server
        return f"Not compared with Prefect: the server did not answer ({type(error).__name__}).", None
    if found is None:
        return "Not compared with Prefect: it holds no head of this log.", None
    head = AuditHead.parsed(found[1])
    return f"Compared with Prefect: the head of line {head.lines}.", mismatch(study, head, holder="Prefect's artifact")


def announce_unjudged(report: Report) -> None:
    """Emit ``mgvae.champion.unjudged``: somebody must look, see `mgvae.evaluation.promotion.rule`."""
    if served():
        run = f"{report.study}/{report.run_id}"
        resource = {"prefect.resource.id": f"mgvae-cohort.run.{run}", "prefect.resource.name": run}
        _attempt(lambda: emit_event("mgvae.champion.unjudged", resource=resource))


def announce_end(report: Report, message: str) -> None:
    """Emit ``mgvae.run.ended``, called ``message``, which `--watch` prints before its last line."""
    if served():
        run = f"mgvae-cohort.run.{report.study}/{report.run_id}"
        resource = {"prefect.resource.id": run, "prefect.resource.name": message}
        _attempt(lambda: emit_event("mgvae.run.ended", resource=resource))


def artifact_key(study: str) -> str:
    """Return the key of a study's artifacts: lower-case letters, digits, dashes."""
    return "mgvae-" + re.sub(r"[^a-z0-9]+", "-", study.lower()).strip("-")


class Posted(Silent, local):
    """Shows a long stage as a Prefect progress artifact; calls another reporter too. Each thread has its own stage."""

    def __init__(self, key: str, also: Any) -> None:
        self.key = key
        self.also = also
        self.stage = ""
        self.artifact: UUID | None = None
        self.posted_at = 0.0

    def started(self, stage: str) -> None:
        """See `Reporter`."""
        self.stage, self.artifact, self.posted_at = stage, None, time.monotonic()
        self.also.started(stage)

    def advanced(self, done: int, total: int, note: str = "") -> None:
        """See `Reporter`."""
        self.also.advanced(done, total, note)
        if time.monotonic() - self.posted_at >= EVERY_SECONDS:
            self.posted_at = time.monotonic()
            self._post(100.0 * done / max(total, 1), f"{spelled(self.stage)}: {done} of {total}. {note}")

    def ended(self, stage: str, *, cached: bool) -> None:
        """See `Reporter`."""
        self.also.ended(stage, cached=cached)
        if self.artifact is not None:
            self._post(100.0, f"{spelled(stage)}: done")

    def _post(self, percent: float, text: str) -> None:
        def post() -> None:
            if self.artifact is None:
                key = f"{self.key}-progress-{self.stage.replace('_', '-')}"
                made = create_progress_artifact(percent, key=key, description=text)
                self.artifact = made if isinstance(made, UUID) else None
            else:
                update_progress_artifact(self.artifact, percent, description=text)

        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):  # the work need not wait for a server that is away
            _attempt(post)


@contextmanager
def posting(study: str) -> Iterator[None]:
    """Show progress on the server while the block runs, where there is one."""
    if not served():
        yield
        return
    with listening(Posted(artifact_key(study), reporter())):
        yield


def note_failure(flow: Any, flow_run: Any, state: Any) -> None:
    """Describe a failed, crashed or cancelled run on its page; a state hook.

    A refused run has its summary.
    """
    if not served() or (state is not None and state.name in REFUSED.values()):
        return
    text, about = failure_text(state.name, state.message), escaped(f"{flow.name} {flow_run.name}")
    with disable_run_logger():
        _attempt(lambda: _keep_markdown(text, key=FAILED, description=about, run=flow_run.id))


def _keep_markdown(text: str, *, key: str, description: str, run: UUID | None) -> None:
    """Have Prefect keep a text from outside of a run: of a command, or of a worker whose run was killed."""
    made = ArtifactCreate(type="markdown", key=key, data=text, description=description, flow_run_id=run)
    with get_client(sync_client=True) as client:
        client.create_artifact(made)


def _attempt(show: Callable[[], Any]) -> bool:
    """Call a function and return whether it succeeded; log what it raises, so that the run goes on."""
    try:
        show()
    except Exception as error:
        with suppress(Exception):  # outside of a run, as in a state hook
            get_run_logger().warning("Prefect did not take an artifact (%s).", type(error).__name__)
        return False
    return True
