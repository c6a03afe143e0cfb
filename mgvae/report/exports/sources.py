"""What several documents say of a run and of the authors' texts."""

from __future__ import annotations

from mgvae.report.formatting import METRICS, count, event_share, measured, plural
from mgvae.report.overview import advice, performance
from mgvae.report.schema import Report
from mgvae.results.findings import counting


def written(report: Report, *keys: str) -> str:
    """Return the authors' texts of these keys of ``card``; where all are missing, where to write them."""
    texts = [text for key in keys if report.card and (text := getattr(report.card, key))]
    return "\n\n".join(texts) or f"Not stated. For the authors: card.{keys[0]} in cohort.yaml."


def participants(report: Report) -> str:
    """Return who was included, step by step, with events."""
    cohort = report.cohort
    if cohort.n is None or cohort.events is None:
        return "The extract failed validation; nobody was counted."
    steps = "; ".join(f"{step.label}: {count(step.n)}" for step in cohort.flow)
    return f"{plural(cohort.n, 'patient')}, {plural(cohort.events, 'event')} ({event_share(cohort, 1)}). {steps}"


def measures(report: Report) -> str:
    """Return the recommended model's measures with intervals, part by part."""
    parts = performance(report)
    if not parts:
        return "No model was evaluated."
    return " ".join(
        f"{part.source}: "
        + ", ".join(f"{METRICS[metric].label} {measured(metric, estimate)}" for metric, estimate in part.scores.items())
        + "."
        for part in parts
    )


def groups(report: Report) -> list[tuple[str, str]]:
    """Return AUROC by subgroup of the first model in the training part: name and value with interval."""
    models = report.subgroups.training.models if report.subgroups else ()
    return [
        (f"{column.label}: {group.level}", measured("auroc", group.measures["auroc"]))
        for model in models[:1]
        for column in model.columns
        for group in column.groups
        if "auroc" in group.measures
    ]


def risks(report: Report) -> str:
    """Return verdict, warnings and findings that count."""
    found = [f"{one.code} {one.title}: {one.detail}" for one in counting(report.findings)]
    return " ".join(part for part in (report.verdict.sentence, advice(report), *report.warnings, *found) if part)
