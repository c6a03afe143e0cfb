"""The findings of a run, gathered from its results, and its verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mgvae.report.schema import Report
from mgvae.results.drift import DriftSummary
from mgvae.results.explanations import Explanations
from mgvae.results.findings import Finding, RunVerdict, VerdictStatus, counting, found, unreliable, with_muted
from mgvae.results.gates import Gate
from mgvae.results.gates import Verdict as GateVerdict
from mgvae.results.promotion import PromotionRecord
from mgvae.results.recommendation import Recommendation
from mgvae.results.sample_size import SampleSize

FEWEST_PREDICTORS, HALF = 3, 0.5
WORDS: dict[GateVerdict, VerdictStatus] = {"pass": "passed", "warn": "warned", "fail": "failed"}


def gathered(findings: Iterable[Finding], mute: Mapping[str, str]) -> tuple[Finding, ...]:
    """Return findings as the report lists them: muted ones last, severe ones first."""
    return with_muted(findings, mute)


def gate_findings(gates: Sequence[Gate], drift: DriftSummary | None) -> tuple[Finding, ...]:
    """Return the findings on synthetic cases and on drift."""
    failed = [gate.label for gate in gates if gate.verdict == "fail"]
    out = []
    if failed:
        kept = "They are kept out of the recommended model."
        out.append(found("MGV207", f"The synthetic cases failed: {', '.join(failed)}. {kept}"))
    if drift is not None and any(gate.verdict != "pass" for gate in drift.gates):
        out.append(found("MGV208", drift_detail(drift)))
    return tuple(out)


def explanation_findings(explanations: Explanations, chosen: Recommendation) -> tuple[Finding, ...]:
    """Return a finding where one of three or more predictors carries more than half of the recommended model."""
    columns = next((model.columns for model in explanations.models if model.arm == chosen.arm), ())
    if len(columns) < FEWEST_PREDICTORS or (columns[0].share.value or 0.0) <= HALF:
        return ()
    first = columns[0]
    return (found("MGV301", f"{first.label} ({first.column}) carries {first.share.value:.0%} of all contributions."),)


def sample_size_findings(size: SampleSize) -> tuple[Finding, ...]:
    """Return a finding where the events are too few even at the upper limit of the AUROC."""
    least = size.required_events.low
    if least is None or size.events >= least:
        return ()
    text = (
        f"{size.events} events for {size.parameters} candidate parameters; by Riley's criteria at least {least:.0f} are needed."
    )
    return (found("MGV210", text),)


def drift_detail(drift: DriftSummary) -> str:
    """Return what has drifted, the failed gates if there are any."""
    run = drift.reference.run_id
    failed, warned = ([gate for gate in drift.gates if gate.verdict == verdict] for verdict in ("fail", "warn"))
    if failed:
        return f"The extract has drifted from that of run {run}: {_details(failed)} This run is not to be promoted."
    return f"The extract differs from that of run {run}: {_details(warned)}"


def verdict_of(gates: GateVerdict, findings: Sequence[Finding]) -> RunVerdict:
    """Return the verdict of a run whose stages all ended.

    Args:
        gates: the worst verdict of all gates.
        findings: those that are muted do not count.
    """
    counted = counting(findings)
    titles = "; ".join(dict.fromkeys(f"{one.title} ({one.code})" for one in counted if one.severity != "info"))
    if unreliable(findings):
        return RunVerdict(status="unreliable", sentence=f"Not to be relied on: {titles}.")
    if gates == "fail":
        return RunVerdict(status="failed", sentence=f"A gate failed: {titles}." if titles else "A gate failed.")
    if gates == "warn" or titles:
        words = f"To be read with care: {titles}." if titles else "No gate failed; at least one warns."
        return RunVerdict(status="warned", sentence=words)
    return RunVerdict(status=WORDS[gates], sentence="All gates pass, and nothing was found that speaks against the results.")


def with_promotion(report: Report, record: PromotionRecord, mute: Mapping[str, str]) -> Report:
    """Return the report of a run that was considered as champion.

    A finding of the comparison warns: it speaks of champion and extract, and the champion stays in any case.
    """
    if record.finding is None:
        return report.model_copy(update={"promotion": record})
    warning = record.finding.model_copy(update={"severity": "warning"})
    counted = gathered((*report.findings, warning), mute)
    verdict = report.verdict if report.status == "invalid" else verdict_of(report.status, counted)
    findings = gathered((*report.findings, record.finding), mute)
    return report.model_copy(update={"promotion": record, "findings": findings, "verdict": verdict})


def _details(gates: Sequence[Gate]) -> str:
    return " ".join(f"{gate.label}: {gate.detail}" for gate in gates)
