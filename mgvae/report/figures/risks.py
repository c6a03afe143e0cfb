"""How predicted risks are distributed among patients with and without the event."""

from __future__ import annotations

import math
from collections.abc import Iterable

from markupsafe import Markup

from mgvae.report.figures.calibration import risk_ticks
from mgvae.report.figures.hover import name_bars
from mgvae.report.figures.svg import axes, blank, drawing, inline
from mgvae.report.formatting import count, number, share
from mgvae.report.palette import light
from mgvae.results.evaluation import Risks

WIDTH, HEIGHT = 380, 220
SIDES = {"others": ("without the event", "majority"), "events": ("with the event", "cases")}


def distributions(found: Risks, *, floor: float, key: str, title: str) -> Markup:
    """Draw the histogram of the risks of patients with the event over that of the others, each of area 1.

    Args:
        found: counts by bar.
        floor: lower end of the axis.
        key: names the figure on its page.
        title: the accessible name.
    """
    with drawing(key):
        figure = blank(WIDTH, HEIGHT)
        ax = axes(figure, left=20, right=20, top=12, bottom=46)
        drawn = {side: found.density(getattr(found, side)) for side in SIDES}
        ax.stairs(drawn["others"], found.edges, fill=True, color=light("rule"))
        for side, (_, colour) in SIDES.items():
            ax.stairs(drawn[side], found.edges, color=light(colour), linewidth=1.9, label=side)
        ax.set(ylim=(0, 1.08 * max([*drawn["others"], *drawn["events"]], default=1) or 1), yticks=[], xlabel="predicted risk")
        ax.set(xscale="log", xlim=(floor * 0.8, 1.15))
        risk_ticks(ax.xaxis, floor * 0.8)
        ax.spines["left"].set_visible(False)
        name_bars(ax, found.edges, [_bar_text(found, place) for place in range(len(found.events))])
        said = "; ".join(f"{count(round(sum(getattr(found, side))))} {name}" for side, (name, _) in SIDES.items())
        return inline(figure, title=title, description=f"{said}.")


def _bar_text(found: Risks, place: int) -> str:
    low, high = found.edges[place : place + 2]
    counted = ", ".join(f"{count(getattr(found, side)[place])} {name}" for side, (name, _) in SIDES.items())
    return f"Predicted risk {number(100 * low, 2)} to {share(high, 2)}: {counted}"


def lowest(found: Iterable[Risks]) -> float:
    """Return a lower end of the axis, a power of ten, at or below all bars."""
    return 10.0 ** max(math.floor(math.log10(max(min((one.edges[0] for one in found), default=1e-3), 1e-5))), -5)
