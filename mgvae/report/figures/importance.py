"""Figures of the explanations: shares of the predictors, contributions by value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from mgvae.config.sections import Arm
from mgvae.report.figures.svg import axes, blank, drawing, inline
from mgvae.report.formatting import limits, number, shorten
from mgvae.report.palette import ARM_STYLES, light
from mgvae.results.explanations import Dependence, DependencePoint, Importance
from mgvae.results.labels import ARMS
from mgvae.results.numbers import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, ROW = 420, 30
SMALL = (250, 190)
MOST_LEVELS = 6
LABEL = 24  # characters beside a row


def shares(by_arm: Mapping[Arm, Mapping[str, Importance]], names: Sequence[str], *, key: str, title: str) -> Markup:
    """Draw the share of each predictor with its interval, a bar for each arm.

    Args:
        by_arm: importances by predictor; the first arm's bars lie on top.
        names: predictors, top to bottom.
        key: names the figure on its page.
        title: the accessible name.
    """
    first = next(iter(by_arm.values()))
    height = 0.76 / len(by_arm)
    with drawing(key):
        figure = blank(WIDTH, ROW * len(names) + 62)
        ax = axes(figure, left=172, right=14, top=8, bottom=54)
        for place, (arm, found) in enumerate(by_arm.items()):
            for row, name in enumerate(names):
                _bar(ax, row + height * (place - (len(by_arm) - 1) / 2), 0.8 * height, arm, found[name].share)
        _rows(ax, [first[name].label for name in names])
        ax.set(xlim=(0, None), xlabel="share of the mean absolute contributions")
        ax.xaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
        described = (f"{ARMS[arm]}: {'; '.join(_written(found[name]) for name in names)}." for arm, found in by_arm.items())
        return inline(figure, title=title, description=" ".join(described))


def swarm(dependences: Sequence[Dependence], *, span: tuple[float, float], key: str, title: str) -> Markup:
    """Draw the contributions of each predictor by bin of its value, a marker a bin.

    The darker a marker, the higher the value; hollow ones are patients without a value; the area grows with their number.

    Args:
        dependences: a row each, top to bottom.
        span: the horizontal range, so that panels side by side share it.
        key: names the figure on its page.
        title: the accessible name.
    """
    with drawing(key):
        figure = blank(WIDTH, ROW * len(dependences) + 62)
        ax = axes(figure, left=172, right=14, top=8, bottom=54)
        ax.axvline(0, color=light("axis"), linewidth=1.2)
        for row, dependence in enumerate(dependences):
            total = sum(point.n for point in dependence.points)
            valued = [point for point in dependence.points if not _without_value(point)]
            for point in dependence.points:
                darkness = 0.25 + 0.75 * (valued.index(point) / max(len(valued) - 1, 1)) if point in valued else 1
                fill = light("cases") if point in valued else "none"
                size = 4 + 9 * (point.n / total) ** 0.5
                at = _value(point)
                ax.plot(at, row, "o", color=light("cases"), markerfacecolor=fill, markersize=size, alpha=darkness)
        _rows(ax, [dependence.label for dependence in dependences])
        ax.set(xlim=span, xlabel="mean contribution to the log odds")
        return inline(figure, title=title, description="; ".join(map(_swarm_text, dependences)) + ".")


def dependence(by_arm: Mapping[Arm, Dependence], *, key: str, title: str) -> Markup:
    """Draw the mean contribution of a predictor against its value, a line for each arm.

    Levels lie on the vertical axis. Patients without a number lie as hollow markers beyond the largest value.

    Args:
        by_arm: of one predictor, in the order of drawing.
        key: names the figure on its page.
        title: the accessible name.
    """
    first = next(iter(by_arm.values()))
    levels = any(point.level is not None and not _without_value(point) for point in first.points)
    with drawing(key):
        figure = blank(*SMALL)
        ax = axes(figure, left=86 if levels else 62, right=12, top=8, bottom=46)
        if levels:
            _levels(ax, by_arm)
        else:
            _numbers(ax, by_arm)
        ax.grid()
        described = (f"{ARMS[arm]}: {_points_text(found.points)}." for arm, found in by_arm.items())
        return inline(figure, title=title, description=" ".join(described))


def _bar(ax: Axes, middle: float, height: float, arm: Arm, share: Estimate) -> None:
    colour = light(ARM_STYLES[arm].colour)
    ax.barh(middle, share.value or 0.0, height, color=colour, alpha=0.55, linewidth=0)
    if share.low is not None and share.high is not None:
        ax.plot([share.low, share.high], [middle, middle], color=colour, linewidth=1.8, solid_capstyle="butt")


def _rows(ax: Axes, labels: Sequence[str]) -> None:
    ax.set_yticks(range(len(labels)), [shorten(label, LABEL) for label in labels])
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.locator_params(axis="x", nbins=4)
    ax.tick_params(axis="y", length=0, labelcolor=light("ink"))
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x")


def _levels(ax: Axes, by_arm: Mapping[Arm, Dependence]) -> None:
    names = list(dict.fromkeys(str(point.level) for found in by_arm.values() for point in found.points))[:MOST_LEVELS]
    ax.axvline(0, color=light("axis"), linewidth=1.2)
    for place, (arm, found) in enumerate(by_arm.items()):
        style = ARM_STYLES[arm]
        for point in found.points:
            if point.level in names:
                row = names.index(str(point.level)) + 0.24 * (place - (len(by_arm) - 1) / 2)
                _interval(ax, point.contribution, row, light(style.colour))
                ax.plot(_value(point), row, style.marker, color=light(style.colour), markersize=6)
    ax.set_yticks(range(len(names)), [shorten(name, 12) for name in names])
    ax.set(ylim=(len(names) - 0.5, -0.5), xlabel="contribution")
    ax.locator_params(axis="x", nbins=4)
    ax.tick_params(axis="y", length=0, labelcolor=light("ink"))


def _interval(ax: Axes, estimate: Estimate, row: float, colour: str) -> None:
    if estimate.low is not None and estimate.high is not None:
        ax.plot([estimate.low, estimate.high], [row, row], color=colour, linewidth=1.5, solid_capstyle="butt")


def _numbers(ax: Axes, by_arm: Mapping[Arm, Dependence]) -> None:
    first = next(iter(by_arm.values()))
    values = [point.value for point in first.points if point.value is not None]
    low, high = min(values, default=0.0), max(values, default=1.0)
    beyond = high + 0.12 * ((high - low) or 1.0)
    ax.axhline(0, color=light("axis"), linewidth=1.2)
    for arm, found in by_arm.items():
        style = ARM_STYLES[arm]
        colour = light(style.colour)
        x = [point.value for point in found.points if point.value is not None]
        y = [_value(point) for point in found.points if point.value is not None]
        ax.plot(x, y, style.marker, color=colour, linestyle=style.line, markersize=5)
        for point in found.points:
            at, estimate = beyond if point.value is None else point.value, point.contribution
            if estimate.low is not None and estimate.high is not None:
                ax.plot([at, at], [estimate.low, estimate.high], color=colour, linewidth=1.2)
            if point.value is None:
                ax.plot(at, _value(point), style.marker, color=colour, markerfacecolor=light("page"), markersize=6)
    ax.set(ylabel="contribution", xlabel=shorten(first.unit or "value", 30))
    ax.locator_params(nbins=4)


def _value(point: DependencePoint) -> float:
    value = point.contribution.value
    return math.nan if value is None else value


def _without_value(point: DependencePoint) -> bool:
    return point.level == "missing"


def _written(importance: Importance) -> str:
    share = importance.share
    percent = Estimate(**{name: None if x is None else 100 * x for name, x in dict(share).items()})
    return f"{importance.label} {number(percent.value, 1)} % {limits(percent, 1)}".rstrip()


def _points_text(points: Sequence[DependencePoint]) -> str:
    return "; ".join(
        f"{point.level if point.value is None else number(point.value, 2)}: {number(point.contribution.value, 2)}"
        for point in points
    )


def _swarm_text(dependence: Dependence) -> str:
    return f"{dependence.label} ({_points_text(dependence.points)})"


def common_range(dependences: Sequence[Dependence]) -> tuple[float, float]:
    """Return a range that holds 0 and all mean contributions, with some room."""
    known = [p.contribution.value for d in dependences for p in d.points if p.contribution.value is not None]
    low, high = min([0.0, *known]), max([0.0, *known])
    room = 0.08 * (high - low) or 0.01
    return low - room, high + room
