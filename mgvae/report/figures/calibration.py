"""Calibration curves of all arms on logarithmic axes, where a prevalence of 2 % has room."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from markupsafe import Markup

from mgvae.config.sections import Arm
from mgvae.report.figures.svg import axes, blank, drawing, inline
from mgvae.report.formatting import ARMS, listing
from mgvae.report.palette import ARM_STYLES, light
from mgvae.results.evaluation import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = 380
TICKS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
BANDED: tuple[Arm, ...] = ("none", "mgvae")


def floor_of(curves: list[Curve]) -> float:
    """Return the lowest risk to draw: the power of ten at or below the smallest prediction and observed share above 0."""
    known = [x for curve in curves for x in (*curve.predicted, *curve.observed) if x > 0]
    return 10.0 ** max(math.floor(math.log10(min(known))), -5) if known else 1e-3


def calibration(curves: Mapping[Arm, Curve], *, floor: float, key: str, title: str) -> Markup:
    """Return observed share of events against predicted risk, one line an arm, intervals for ``none`` and ``mgvae``.

    Args:
        curves: by arm, in the order of drawing.
        floor: lowest risk on both axes; smaller values, and bins without an event, lie on it as hollow markers.
        key: names the figure on its page.
        title: the accessible name.
    """
    with drawing(key):
        figure = blank(SIZE, SIZE)
        ax = axes(figure, left=64, right=20, top=10, bottom=46)
        low = floor * 0.8
        ax.plot([low, 1], [low, 1], color=light("axis"), linewidth=1, linestyle=(0, (1, 2)))
        for arm in sorted(curves, key=lambda name: name in BANDED):
            _draw(ax, arm, curves[arm], floor)
        _log_axes(ax, low)
        return inline(figure, title=title, description=f"Arms: {listing([ARMS[a] for a in curves])}.")


def _draw(ax: Axes, arm: Arm, curve: Curve, floor: float) -> None:
    style, strong = ARM_STYLES[arm], arm in BANDED
    colour = light(style.colour)
    x = [max(value, floor) for value in curve.predicted]
    y = [max(value, floor) for value in curve.observed]
    line = [value if value >= floor else math.nan for value in curve.observed]
    ax.plot(
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
