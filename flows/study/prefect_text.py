"""Texts of Prefect's pages about a run: summary, arms and calibration, in names for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from flows.runs.failure_page import escaped
from flows.runs.report_server import report_url
from flows.study.outcome import REFUSED
from mgvae.config.sections import Arm, Classifier
from mgvae.report.formatting import METRICS, VERDICTS, count, duration, event_share, measured, share, spelled
from mgvae.report.overview import advice, finding_lines
from mgvae.report.panels import classifiers_of
from mgvae.report.schema import Report
from mgvae.results.evaluation import Curve, EvaluationSummary, Metric
from mgvae.results.gates import RANK
from mgvae.results.labels import ARMS, CLASSIFIERS
from mgvae.results.numbers import Estimate

MEASURES: tuple[Metric, ...] = ("auroc", "auprc", "scaled_brier", "observed_expected", "balanced_accuracy")
CALIBRATION: tuple[Metric, ...] = ("observed_expected", "calibration_intercept", "calibration_slope", "ici")


def summary(report: Report, folder: Path, *, remarks: Sequence[str]) -> str:
    """Return a run in Markdown: status, verdict, report, recommendation, counts, stages."""
    cohort = report.cohort
    refused = f"{REFUSED[report.status]}: " if report.status in REFUSED else ""
    title, verdict = escaped(report.title or report.study), escaped(report.verdict.sentence)
    lines = [f"# {refused}{title}", "", f"**Status: {report.status}** {verdict}", "", f"Report: {_address(folder)}", ""]
    lines += [f"- {escaped(remark)}" for remark in [*remarks, *finding_lines(report.findings), *report.warnings]]
    if report.recommendation:
        lines.append(f"- {escaped(advice(report))} {escaped(report.recommendation.reason)}")
    if cohort.n is not None:
        lines.append(f"- {count(cohort.n)} subjects, {count(cohort.events)} events ({event_share(cohort)})")
    if report.synthetic:
        verdicts = [gate.verdict for gate in report.synthetic.gates]
        counted = ", ".join(f"{verdicts.count(verdict)} {VERDICTS[verdict]}" for verdict in RANK if verdict in verdicts)
        lines.append(f"- {count(report.synthetic.n)} synthetic cases; gates: {counted}")
    rows = []
    for stage in report.lineage.stages:
        maker = (stage.ran.worker or stage.ran.host) if stage.ran else None
        rows.append((spelled(stage.name), duration(stage.seconds), "reused" if stage.cached else "computed", maker or "?"))
    return "\n".join([*lines, "", *_table(("Stage", "Time", "", "Made by"), rows)])


def arms_table(report: Report) -> list[dict[str, str]]:
    """Return the recalibrated measures as one row for each arm and classifier."""
    rows: list[dict[str, str]] = []
    if report.evaluation is None:
        return rows
    for arm, by_classifier in report.evaluation.arms.items():
        for classifier, variants in by_classifier.items():
            measures = variants.get("recalibrated", {})
            named = {"Arm": ARMS[arm], "Classifier": CLASSIFIERS[classifier]}
            rows.append({**named, **{METRICS[name].short: _measured(name, measures) for name in MEASURES}})
    return rows


def calibration_text(report: Report, folder: Path) -> str | None:
    """Return the calibration of each classifier in Markdown; None where nothing was evaluated.

    A table of the arms, and one of predicted and observed risk in the arm that is recommended, or else without correction.
    """
    evaluation, url = report.evaluation, report_url(folder)
    if evaluation is None:
        return None
    lines = [f"# Calibration: {escaped(report.title or report.study)}", ""]
    lines.append(  # in one line: Prefect shows a line end as one
        "Recalibrated probabilities, cross-validated, with 95 % intervals. O/E: observed / expected events, ideally 1, as the "
        "slope. ICI: integrated calibration index, ideally 0, as the intercept."
    )
    chosen = report.recommendation
    for classifier in classifiers_of(evaluation):
        best = chosen is not None and chosen.classifier == classifier
        mark = "" if chosen is None or not best else " (the best)" if chosen.answer == "deploy_none" else " (recommended)"
        lines += ["", f"## {escaped(CLASSIFIERS[classifier])}{mark}", ""]
        arms = {arm: found[classifier] for arm, found in evaluation.arms.items() if classifier in found}
        rows = [
            (ARMS[arm], *(_measured(name, by_variant.get("recalibrated", {})) for name in CALIBRATION))
            for arm, by_variant in arms.items()
        ]
        lines += _table(("Arm", *(METRICS[name].short for name in CALIBRATION)), rows)
        lines += _curve(evaluation, classifier, chosen.arm if chosen is not None and best else "none")
        if url:
            lines += ["", f"[Figures in the report]({url}#classifier-{classifier})"]
    return "\n".join(lines)


def _curve(evaluation: EvaluationSummary, classifier: Classifier, arm: Arm) -> list[str]:
    curve: Curve | None = evaluation.curves.get(arm, {}).get(classifier, {}).get("recalibrated")
    if curve is None or not curve.predicted:
        return []
    observed = zip(curve.observed, curve.low, curve.high, strict=True)
    seen = [f"{share(value, 2)} ({share(low, 2)} to {share(high, 2)})" for value, low, high in observed]
    rows = zip(map(count, curve.n), (share(risk, 2) for risk in curve.predicted), seen, strict=True)
    return ["", f"{ARMS[arm]}, by rising risk:", "", *_table(("Subjects", "Predicted risk", "Observed risk"), list(rows))]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [
        f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *([escaped(cell) for cell in row] for row in rows))
    ]


def _measured(name: Metric, measures: Mapping[Metric, Estimate]) -> str:
    estimate = measures.get(name)
    return "" if estimate is None or estimate.value is None else measured(name, estimate)


def _address(folder: Path) -> str:
    url = report_url(folder)
    if url:
        return f"[report.html]({url})"
    path = " ".join(str(folder / "report.html").replace("`", "'").split())
    return f"`{path}` on the machine of the worker"
