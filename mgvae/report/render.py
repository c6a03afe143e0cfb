"""The page of a report: a file that loads nothing, equal bytes for equal numbers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from mgvae.report import formatting, stability
from mgvae.report.answers import answers, study_sentence
from mgvae.report.checklist import probast, tripod
from mgvae.report.explanation_panels import explanation_panels
from mgvae.report.figures.calibration import BANDED
from mgvae.report.figures.inline import gate_bar, swatch
from mgvae.report.figures.panel import FOLDER, panels_in, write_panels
from mgvae.report.formatting import METRICS, VARIANTS, MetricStyle
from mgvae.report.glossary import GLOSSARY, meaning
from mgvae.report.overview import advice, banner, deciding_difference, performance, tiles
from mgvae.report.palette import css_variables
from mgvae.report.panels import classifiers_of, draw_panels
from mgvae.report.readings import decision_reading
from mgvae.report.schema import Report
from mgvae.report.subgroup_panels import subgroup_panels
from mgvae.results import labels
from mgvae.results.drift import drifted_columns
from mgvae.results.evaluation import EvaluationSummary, Metric, Variant

PAGE = "report.html"
HEADLINE: tuple[Metric, ...] = (
    "auroc",
    "auprc",
    "scaled_brier",
    "log_loss",
    "net_benefit",
    "observed_expected",
    "calibration_slope",
    "balanced_accuracy",
    "g_mean",
)
RANKS = [name for name in METRICS if name in ("auroc", "auprc") or "_at_alert_" in name or "_at_spec_" in name]
RECALIBRATED: tuple[Metric, ...] = ("observed_expected", "calibration_intercept", "calibration_slope", "brier")


def render(report: Report) -> str:
    """Return the page of a report."""
    return _page_of(report, _drawn(report))


def write_page(report: Report, folder: Path) -> None:
    """Write ``report.html`` into a folder, and beside it the folder ``figures`` with each figure and its numbers.

    A report without a figure has no such folder.
    """
    drawn = _drawn(report)
    (folder / PAGE).write_text(_page_of(report, drawn), encoding="utf-8")
    if panels := list(panels_in(drawn)):
        write_panels(panels, folder / FOLDER)


def _drawn(report: Report) -> dict[str, Any]:
    """Return what holds the figures of the page, by the name that the templates know."""
    return {
        "panels": draw_panels(report),
        "panelled": subgroup_panels(report.subgroups) if report.subgroups else None,
        "explained": explanation_panels(report.explanations) if report.explanations else None,
        "instability_panels": stability.instability_panels(report.instability) if report.instability else {},
        "learning_panels": stability.learning_panels(report.learning_curve) if report.learning_curve else [],
    }


def _page_of(report: Report, drawn: Mapping[str, Any]) -> str:
    return page(
        "page.html",
        r=report,
        banner=banner(report),
        answers=answers(report),
        study_sentence=study_sentence(report),
        tiles=tiles(report),
        advice=advice(report),
        deciding=deciding_difference(report.recommendation) if report.recommendation else "",
        performance=performance(report),
        drifted=drifted_columns(report.drift) if report.drift else [],
        all_groups=_groups(report.evaluation) if report.evaluation else [],
        classifiers=classifiers_of(report.evaluation) if report.evaluation else [],
        tripod=tripod(report),
        probast=probast(report),
        figures=FOLDER if any(panels_in(drawn)) else None,
        **drawn,
    )


def page(template: str, **values: object) -> str:
    """Return a page of another template with the report's macros, filters and style."""
    return _environment().get_template(template).render(**values)


def _groups(evaluation: EvaluationSummary) -> list[tuple[str, Variant, dict[Metric, MetricStyle]]]:
    """Return the groups of the table of all measures: name, variant, measures.

    Ranks are judged on raw probabilities, so one group holds those of all variants.
    """
    known = {
        metric
        for by_classifier in evaluation.arms.values()
        for variants in by_classifier.values()
        for scores in variants.values()
        for metric in scores
    }
    ranks, rest = (
        {name: METRICS[name] for name in METRICS if name in known and (name in RANKS) == chosen} for chosen in (1, 0)
    )
    return [("Ranks", "recalibrated", ranks), *((name, variant, rest) for variant, name in VARIANTS.items())]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("mgvae.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    filters = (formatting.count, formatting.number, formatting.share, formatting.duration, formatting.plain)
    environment.filters.update({function.__name__: function for function in filters})
    environment.globals.update(
        formatting=formatting,
        labels=labels,
        glossary=GLOSSARY,
        meaning=meaning,
        decision_reading=decision_reading,
        stability=stability,
        gate_bar=gate_bar,
        banded_arms=BANDED,
        swatch=swatch,
        headline_metrics=HEADLINE,
        recalibrated_metrics=RECALIBRATED,
        light_colours=css_variables(),
        dark_colours=css_variables(dark=True),
    )
    return environment
