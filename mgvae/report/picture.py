"""The calibration plot as a picture of its own, for places that show images but not the page."""

from __future__ import annotations

import base64
import re
from typing import Any

from markupsafe import escape

from mgvae.report.gallery import gallery
from mgvae.report.palette import ARM_STYLES, COLOURS, light
from mgvae.report.schema import Report
from mgvae.report.text import ARMS
from mgvae.strict import build

LINE, MARGIN = 18, 64  # pixels: height of a line of the legend, and where the axes begin


def calibration_picture(report: dict[str, Any]) -> str | None:
    """Return the recalibrated curves of the recommended classifier as an SVG image with its legend, as a data URL.

    Args:
        report: the content of report.json.
    Returns:
        None where nothing was evaluated.
    """
    facts = build(Report, report, where="report.json")
    if facts.evaluation is None or facts.recommendation is None:
        return None
    classifier = facts.recommendation.classifier
    panels = gallery(facts).calibration.get(classifier)
    if not panels:
        return None
    arms = [arm for arm, found in facts.evaluation.curves.items() if classifier in found]
    legend = [(ARMS[arm], light(ARM_STYLES[arm].colour), ARM_STYLES[arm].dash) for arm in arms]
    svg = _alone(str(panels[-1].svg), legend)
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def _alone(svg: str, legend: list[tuple[str, str, tuple[float, ...]]]) -> str:
    """Return an inline SVG as a document: with its name spaces, the light page's colours, and a legend below."""
    coloured = re.sub(r"var\(--([a-z-]+)\)", lambda found: COLOURS[found.group(1)][0], svg)
    size = re.search(r'viewBox="0 0 (\d+) (\d+)"', coloured)
    if size is None:
        raise ValueError("a figure must have a view box")
    width, height = int(size.group(1)), int(size.group(2))
    whole = height + LINE * (len(legend) + 1)
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    head = f'<svg {spaces} width="{2 * width}" height="{2 * whole}" viewBox="0 0 {width} {whole}"'
    opened = re.sub(r"<svg[^>]*?viewBox=\"[^\"]*\"", head, coloured, count=1)
    ground = f'<rect width="{width}" height="{whole}" fill="{light("page")}"/>'
    lines = "".join(_line(place, *entry, below=height) for place, entry in enumerate(legend))
    return opened.replace(">", f">{ground}", 1).replace("</svg>", f"{lines}</svg>")


def _line(place: int, label: str, colour: str, dash: tuple[float, ...], *, below: int) -> str:
    y = below + LINE * place + LINE / 2
    dashes = f' stroke-dasharray="{" ".join(map(str, dash))}"' if dash else ""
    return (
        f'<line x1="{MARGIN}" x2="{MARGIN + 30}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="2"{dashes}/>'
        f'<text x="{MARGIN + 38}" y="{y + 4}" font-size="11" font-family="\'DejaVu Sans\', sans-serif" '
        f'fill="{light("ink")}">{escape(label)}</text>'
    )
