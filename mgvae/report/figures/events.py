"""Performance against the number of training events."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from mgvae.report.figures.hover import lines_below, name_columns
from mgvae.report.figures.svg import axes, blank, drawing, inline
from mgvae.report.formatting import METRICS, measured, number
from mgvae.report.palette import ARM_STYLES, light
from mgvae.results.evaluation import Metric
from mgvae.results.labels import ARMS, CLASSIFIERS
from mgvae.results.learning_curve import LearningLine

WIDTH, HEIGHT = 380, 260


def by_events(lines: Sequence[LearningLine], metric: Metric, *, key: str) -> Markup | None:
    """Draw a measure with its interval against training events, a line for each model.

    Nothing is drawn where the measure is unknown throughout.
    """
    known = {_name(line): found for line in lines if (found := _points(line, metric))}
    if not known:
        return None
    label, digits = METRICS[metric].label, METRICS[metric].digits[0]
    with drawing(key):
        figure = blank(WIDTH, HEIGHT)
        ax = axes(figure, left=64, right=14, top=12, bottom=44)
        for line in lines:
            style, points = ARM_STYLES[line.arm], known.get(_name(line), [])
            if not points:
                continue
            mark: Any = {"marker": style.marker, "markersize": 5, "linestyle": style.line}
            events, values = [point[0] for point in points], [point[1] for point in points]
            ax.plot(events, values, color=light(style.colour), label=_name(line), **mark)
            low, high = [point[2] for point in points], [point[3] for point in points]
            ax.fill_between(events, low, high, color=light(style.colour), alpha=0.15, linewidth=0)
        ax.set(xlabel="training events", ylabel=METRICS[metric].short, xlim=(0, None))
        ax.grid()
        ax.legend(frameon=False, loc="best", fontsize=10, labelcolor=light("ink"))
        texts = _texts(lines, metric)
        name_columns(ax, list(texts), list(texts.values()))
        words = (f"{name}: {', '.join(number(point[1], digits) for point in points)}" for name, points in known.items())
        return inline(figure, title=f"{label} by training events", description="; ".join(words) + ".")


def _name(line: LearningLine) -> str:
    return f"{ARMS[line.arm]}, {CLASSIFIERS[line.classifier].lower()}"


def _texts(lines: Sequence[LearningLine], metric: Metric) -> dict[float, str]:
    """Return what is said of each number of events, in rising order."""
    by_number: dict[float, dict[str, str]] = {}
    for line in lines:
        for point in line.points:
            by_number.setdefault(point.events, {})[_name(line)] = measured(metric, point.scores[metric])
    head = f"training events; {METRICS[metric].label}:"
    return {events: lines_below(f"{number(events, 0)} {head}", said) for events, said in sorted(by_number.items())}


def _points(line: LearningLine, metric: Metric) -> list[tuple[float, float, float, float]]:
    """Return events, value and limits where the value is known; unknown limits are NaN."""
    found = [(point.events, point.scores[metric]) for point in line.points]
    return [(x, e.value, _known(e.low), _known(e.high)) for x, e in found if e.value is not None]


def _known(limit: float | None) -> float:
    return math.nan if limit is None else limit
