"""Show a run on Prefect's pages: summary, arms, calibration, progress, failure."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import (
    create_image_artifact,
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
from flows.runs.folder import AuditHead
from flows.study.outcome import REFUSED
from mgvae.report.overview import advice, finding_lines
from mgvae.report.schema import Report
from mgvae.results.evaluation import Metric
from mgvae.results.gates import RANK
from mgvae.results.numbers import Estimate
from mgvae.store.artifact import digest

REPORTS_SETTING = "MGVAE_REPORTS_URL"
EVERY_SECONDS = 5.0
MARKUP = re.compile(r"([\\`*_\[\]<>|~#]|:(?=//)|(?<=www)\.)")
MEASURES: tuple[Metric, ...] = ("auroc", "auprc", "scaled_brier", "observed_expected", "balanced_accuracy")
STILL = "The champion and its predictions stay as they were, and finished stages are kept: the next run goes on from there."


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
        _attempt(lambda: _show_calibration(report, name))
        _attempt(
            lambda: create_table_artifact(arms_table(report), key=f"{name}-arms", description="Recalibrated, 95 % intervals")
        )
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


def escaped(text: object) -> str:
    """Return text that Markdown shows as it is: no link, picture, HTML or line of its own."""
    return MARKUP.sub(r"\\\1", " ".join(str(text).split()))


def summary(report: Report, folder: Path, *, remarks: list[str]) -> str:
    """Return a run in Markdown: verdict, recommendation, counts, path of the report."""
    cohort = report.cohort
    place = _address(report, folder)
    refused = f"{REFUSED[report.status]}: " if report.status in REFUSED else ""
    title, verdict = escaped(report.title or report.study), escaped(report.verdict.sentence)
    lines = [f"# {refused}{title}", "", f"**Status: {report.status}** {verdict}", ""]
    lines += [f"- {escaped(remark)}" for remark in [*remarks, *finding_lines(report.findings), *report.warnings]]
    if report.recommendation:
        lines.append(f"- {escaped(advice(report))} {escaped(report.recommendation.reason)}")
    if cohort.n is not None:
        lines.append(f"- {cohort.n:,} subjects, {cohort.events:,} events ({cohort.prevalence:.2%})")
    if report.synthetic:
        verdicts = [gate.verdict for gate in report.synthetic.gates]
        counted = ", ".join(f"{verdicts.count(verdict)} {verdict.replace('_', ' ')}" for verdict in RANK if verdict in verdicts)
        lines.append(f"- {report.synthetic.n:,} synthetic cases; gates: {counted}")
    lines += ["", f"Report: {place}", "", "| stage | seconds | | made by |", "|---|---|---|---|"]
    for stage in report.lineage.stages:
        maker = (stage.ran.worker or stage.ran.host) if stage.ran else None
        reused = "reused" if stage.cached else "computed"
        lines.append(f"| {stage.name} | {stage.seconds} | {reused} | {escaped(maker or '?')} |")
    return "\n".join(lines)


def arms_table(report: Report) -> list[dict[str, str]]:
    """Return the recalibrated measures as one row for each arm and classifier."""
    rows: list[dict[str, str]] = []
    if report.evaluation is None:
        return rows
    for arm, by_classifier in report.evaluation.arms.items():
        for classifier, variants in by_classifier.items():
            measures = variants.get("recalibrated", {})
            cells: dict[str, str] = {name: _measured(measures.get(name)) for name in MEASURES}
            rows.append({"arm": arm, "classifier": classifier, **cells})
    return rows


class Posted(Silent):
    """Shows a long stage as a Prefect progress artifact; calls another reporter too."""

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
            self._post(100.0 * done / max(total, 1), f"{self.stage}: {done} of {total}. {note}")

    def ended(self, stage: str, *, cached: bool) -> None:
        """See `Reporter`."""
        self.also.ended(stage, cached=cached)
        if self.artifact is not None:
            self._post(100.0, f"{stage}: done")

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
    reason = (state.message or "no reason given").strip().splitlines()[0]
    ended, reason, about = escaped(state.name), escaped(reason), escaped(f"{flow.name} {flow_run.name}")
    text = f"# This run ended {ended}\n\n{reason}\n\n{STILL}\n\nWhat to do: deployments/README.md, 'When the night failed'."
    with disable_run_logger():
        _attempt(lambda: _keep_markdown(text, key="mgvae-failed", description=about, run=flow_run.id))


def _keep_markdown(text: str, *, key: str, description: str, run: UUID | None) -> None:
    """Have Prefect keep a text from outside of a run: of a command, or of a worker whose run was killed."""
    made = ArtifactCreate(type="markdown", key=key, data=text, description=description, flow_run_id=run)
    with get_client(sync_client=True) as client:
        client.create_artifact(made)


def _show_calibration(report: Report, name: str) -> None:
    from mgvae.report.panels import calibration_picture

    picture = calibration_picture(report)
    if picture is not None:
        create_image_artifact(
            picture, key=f"{name}-calibration", description="Calibration after recalibration, cross-validated"
        )


def _address(report: Report, folder: Path) -> str:
    base = os.environ.get(REPORTS_SETTING)
    if base:
        url = f"{base.rstrip('/')}/{report.study}/{report.run_id}/report.html"
        return f"[report.html]({url})"
    path = " ".join(str(folder / "report.html").replace("`", "'").split())
    return f"`{path}` on the machine of the worker"


def _measured(measure: Estimate | None) -> str:
    if measure is None or measure.value is None:
        return ""
    limits = f" ({measure.low:.3f} to {measure.high:.3f})" if measure.low is not None and measure.high is not None else ""
    return f"{measure.value:.3f}{limits}"


def _attempt(show: Callable[[], Any]) -> bool:
    """Call a function and return whether it succeeded; log what it raises, so that the run goes on."""
    try:
        show()
    except Exception as error:
        with suppress(Exception):  # outside of a run, as in a state hook
            get_run_logger().warning("Prefect did not take an artifact (%s).", type(error).__name__)
        return False
    return True
