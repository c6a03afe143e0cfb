"""Calibration curves of all arms on logarithmic axes, which suit rare outcomes.

Where there is a smooth curve, it is the line of its arm and the points are the bins; else the line joins the bins.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from mgvae.config.sections import Arm
from mgvae.report.figures.hover import name_mark
from mgvae.report.figures.svg import axes, blank, drawing, inline
from mgvae.report.formatting import arm_names, count, number, share
from mgvae.report.palette import ARM_STYLES, light
from mgvae.results.evaluation import Curve, Risks, SmoothCurve
from mgvae.results.labels import ARMS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = 380
LEFT, BOTTOM = 64, 46  # px left of and below the axes
STRIP = 64  # px below the axes for the histogram
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

    ``none`` and ``mgvae`` have intervals, and below histograms of their predictions: subjects without the event upwards, those
    with it downwards, each in proportion to the highest bar.

    Args:
        curves: by arm, in the order of drawing.
        floor: lowest risk on both axes; smaller values, and bins without an event, lie on it as hollow markers.
        key: names the figure on its page.
        title: the accessible name.
    """
    with drawing(key):
        shown = {arm: curve.risks for arm, curve in curves.items() if arm in BANDED and curve.risks is not None}
        strip = STRIP if shown else 0
        figure = blank(SIZE, SIZE + strip)
        ax = axes(figure, left=LEFT, right=20, top=10, bottom=BOTTOM + strip)
        _plot(ax, curves, floor)
        if shown:
            _strip(axes(figure, left=LEFT, right=20, top=SIZE + 6, bottom=2), shown, ax.get_xlim(), floor)
        return inline(figure, title=title, description=f"Arms: {arm_names(curves)}.")


def _plot(ax: Axes, curves: Mapping[Arm, Curve], floor: float) -> None:
    low = floor * 0.8
    ax.plot([low, 1], [low, 1], color=light("axis"), linewidth=1, linestyle=(0, (1, 2)))
    for arm in sorted(curves, key=lambda name: name in BANDED):
        _draw(ax, arm, curves[arm], floor)
    _log_axes(ax, low)


def draw_line(ax: Axes, arm: Arm, x: Sequence[float], y: Sequence[float]) -> None:
    """Draw an arm's line in its style; those of `BANDED` are heavier and lie above the others."""
    style, strong = ARM_STYLES[arm], arm in BANDED
    (line,) = ax.plot(x, y, color=light(style.colour), linewidth=2 if strong else 1.2, linestyle=style.line, zorder=3 + strong)
    name_mark(line, ARMS[arm])


def _draw(ax: Axes, arm: Arm, curve: Curve, floor: float) -> None:
    style, strong = ARM_STYLES[arm], arm in BANDED
    colour = light(style.colour)
    x = [max(value, floor) for value in curve.predicted]
    y = [max(value, floor) for value in curve.observed]
    line = (x, curve.observed) if curve.smooth is None else (curve.smooth.predicted, curve.smooth.observed)
    draw_line(ax, arm, line[0], [value if value >= floor else math.nan for value in line[1]])
    for place, observed in enumerate(curve.observed if strong or curve.smooth is None else ()):
        hollow = observed < floor
        fill = light("page") if hollow else colour
        size = 6.5 if strong else 4.5
        (mark,) = ax.plot(x[place], y[place], style.marker, color=colour, markerfacecolor=fill, markersize=size, zorder=5)
        name_mark(mark, _bin_text(arm, curve, place))
    if strong:
        _intervals(ax, curve, x, floor, colour)
        if curve.smooth is not None:
            _band(ax, curve.smooth, floor, colour)


def _bin_text(arm: Arm, curve: Curve, place: int) -> str:
    low, high = curve.low[place], curve.high[place]
    limits = "" if low is None or high is None else f" ({number(100 * low, 2)} to {number(100 * high, 2)})"
    observed = f"observed {share(curve.observed[place], 2)}{limits}"
    return f"{ARMS[arm]}: predicted {share(curve.predicted[place], 2)}, {observed}, {count(curve.n[place])} patients"


def _intervals(ax: Axes, curve: Curve, x: list[float], floor: float, colour: str) -> None:
    for place, (low, high) in enumerate(zip(curve.low, curve.high, strict=True)):
        if low is not None and high is not None:
            ax.plot([x[place]] * 2, [max(low, floor), max(high, floor)], color=colour, linewidth=1.3, zorder=4, alpha=0.8)


def _band(ax: Axes, smooth: SmoothCurve, floor: float, colour: str) -> None:
    known = [
        (x, max(low, floor), max(high, floor))
        for x, low, high in zip(smooth.predicted, smooth.low, smooth.high, strict=True)
        if low is not None and high is not None
    ]
    if known:
        x, low, high = (list(column) for column in zip(*known, strict=True))
        ax.fill(x + x[::-1], low + high[::-1], color=colour, alpha=0.14, linewidth=0, zorder=2)


def _strip(ax: Axes, shown: Mapping[Arm, Risks], limits: tuple[float, float], floor: float) -> None:
    for arm, risks in shown.items():
        edges = [min(max(edge, floor), limits[1]) for edge in risks.edges]
        for sign, counts in ((1, risks.others), (-1, risks.events)):
            density = risks.density(counts)
            highest = max(density, default=0.0)
            if highest > 0:
                heights = [sign * one / highest for one in density]
                ax.stairs(heights, edges, color=light(ARM_STYLES[arm].colour), linewidth=1.2)
    ax.axhline(0, color=light("axis"), linewidth=0.8)
    ax.set(xscale="log", xlim=limits, ylim=(-1.1, 1.1))
    ax.set_axis_off()


def _log_axes(ax: Axes, low: float) -> None:
    ax.set(xscale="log", yscale="log", xlim=(low, 1.15), ylim=(low, 1.15), aspect="equal")
    for axis in (ax.xaxis, ax.yaxis):
        risk_ticks(axis, low)
    ax.set(xlabel="predicted risk", ylabel="observed share of events")
    ax.grid()


def risk_ticks(axis: Any, low: float) -> None:
    """Set the ticks of a logarithmic axis of risks that begins at ``low``."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    ticks = [tick for tick in TICKS if tick >= low]
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FixedFormatter([f"{100 * tick:g} %" for tick in ticks]))
    axis.set_minor_locator(NullLocator())
