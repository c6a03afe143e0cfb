"""Calibration curves of all arms on logarithmic axes, which suit rare outcomes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from markupsafe import Markup

from mgvae.config.sections import Arm
from mgvae.report.figures.svg import axes, blank, document, drawing, inline
from mgvae.report.formatting import ARMS, arm_names
from mgvae.report.palette import ARM_STYLES, light
from mgvae.results.evaluation import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

SIZE = 380
LEFT, BOTTOM = 64, 46  # px left of and below the axes
LEGEND_LINE = 18  # px
TICKS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
BANDED: tuple[Arm, ...] = ("none", "mgvae")


def floor_of(curves: Iterable[Curve]) -> float:
    """Return the lowest risk to draw.

    It is the power of ten at or below the smallest prediction and observed share above 0.
    """
    known = [x for curve in curves for x in (*curve.predicted, *curve.observed) if x > 0]
    return 10.0 ** max(math.floor(math.log10(min(known))), -5) if known else 1e-3


def calibration(curves: Mapping[Arm, Curve], *, floor: float, key: str, title: str) -> Markup:
    """Draw the observed share of events against predicted risk, a line for each arm.

    ``none`` and ``mgvae`` have intervals.

    Args:
        curves: by arm, in the order of drawing.
        floor: lowest risk on both axes; smaller values, and bins without an event, lie on it as hollow markers.
        key: names the figure on its page.
        title: the accessible name.
    """
    with drawing(key):
        figure = blank(SIZE, SIZE)
        _plot(axes(figure, left=LEFT, right=20, top=10, bottom=BOTTOM), curves, floor)
        return inline(figure, title=title, description=f"Arms: {arm_names(curves)}.")


def calibration_document(curves: Mapping[Arm, Curve]) -> str:
    """Draw the same as an SVG document of its own, with a legend below."""
    with drawing("calibration"):
        legend = LEGEND_LINE * (len(curves) + 1)
        figure = blank(SIZE, SIZE + legend)
        figure.set_facecolor(light("page"))
        lines = _plot(axes(figure, left=LEFT, right=20, top=10, bottom=BOTTOM + legend), curves, floor_of(curves.values()))
        handles, labels = [lines[arm] for arm in curves], [ARMS[arm] for arm in curves]
        figure.legend(handles, labels, loc="lower left", bbox_to_anchor=(LEFT / SIZE, 0), frameon=False, handlelength=3)
        return document(figure)


def _plot(ax: Axes, curves: Mapping[Arm, Curve], floor: float) -> dict[Arm, Line2D]:
    low = floor * 0.8
    ax.plot([low, 1], [low, 1], color=light("axis"), linewidth=1, linestyle=(0, (1, 2)))
    lines = {arm: _draw(ax, arm, curves[arm], floor) for arm in sorted(curves, key=lambda name: name in BANDED)}
    _log_axes(ax, low)
    return lines


def _draw(ax: Axes, arm: Arm, curve: Curve, floor: float) -> Line2D:
    style, strong = ARM_STYLES[arm], arm in BANDED
    colour = light(style.colour)
    x = [max(value, floor) for value in curve.predicted]
    y = [max(value, floor) for value in curve.observed]
    line = [value if value >= floor else math.nan for value in curve.observed]
    (drawn,) = ax.plot(
        x,
        line,
        color=colour,
        linewidth=2 if strong else 1.2,
        linestyle=(0, style.dash) if style.dash else "-",
        zorder=3 + strong,
    )
    for place, observed in enumerate(curve.observed):
        hollow = observed < floor
        fill = light("page") if hollow else colour
        ax.plot(
            x[place], y[place], style.marker, color=colour, markerfacecolor=fill, markersize=6.5 if strong else 4.5, zorder=5
        )
    if strong:
        _intervals(ax, curve, x, floor, colour)
    return drawn


def _intervals(ax: Axes, curve: Curve, x: list[float], floor: float, colour: str) -> None:
    for place, (low, high) in enumerate(zip(curve.low, curve.high, strict=True)):
        if low is not None and high is not None:
            ax.plot([x[place]] * 2, [max(low, floor), max(high, floor)], color=colour, linewidth=1.3, zorder=4, alpha=0.8)


def _log_axes(ax: Axes, low: float) -> None:
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    ticks = [tick for tick in TICKS if tick >= low]
    ax.set(xscale="log", yscale="log", xlim=(low, 1.15), ylim=(low, 1.15), aspect="equal")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(FixedLocator(ticks))
        axis.set_major_formatter(FixedFormatter([f"{100 * tick:g} %" for tick in ticks]))
        axis.set_minor_locator(NullLocator())
    ax.set(xlabel="predicted risk", ylabel="observed share of events")
    ax.grid()
