"""report.json -> report.html: one file that needs nothing else, the same bytes for the same numbers."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from mgvae.report import formatting as text
from mgvae.report.checklist import probast, tripod
from mgvae.report.figures.calibration import BANDED
from mgvae.report.figures.inline import gate_bar, swatch
from mgvae.report.overview import advice, banner, deciding_difference, recommended_scores, tiles
from mgvae.report.palette import css_variables
from mgvae.report.panels import classifiers_of, gallery
from mgvae.report.schema import Report
from mgvae.results.drift import moved
from mgvae.results.evaluation import Metric

HEADLINE: tuple[Metric, ...] = (
    "auroc",
    "auprc",
    "scaled_brier",
    "observed_expected",
    "calibration_slope",
    "balanced_accuracy",
    "g_mean",
)
REPAIRED: tuple[Metric, ...] = ("observed_expected", "calibration_intercept", "calibration_slope", "brier")


def render(facts: Report) -> str:
    """Return the page of a report."""
    return (
        _environment()
        .get_template("page.html")
        .render(
            r=facts,
            banner=banner(facts),
            tiles=tiles(facts),
            advice=advice(facts.recommendation) if facts.recommendation else "",
            deciding=deciding_difference(facts.recommendation) if facts.recommendation else "",
            performance_source=(recommended_scores(facts) or ({}, ""))[1],
            moved=moved(facts.drift) if facts.drift else [],
            gallery=gallery(facts),
            classifiers=classifiers_of(facts.evaluation) if facts.evaluation else [],
            banded=[text.ARMS[arm] for arm in BANDED if facts.evaluation and arm in facts.evaluation.arms],
            tripod=tripod(facts),
            probast=probast(facts),
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("mgvae.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(count=text.count, number=text.number, share=text.share, duration=text.duration, plain=text.plain)
    environment.globals.update(
        words=text,
        gate_bar=gate_bar,
        swatch=swatch,
        headline_metrics=HEADLINE,
        repaired_metrics=REPAIRED,
        light_colours=css_variables(),
        dark_colours=css_variables(dark=True),
    )
    return environment
