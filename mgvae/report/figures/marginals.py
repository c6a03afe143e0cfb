"""The distribution of a column in majority, real cases and synthetic cases."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from markupsafe import Markup

from mgvae.report.figures.svg import axes, blank, drawing, inline
from mgvae.report.formatting import number, shorten
from mgvae.report.palette import light
from mgvae.results.synthetic import LevelsMarginal, NumericMarginal

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT = 270, 150
MOST_LEVELS = 6
MARKERS = {"majority": "s", "cases": "o", "synthetic": "X"}


def marginal(data: NumericMarginal | LevelsMarginal, *, key: str) -> Markup:
    """Draw histograms of a numeric column, or shares by level.

    The majority is a grey background for the real and synthetic cases.
    """
    with drawing(key):
        figure = blank(WIDTH, HEIGHT)
        if isinstance(data, NumericMarginal):
            _histograms(axes(figure, left=12, right=12, top=8, bottom=38), data)
        else:
            _levels(axes(figure, left=100, right=14, top=8, bottom=38), data)
        title = f"{data.label}: majority, real cases, synthetic cases"
        return inline(figure, title=title, description=f"Distance between real and synthetic cases {number(data.distance, 2)}.")


def _histograms(ax: Axes, data: NumericMarginal) -> None:
    edges = data.edges
    # bins may grow so much that only a logarithmic axis shows them all
    logarithmic = edges[0] > 0 and (edges[-1] - edges[-2]) > 10 * (edges[1] - edges[0])
    widths = _widths(edges, logarithmic=logarithmic)
    heights = {name: _density(getattr(data, name), widths) for name in MARKERS}
    ax.stairs(heights["majority"], edges, fill=True, color=light("rule"))
    ax.stairs(heights["majority"], edges, color=light("majority"), linewidth=0.8)
    ax.stairs(heights["cases"], edges, color=light("cases"), linewidth=1.9, baseline=None)
    ax.stairs(heights["synthetic"], edges, color=light("synthetic"), linewidth=1.9, baseline=None, linestyle=(0, (4, 1.6)))
    top = max((max(values, default=0) for values in heights.values()), default=0)
    ax.set(ylim=(0, 1.08 * top or 1), xlim=(edges[0], edges[-1]), yticks=[])
    if logarithmic:
        _log_axis(ax)
    else:
        ax.locator_params(axis="x", nbins=5)
    ax.spines["left"].set_visible(False)
    ax.set_xlabel(shorten(data.unit or "", 40))


def _levels(ax: Axes, data: LevelsMarginal) -> None:
    names, shares = _largest(data)
    for name, marker in MARKERS.items():
        fill = light("page") if name == "majority" else light(name)
        ax.plot(shares[name], range(len(names)), marker, color=light(name), markerfacecolor=fill, markersize=6.5, clip_on=False)
    for place in range(len(names)):
        ax.axhline(place, color=light("rule"), linewidth=0.7, zorder=0)
    ax.set_yticks(range(len(names)), [shorten(name, 14) for name in names])
    top = max((max(values, default=0) for values in shares.values()), default=0)
    ax.set(ylim=(len(names) - 0.5, -0.5), xlim=(0, min(1.05 * top, 1) or 1), xlabel="share of patients")
    ax.locator_params(axis="x", nbins=4)
    ax.xaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
    ax.tick_params(axis="y", length=0, labelcolor=light("ink"))
    ax.spines["left"].set_visible(False)


def _largest(data: LevelsMarginal) -> tuple[list[str], dict[str, list[float]]]:
    """Return the most frequent levels in their own order, and the rest together."""
    shares = {name: list(getattr(data, name)) for name in MARKERS}
    if len(data.levels) <= MOST_LEVELS:
        return list(data.levels), shares
    ranked = sorted(range(len(data.levels)), key=lambda i: -max(values[i] for values in shares.values()))
    kept = sorted(ranked[: MOST_LEVELS - 1])
    names = [*(data.levels[i] for i in kept), f"{len(data.levels) - len(kept)} others"]
    return names, {n: [*(v[i] for i in kept), sum(v) - sum(v[i] for i in kept)] for n, v in shares.items()}


def _density(shares: Sequence[float], widths: Sequence[float]) -> list[float]:
    total = sum(shares) or 1.0
    return [value / total / width for value, width in zip(shares, widths, strict=True)]


def _widths(edges: Sequence[float], *, logarithmic: bool) -> list[float]:
    pairs = pairwise(edges)
    return [math.log(high / low) if logarithmic else high - low for low, high in pairs]


def _log_axis(ax: Axes) -> None:
    from matplotlib.ticker import LogLocator, NullLocator

    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=6))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
