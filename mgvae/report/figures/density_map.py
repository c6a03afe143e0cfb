"""Where majority, real cases and synthetic cases lie: three maps on one grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from mgvae.report.figures.svg import axes, blank, drawing, inline
from mgvae.report.formatting import count, share
from mgvae.report.palette import light
from mgvae.results.density_map import GROUPS, DensityMap

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT, LEFT, GAP = 720, 262, 46, 12
NAMES = {"majority": "majority", "cases": "real cases", "synthetic": "synthetic cases"}
FAINTEST = 0.12


def density_map(found: DensityMap, *, key: str, title: str) -> Markup:
    """Draw a map for each group of rows: the darker a cell, the larger the share of the group's rows in it.

    A point in a cell stands for a number too small to be shown.
    """
    with drawing(key):
        figure = blank(WIDTH, HEIGHT)
        each = (WIDTH - LEFT - 3 * GAP) / 3
        for place, group in enumerate(GROUPS):
            left = LEFT + place * (each + GAP)
            ax = axes(figure, left=left, right=WIDTH - left - each, top=24, bottom=44)
            _cells(ax, found, group)
            _frame(ax, found, first=place == 0)
            ax.set_title(f"{NAMES[group]} ({count(found.n[group])})", fontsize=11, color=light("ink"), pad=6)
        described = " and ".join(share(one) for one in found.variance)
        return inline(figure, title=title, description=f"The components hold {described} of the variance of the majority.")


def _cells(ax: Axes, found: DensityMap, group: str) -> None:
    from matplotlib.patches import Rectangle

    counts = [(cell, getattr(cell, group)) for cell in found.cells]
    highest = max((counted for _, counted in counts if counted), default=1)
    for cell, counted in counts:
        if counted is None:
            middle = (cell.across + found.width / 2, cell.up + found.height / 2)
            ax.plot(*middle, ".", color=light(group), markersize=3)
        elif counted:
            shade = FAINTEST + (1 - FAINTEST) * counted / highest
            corner = (cell.across, cell.up)
            ax.add_patch(Rectangle(corner, found.width, found.height, facecolor=light(group), alpha=shade, linewidth=0))


def _frame(ax: Axes, found: DensityMap, *, first: bool) -> None:
    across, up = ([getattr(cell, name) for cell in found.cells] for name in ("across", "up"))
    ax.set(xlim=(min(across), max(across) + found.width), ylim=(min(up), max(up) + found.height))
    ax.set_xlabel(f"component 1 ({share(found.variance[0])} of variance)")
    ax.locator_params(nbins=5)
    if first:
        ax.set_ylabel(f"component 2 ({share(found.variance[1])})")
    else:
        ax.set_yticklabels([])
