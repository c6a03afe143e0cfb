"""Decision curves: net benefit of all arms against the threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from mgvae.config.sections import Arm
from mgvae.report.figures.calibration import BANDED, draw_line
from mgvae.report.figures.hover import lines_by_arm, name_columns
from mgvae.report.figures.svg import axes, blank, drawing, inline
from mgvae.report.formatting import METRICS, arm_names, measured, number, share
from mgvae.report.palette import ARM_STYLES, light
from mgvae.results.evaluation import DecisionCurve, DecisionCurves
from mgvae.results.numbers import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT = 560, 340
TICKS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.9)
BELOW = 0.25  # of the height above 0: how far the axis goes below


def decision(found: DecisionCurves, curves: Mapping[Arm, DecisionCurve], *, top: float, key: str, title: str) -> Markup:
    """Draw net benefit against the threshold, a line for each arm, beside treating all and treating none.

    ``none`` and ``mgvae`` have their intervals as bands.

    Args:
        found: thresholds and treating all.
        curves: by arm, in the order of drawing.
        top: upper end of the axis, so that figures can share it.
        key: names the figure on its page.
        title: the accessible name.
    """
    with drawing(key):
        figure = blank(WIDTH, HEIGHT)
        ax = axes(figure, left=64, right=66, top=12, bottom=46)
        ax.plot(found.thresholds, found.treat_all, color=light("muted"), linewidth=1.4, linestyle=(0, (1, 2)))
        ax.axhline(0, color=light("axis"), linewidth=1.2)
        for arm in sorted(curves, key=lambda name: name in BANDED):
            _draw(ax, arm, curves[arm], found.thresholds)
        _frame(ax, found, top)
        name_columns(ax, found.thresholds, [_said(found, curves, place) for place in range(len(found.thresholds))])
        bounds = " to ".join(share(bound, 2) for bound in (found.thresholds[0], found.thresholds[-1]))
        return inline(figure, title=title, description=f"Arms: {arm_names(curves)}. Thresholds: {bounds}.")


def top_of(found: DecisionCurves) -> float:
    """Return an upper end of the axis above all curves, and above their bands unless these are very wide."""
    curves = [curve for by_classifier in found.arms.values() for curve in by_classifier.values()]
    values = max([*(value for curve in curves for value in curve.net_benefit), *found.treat_all, found.prevalence / 10])
    bands = max([value for curve in curves for value in curve.high if value is not None], default=values)
    return 1.05 * max(values, min(bands, 2 * values))


def _draw(ax: Axes, arm: Arm, curve: DecisionCurve, thresholds: Sequence[float]) -> None:
    draw_line(ax, arm, thresholds, curve.net_benefit)
    limits = [(t, low, high) for t, low, high in zip(thresholds, curve.low, curve.high, strict=True) if None not in (low, high)]
    if arm in BANDED and limits:
        x, low, high = (list(column) for column in zip(*limits, strict=True))
        ax.fill(x + x[::-1], low + high[::-1], color=light(ARM_STYLES[arm].colour), alpha=0.14, linewidth=0, zorder=2)


def _said(found: DecisionCurves, curves: Mapping[Arm, DecisionCurve], place: int) -> str:
    all_treated = number(found.treat_all[place], METRICS["net_benefit"].digits[0])
    head = f"Threshold {share(found.thresholds[place], 2)}; net benefit, treating all: {all_treated}"
    known = {arm: Estimate(value=c.net_benefit[place], low=c.low[place], high=c.high[place]) for arm, c in curves.items()}
    return lines_by_arm(head, {arm: measured("net_benefit", estimate) for arm, estimate in known.items()})


def _frame(ax: Axes, found: DecisionCurves, top: float) -> None:
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    low, high = found.thresholds[0], found.thresholds[-1]
    ticks = [tick for tick in TICKS if low <= tick <= high] or [low, high]
    ax.set(xscale="log", xlim=(low, high), ylim=(-BELOW * top, top), xlabel="decision threshold", ylabel="net benefit")
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_major_formatter(FixedFormatter([f"{100 * tick:g} %" for tick in ticks]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.locator_params(axis="y", nbins=5)
    ax.grid(axis="y")
    for part in (0, 25, 50, 75, 100):  # net benefit as a share of the largest possible one
        if part / 100 * found.prevalence <= top:
            place = (1.02, part / 100 * found.prevalence)
            ax.annotate(f"{part} %", place, xycoords=("axes fraction", "data"), va="center", color=light("muted"))
    ax.text(1.12, 0.5, "standardised", transform=ax.transAxes, rotation=90, ha="center", va="center", color=light("muted"))
    ax.annotate("treat none", (high, 0), (-2, -3), textcoords="offset points", ha="right", va="top", color=light("muted"))
    ax.annotate("treat all", (low, found.treat_all[0]), (4, 4), textcoords="offset points", color=light("muted"), rotation=0)
