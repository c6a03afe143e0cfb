"""Values that a figure shows where the pointer rests: titles inside its SVG, without a script.

Matplotlib writes no title. The text waits as the id of the drawn part, in hexadecimal digits, and ``with_titles`` makes a
title of it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from markupsafe import escape

from mgvae.config.sections import Arm
from mgvae.results.labels import ARMS

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

PREFIX = "hover-"
MOST_COLUMNS = 25
ABOVE = 9  # every line and marker

_WAITING = re.compile(rf'<g id="{PREFIX}(mark|area)-([0-9a-f]+)">')


def name_mark(mark: Artist, text: str) -> None:
    """Give a marker or a line a text of its own."""
    mark.set_gid(f"{PREFIX}mark-{text.encode().hex()}")


def name_columns(ax: Axes, places: Sequence[float], texts: Sequence[str]) -> None:
    """Divide the plot into columns, one around each place on the horizontal axis, with a text each; some, if they are many.

    Args:
        ax: with its final scale and limits.
        places: ``(n,)``, rising; those out of the limits are left out.
        texts: ``(n,)``.
    """
    logarithmic, (first, last) = ax.get_xscale() == "log", ax.get_xlim()
    known = [(at, text) for at, text in zip(places, texts, strict=True) if first <= at <= last]
    step = max(math.ceil((len(known) - 1) / (MOST_COLUMNS - 1)), 1)
    known = known[::step]
    between = [math.sqrt(a * b) if logarithmic else (a + b) / 2 for (a, _), (b, _) in pairwise(known)]
    if known:
        name_bars(ax, [first, *between, last], [text for _, text in known])


def name_bars(ax: Axes, edges: Sequence[float], texts: Sequence[str]) -> None:
    """Give columns between ``n + 1`` neighbouring edges a text each, ``(n,)``."""
    for (low, high), text in zip(pairwise(edges), texts, strict=True):
        _name_area(ax.axvspan(low, high, facecolor="none", edgecolor="none", zorder=ABOVE), text)


def name_rows(ax: Axes, texts: Mapping[int, str]) -> None:
    """Give rows, one unit high, a text each, by their place on the vertical axis."""
    for place, text in texts.items():
        _name_area(ax.axhspan(place - 0.5, place + 0.5, facecolor="none", edgecolor="none", zorder=ABOVE), text)


def lines_by_arm(head: str, said: Mapping[Arm, str]) -> str:
    """Return a text of a line for each arm below its head."""
    return lines_below(head, {ARMS[arm]: text for arm, text in said.items()})


def lines_below(head: str, said: Mapping[str, str]) -> str:
    """Return a text of a line for each name below its head."""
    return "\n".join([head, *(f"{name}: {text}" for name, text in said.items())])


def with_titles(svg: str) -> str:
    """Return an SVG in which each waiting text is a title of its part, which a pointer finds where nothing is painted, too."""

    def named(found: re.Match[str]) -> str:
        everywhere = ' pointer-events="all"' if found[1] == "area" else ""
        return f'<g class="{found[1]}"{everywhere}><title>{escape(bytes.fromhex(found[2]).decode())}</title>'

    return _WAITING.sub(named, svg)


def _name_area(area: Artist, text: str) -> None:
    area.set_gid(f"{PREFIX}area-{text.encode().hex()}")
