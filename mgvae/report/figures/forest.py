"""Forest plot: each arm's paired difference from no correction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from mgvae.config.sections import Arm
from mgvae.report.figures.hover import name_rows
from mgvae.report.figures.svg import axes, blank, drawing, inline
from mgvae.report.formatting import METRICS, change
from mgvae.report.palette import ARM_STYLES, light
from mgvae.results.evaluation import Metric
from mgvae.results.labels import ARMS
from mgvae.results.numbers import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, ROW = 380, 27


def forest(
    differences: Mapping[Arm, Estimate], metric: Metric, *, span: tuple[float, float], key: str, title: str, reference: str
) -> Markup:
    """Draw a row for each arm: its difference with interval, and the line at 0.

    Args:
        differences: by arm, top to bottom.
        metric: decides which side is better.
        span: the horizontal range, so that panels side by side share it.
        key: names the figure on its page.
        title: the accessible name.
        reference: the arm that is subtracted, for the axis label.
    """
    arms = list(differences)
    with drawing(key):
        figure = blank(WIDTH, ROW * len(arms) + 62)
        ax = axes(figure, left=152, right=12, top=8, bottom=54)
        ax.axvline(0, color=light("axis"), linewidth=1.2)
        for place, arm in enumerate(arms):
            _row(ax, place, arm, differences[arm])
        ax.set_yticks(range(len(arms)), [ARMS[arm] for arm in arms])
        ax.set(ylim=(len(arms) - 0.5, -0.5), xlim=span)
        ax.locator_params(axis="x", nbins=4)
        ax.tick_params(axis="y", length=0, labelcolor=light("ink"))
        ax.spines["left"].set_visible(False)
        direction = {"higher": "better →", "lower": "← better"}.get(METRICS[metric].better, "")
        ax.set_xlabel(f"{METRICS[metric].short}, arm less {reference}\n{direction}")
        ax.grid(axis="x")
        said = [f"{ARMS[arm]} {change(metric, differences[arm])}" for arm in arms]
        name_rows(ax, dict(enumerate(said)))
        return inline(figure, title=title, description="; ".join(said) + ".")


def common_span(estimates: Sequence[Estimate]) -> tuple[float, float]:
    """Return a range that holds 0 and all values and limits, with some room."""
    known = [x for e in estimates for x in (e.value, e.low, e.high) if x is not None]
    low, high = min([0.0, *known]), max([0.0, *known])
    room = 0.06 * (high - low) or 0.01
    return low - room, high + room


def _row(ax: Axes, place: int, arm: Arm, estimate: Estimate) -> None:
    colour = light(ARM_STYLES[arm].colour)
    if estimate.low is not None and estimate.high is not None:
        ax.plot([estimate.low, estimate.high], [place, place], color=colour, linewidth=1.8, solid_capstyle="butt")
    if estimate.value is not None:
        ax.plot(estimate.value, place, ARM_STYLES[arm].marker, color=colour, markersize=7)
