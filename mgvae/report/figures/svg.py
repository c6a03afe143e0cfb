"""Matplotlib figures as SVG: inline in the page, or as documents of their own."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from mgvae.report.figures.hover import PREFIX, with_titles
from mgvae.report.palette import COLOURS, light

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FONT_SIZE = 11.0

_NAMES = {pair[0]: name for name, pair in COLOURS.items()}
_DROPPED = re.compile(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>|<defs>\s*</defs>|<!--.*?-->", re.DOTALL)
_ID = re.compile(r' id="([^"]+)"')
_USED = re.compile(r'url\(#([^)]+)\)|href="#([^"]+)"')
_FONT = re.compile(r"font: (?:[a-z0-9]+ )??([\d.]+)px [^;\"]*")
_HEX = re.compile(r"#[0-9a-f]{6}")
_TAG = re.compile(r"<[^>]+>")
_DECIMALS = re.compile(r"(\d\.\d\d)\d+")


@contextmanager
def drawing(key: str) -> Iterator[None]:
    """Apply the settings of the report's figures inside the block.

    Create, draw and :func:`inline` the figure there. ``key`` names the figure on its page: it makes the ids in the SVG unique,
    and the same every time.
    """
    from matplotlib import rc_context

    with rc_context(_settings(key)):
        yield


def blank(width: int, height: int) -> Figure:
    """Return an empty figure of ``width`` x ``height`` px."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width / 72, height / 72), facecolor="none")


def axes(figure: Figure, *, left: float, right: float, top: float, bottom: float) -> Axes:
    """Return axes with the given margins in px."""
    width, height = (72 * inches for inches in figure.get_size_inches())
    place = (left / width, bottom / height, 1 - (left + right) / width, 1 - (top + bottom) / height)
    made = figure.add_axes(place, facecolor="none")
    made.spines[["top", "right"]].set_visible(False)
    return made


def inline(figure: Figure, *, title: str, description: str = "") -> Markup:
    """Return the figure as an SVG element of the page.

    It has an accessible name and description, the page's colours and font, no date and no unused id.
    """
    width, height = (round(72 * inches) for inches in figure.get_size_inches())
    head = Markup(
        '<svg class="figure" viewBox="0 0 {} {}" style="--width:{}px" role="img" aria-label="{}">'
        "<title>{}</title><desc>{}</desc>"
    )
    return head.format(width, height, width, title, title, description) + _body(document(figure))


def document(figure: Figure) -> str:
    """Return the figure as an SVG document without a date."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _settings(key: str) -> dict[Any, Any]:
    return {
        "svg.hashsalt": key,
        "svg.fonttype": "none",
        "text.parse_math": False,
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        **dict.fromkeys(("font.size", "axes.labelsize", "xtick.labelsize", "ytick.labelsize"), FONT_SIZE),
        **dict.fromkeys(("axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor"), light("muted")),
        **dict.fromkeys(("axes.edgecolor", "xtick.color", "ytick.color"), light("axis")),
        "axes.linewidth": 0.8,
        "axes.unicode_minus": True,
        "text.color": light("ink"),
        "grid.color": light("rule"),
        "grid.linewidth": 0.7,
        "lines.linewidth": 1.8,
        "lines.markersize": 5.5,
        "axes.axisbelow": True,
    }


def _body(text: str) -> Markup:
    """Return the content of the svg element, adapted to the page."""
    body = _DROPPED.sub("", text)
    body = body[body.index(">") + 1 :]
    used = {name for pair in _USED.findall(body) for name in pair if name}
    body = _ID.sub(lambda match: match[0] if match[1] in used or match[1].startswith(PREFIX) else "", body)
    body = _FONT.sub(r"font-size: \1px", body)
    body = _HEX.sub(lambda match: f"var(--{_NAMES[match[0]]})" if match[0] in _NAMES else match[0], body)
    body = _TAG.sub(lambda match: _DECIMALS.sub(r"\1", match[0]), body)  # coordinates alone: a tick's label is text
    body = with_titles(re.sub(r">\s+<", "><", body))
    return Markup(body.strip())  # noqa: S704 - matplotlib escapes the texts it writes
