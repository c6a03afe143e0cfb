"""The numbers of report.json in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from mgvae.config.sections import Classifier
from mgvae.report.formatting import (
    METRICS,
    UNKNOWN,
    VERDICTS,
    change,
    count,
    duration,
    event_share,
    gate_numbers,
    measured,
    number,
    plain,
    repair_effect,
    share,
)
from mgvae.report.overview import advice, banner, deciding_difference
from mgvae.report.schema import Lineage, Report
from mgvae.report.stability import stability_sentences
from mgvae.results.cohort import CohortSummary, ExtractValidation, FailedRule
from mgvae.results.drift import DriftFeature, DriftSummary, drifted_columns
from mgvae.results.evaluation import ArmScores, EvaluationSummary, Metric
from mgvae.results.gates import Gate
from mgvae.results.labels import ARMS, CLASSIFIERS
from mgvae.results.training import TrainingSummary

TONES = {"pass": "green", "warn": "yellow", "cannot_tell": "yellow", "fail": "red"}
MEASURES: tuple[Metric, ...] = ("auroc", "auprc", "scaled_brier", "observed_expected", "calibration_slope", "balanced_accuracy")


def show(report: Report, console: Console) -> None:
    """Print the numbers of a report, from its verdict to its lineage.

    Args:
        report: the report.
        console: where to print; plain text where it is not a terminal.
    """
    blocks = [_verdict(report), *_advice(report), _cohort(report.cohort), _validation(report.validation)]
    if report.drift:
        blocks += _drift(report.drift)
    if report.training:
        blocks.append(_training(report.training))
    if report.privacy:
        blocks.append(Text.assemble(("Privacy  ", "bold"), report.privacy.sentence))
    if report.synthetic:
        blocks.append(_verdicts(f"Gates on {count(report.synthetic.n)} synthetic cases", report.synthetic.gates))
    if report.evaluation:
        blocks += _evaluation(report.evaluation)
    blocks += map(Text, stability_sentences(report))
    blocks.append(_lineage(report.lineage))
    for block in blocks:
        console.print(block)
        console.print()


def _verdict(report: Report) -> RenderableType:
    verdict = banner(report)
    text = Text.assemble((verdict.headline, f"bold {TONES[verdict.tone]}"), "\n", verdict.detail)
    for one in report.findings:
        state = f"muted: {one.muted}" if one.muted else one.severity
        text.append(f"\n{one.code} {one.title} ({state}). {one.detail}", style="dim" if one.muted else "yellow")
    for warning in report.warnings:
        text.append(f"\nWarning: {warning}", style="yellow")
    title = Text(f"{report.title or report.study} · {report.run_id}")
    return Panel(text, title=title, title_align="left", border_style=TONES[verdict.tone])


def _advice(report: Report) -> list[RenderableType]:
    if report.recommendation is None:
        return []
    deciding = deciding_difference(report.recommendation) or UNKNOWN
    text = Text.assemble((advice(report), "bold"), "\n", report.recommendation.reason)
    return [text.append(f"\nPaired difference that decided: {deciding}")]


def _cohort(cohort: CohortSummary) -> RenderableType:
    table = _table("Cohort", "", "Patients", "Events")
    for step in cohort.flow:
        _add(table, step.label, count(step.n), count(step.events))
    if not cohort.flow:
        _add(table, "Eligible", count(cohort.n), count(cohort.events))
    _add(table, "Training part", count(cohort.n_train), count(cohort.events_train))
    _add(table, "Test part", count(cohort.n_test), count(cohort.events_test))
    table.caption = Text(f"Outcome: {cohort.outcome}; prevalence {event_share(cohort)}", style="dim")
    return table


def _validation(validation: ExtractValidation) -> RenderableType:
    state = f"{count(validation.expectations)} expectations, {count(len(validation.failed))} failed"
    if not validation.failed:
        return Text.assemble(
            ("Validation  ", "bold"), (VERDICTS["pass" if validation.passed else "fail"], "green"), f"  {state}"
        )
    return failed_table(validation.failed, f"Validation: {state}")


def failed_table(failed: Sequence[FailedRule], title: str) -> Table:
    """Return the rules that an extract breaks as a table."""
    table = _table(title, "Column", "What must hold", "Broken by")
    for failure in failed:
        _add(table, failure.column, failure.rule, count(failure.count))
    return table


def _training(training: TrainingSummary) -> RenderableType:
    title = f"Training on {training.device}, {count(training.parameters)} parameters"
    table = _table(title, "", "Epochs", "Held-out ELBO", "EWC λ", "Time")
    before, after = training.pretrain, training.finetune
    _add(table, "Pre-training", count(before.epochs), number(before.heldout_elbo, 2), UNKNOWN, duration(before.seconds))
    elbo, weight = number(after.heldout_elbo, 2), plain(after.ewc_lambda)
    _add(table, "Fine-tuning", count(after.epochs), elbo, weight, duration(after.seconds))
    return table


def show_gates(report: Report, console: Console) -> None:
    """Print the gates on the synthetic cases, each with its reason and threshold."""
    if report.synthetic is None:
        console.print("No synthetic cases: nothing was trained on this extract.")
        return
    gates, repair = report.synthetic.gates, report.synthetic.repair
    if repair is not None:
        console.print(Text(f"{repair.record.sentence} {repair_effect(repair)}\n"))
    console.print(_verdicts(f"Gates on {count(report.synthetic.n)} synthetic cases", gates))
    for gate in gates:
        if gate.verdict != "pass":
            real = "" if gate.real is None else f" Real against real: {number(gate.real, 3)}."
            console.print(Text.assemble(_verdict_of(gate), f" {gate.label}. {gate.detail}{real} Threshold: {gate.rule}."))


def _verdicts(title: str, gates: Sequence[Gate]) -> RenderableType:
    table = _table(title, "", "Verdict", "Value", "Threshold")
    for gate in gates:
        value, limits, threshold = gate_numbers(gate)
        _add(table, gate.label, _verdict_of(gate), f"{value} {limits}".rstrip(), threshold)
    return table


def _verdict_of(judged: Gate | DriftFeature) -> Text:
    return Text(VERDICTS[judged.verdict], style=TONES[judged.verdict])


def _drift(drift: DriftSummary) -> list[RenderableType]:
    blocks = [_verdicts(f"Drift against the extract of run {drift.reference.run_id}", drift.gates)]
    found = drifted_columns(drift)
    if found:
        table = _table("Columns that drifted", "", "Verdict", "Stability index", "By chance", "KS", "Missing before", "Now")
        for one in found:
            numbers = (number(one.psi), number(one.noise), number(one.ks))
            _add(table, one.name, _verdict_of(one), *numbers, share(one.missing_before), share(one.missing_after))
        blocks.append(table)
    return blocks


def _evaluation(evaluation: EvaluationSummary) -> list[RenderableType]:
    classifiers = dict.fromkeys(name for by_classifier in evaluation.arms.values() for name in by_classifier)
    blocks: list[RenderableType] = []
    for classifier in classifiers:
        for source, arms in (("cross-validation", evaluation.arms), ("hold-out", evaluation.holdout)):
            if arms:
                blocks.append(_arms(f"{CLASSIFIERS[classifier]}, recalibrated, {source}", arms, classifier))
        blocks.append(_differences(evaluation, classifier))
    return blocks


def _arms(title: str, arms: ArmScores, classifier: Classifier) -> RenderableType:
    table = _table(title, "Arm", *(METRICS[metric].short for metric in MEASURES))
    for arm, by_classifier in arms.items():
        scores = by_classifier.get(classifier, {}).get("recalibrated", {})
        _add(table, ARMS[arm], *(measured(metric, scores.get(metric)).replace(" (", "\n(") for metric in MEASURES))
    return table


def _differences(evaluation: EvaluationSummary, classifier: Classifier) -> RenderableType:
    metrics: tuple[Metric, ...] = ("auroc", "scaled_brier", "balanced_accuracy")
    table = _table(
        f"{CLASSIFIERS[classifier]}, paired difference from no correction", "Arm", *(METRICS[m].label for m in metrics)
    )
    for arm, by_classifier in evaluation.differences.items():
        found = by_classifier.get(classifier, {})
        _add(table, ARMS[arm], *(change(metric, found.get(metric)) for metric in metrics))
    return table


def _lineage(lineage: Lineage) -> RenderableType:
    cached = sum(stage.cached for stage in lineage.stages)
    extract = lineage.extract_sha256[:16] if lineage.extract_sha256 else UNKNOWN
    parts = [f"extract {extract}", f"code {lineage.code_version}", f"seed {lineage.seed}", lineage.machine]
    return Text(" · ".join([*parts, f"{cached} of {len(lineage.stages)} stages reused"]), style="dim")


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(
        title=Text(title, style="bold"), title_justify="left", box=box.SIMPLE_HEAD, caption_justify="left", pad_edge=False
    )
    table.add_column(Text(first))
    for name in others:
        table.add_column(Text(name), justify="right" if name != "What must hold" else "left")
    return table


def _add(table: Table, *cells: str | Text) -> None:
    """Add a row as plain text: a label in square brackets is not markup."""
    table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in cells))
