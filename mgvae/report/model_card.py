"""The card of a model: what it is for, how well it does, and where it must not be used."""

from __future__ import annotations

from mgvae.report.formatting import METRICS, count, event_share, measured, plural, share
from mgvae.report.overview import advice, performance
from mgvae.report.schema import Report
from mgvae.results.labels import model_name


def model_card(report: Report) -> str:
    """Return the card of a run's model, in Markdown. Every number in it is the report's."""
    chosen, cohort = report.recommendation, report.cohort
    if chosen is None:
        return ""
    horizon = f" within {plural(cohort.horizon_days, 'day')}" if cohort.horizon_days else ""
    cut = chosen.threshold.get("value")
    lines = [
        f"# Model of {report.title or report.study}",
        "",
        f"- Study `{report.study}`, run `{report.run_id}`, made {report.created_at}.",
        f"- Predicts: {cohort.outcome}{horizon}.",
        f"- Model: {model_name(chosen.arm, chosen.classifier)}, recalibrated on real patients, then fitted again on all "
        f"{count(cohort.n)} patients with {plural(cohort.events or 0, 'event')} ({event_share(cohort)}).",
        f"- Alert: from a risk of {share(float(cut), 2) if isinstance(cut, int | float) else 'unknown'}, the prevalence of the "
        "training part. Where a missed case and a false alarm cost differently, another threshold is better.",
        f"- Verdict: {report.verdict.sentence}",
        f"- {advice(report)}",
        "",
        "## Performance",
        "",
        "Of the model fitted on the training part; limits are 95 % intervals. Only an evaluation on other patients "
        "(`mgvae evaluate`) says how it does there.",
        "",
    ]
    for part in performance(report):
        lines += [f"{part.source}:", ""]
        lines += [f"- {METRICS[metric].label}: {measured(metric, estimate)}" for metric, estimate in part.scores.items()]
        lines.append("")
    lines += [
        "## Limits",
        "",
        "- Meant for patients like those of the study, described in its report; a row far from all of them is flagged.",
        "- It ranks and counts risks. It does not say what causes the outcome, or what a treatment would change.",
        *(f"- {warning}" for warning in report.warnings),
        *(f"- {finding.code} {finding.title}: {finding.detail}" for finding in report.findings if not finding.muted),
        "",
        "## Predictors",
        "",
        *(f"- {column.label}{f' ({column.unit})' if column.unit else ''}" for column in cohort.columns),
        "",
    ]
    return "\n".join(lines)
