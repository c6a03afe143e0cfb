"""The page of monitoring: control charts of performance by cohort of entry, and of the extracts of the nights."""

from __future__ import annotations

from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mgvae.report.figures.svg import axes, blank, drawing, inline
from mgvae.report.formatting import count, limits, number, share
from mgvae.report.palette import css_variables, light
from mgvae.results.monitoring import Monitoring
from mgvae.results.numbers import Estimate

WIDTH, HEIGHT = 680, 190


def monitoring_page(found: Monitoring) -> str:
    """Return the page, one file without links."""
    helpers = {"count": count, "number": number, "share": share, "limits": limits}
    months = [one.month for one in found.cohorts]
    charts = {
        "AUROC": ([one.auroc for one in found.cohorts], found.expected_auroc),
        "Observed/expected": ([one.observed_expected for one in found.cohorts], 1.0),
        "Slope": ([one.slope for one in found.cohorts], 1.0),
        "Alerts": ([Estimate(value=one.alerts) for one in found.cohorts], None),
    }
    nights = [one.created_at[:10] for one in found.nights]
    extracts = {
        "Largest change in missing cells": [Estimate(value=one.missing) for one in found.nights],
        "Largest stability index": [Estimate(value=one.psi) for one in found.nights],
    }
    days = [one.scored_at[:10] for one in found.scored]
    scored = {
        "Stability index of the risks": [Estimate(value=one.psi) for one in found.scored],
        "Largest change in missing cells of scored patients": [Estimate(value=one.missing) for one in found.scored],
    }
    return (
        Environment(loader=PackageLoader("mgvae.report"), autoescape=True, undefined=StrictUndefined)
        .get_template("monitoring.html")
        .render(
            m=found,
            colours=css_variables(),
            sentence=sentence(found),
            model_charts=[control_chart(title, months, values, centre) for title, (values, centre) in charts.items()],
            scored_charts=[control_chart(title, days, values, None) for title, values in scored.items()],
            night_charts=[control_chart(title, nights, values, None) for title, values in extracts.items()],
            **helpers,
        )
    )


def sentence(found: Monitoring) -> str:
    """Return what the reader must know, in a sentence."""
    months = [f"{one.month} ({'; '.join(one.signals)})" for one in found.cohorts if one.signals]
    nights = sum(bool(one.signals) for one in found.nights)
    known = any(one.auroc.value is not None for one in found.cohorts)
    quiet = "The model gives no signal." if known else "Nothing is known of the model yet."
    model = f"The model signals in {', '.join(months)}." if months else quiet
    scored = sum(bool(one.signals) for one in found.scored)
    today = f" In {count(scored)} of {count(len(found.scored))} scorings the patients differ." if found.scored else ""
    return f"{model}{today} {count(nights)} of {count(len(found.nights))} extracts drifted."


def control_chart(title: str, labels: Sequence[str], values: Sequence[Estimate], centre: float | None) -> Markup:
    """Return values with their intervals over time as SVG; unknown ones are left out."""
    known = [(place, one) for place, one in enumerate(values) if one.value is not None]
    with drawing(f"monitor-{title.lower().replace(' ', '-').replace('/', '-')}"):
        figure = blank(WIDTH, HEIGHT)
        plot = axes(figure, left=60, right=20, top=26, bottom=34)
        plot.set_title(title, loc="left")
        colour = light("ink")
        for place, one in known:
            if one.low is not None and one.high is not None:
                plot.plot([place, place], [one.low, one.high], color=colour, linewidth=1)
        plot.plot([place for place, _ in known], [one.value or 0.0 for _, one in known], "o-", color=colour, markersize=4)
        if centre is not None:
            plot.axhline(centre, color=colour, linestyle="--", linewidth=0.8)
        step = -(-len(labels) // 7) or 1  # rounded up: labels must not overlap
        plot.set_xticks(range(0, len(labels), step), [labels[place] for place in range(0, len(labels), step)])
        plot.set_xlim(-0.5, max(len(labels) - 0.5, 0.5))
        described = f"{len(known)} of {len(values)} values known." + (
            "" if centre is None else f" Centre line at {centre:.3g}."
        )
        return inline(figure, title=title, description=described)
