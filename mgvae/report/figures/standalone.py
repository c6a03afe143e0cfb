"""A figure of the page as a document of its own, for a paper or a slide."""

from __future__ import annotations

import re

from mgvae.report.figures.inline import swatch
from mgvae.report.palette import ARM_STYLES, light
from mgvae.results.labels import ARMS

KEY_WIDTH, KEY_HEIGHT = 180, 22  # px of a key of the legend
GROUPS = {"majority": "majority", "cases": "real cases", "synthetic": "synthetic cases"}

_VARIABLE = re.compile(r"var\(--([a-z-]+)\)")
_HEAD = re.compile(r'<svg class="figure" viewBox="0 0 (\d+) (\d+)" style="[^"]*"')
_INNER = re.compile(r"<svg[^>]*>(.*)</svg>")


def standalone(svg: str) -> str:
    """Return a figure of the page with a legend below it, and size, font, background and colours of its own.

    The colours are those of a light page, as numbers: programs other than browsers know no variables.
    """
    plain = str(svg)  # markup would escape what is put around it
    width, height = (int(px) for px in _HEAD.findall(plain)[0])
    keys = _keys(set(_VARIABLE.findall(plain)))
    columns = max(width // KEY_WIDTH, 1)
    legend = "".join(
        f'<g transform="translate({8 + place % columns * KEY_WIDTH} {height + place // columns * KEY_HEIGHT})">{key}</g>'
        for place, key in enumerate(keys)
    )
    whole = height + -(-len(keys) // columns) * KEY_HEIGHT
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{width}" height="{whole}" '
        f'viewBox="0 0 {width} {whole}" font-family="DejaVu Sans, Arial, sans-serif"'
    )
    ground = '</desc><rect width="100%" height="100%" fill="var(--page)"/>'
    text = (opening + _HEAD.sub("", plain, count=1)).replace("</desc>", ground, 1).removesuffix("</svg>") + f"{legend}</svg>\n"
    return _VARIABLE.sub(lambda match: light(match[1]), text)


def _keys(colours: set[str]) -> list[str]:
    """Return a key for each arm that is drawn; for the groups of rows, where all are."""
    label = '<text x="40" y="12" font-size="11" fill="var(--ink)">{}</text>'
    keys = [
        "".join(_INNER.findall(str(swatch(arm)))) + label.format(ARMS[arm])
        for arm, style in ARM_STYLES.items()
        if style.colour in colours
    ]
    if colours.issuperset(GROUPS):
        dash = {"synthetic": ' stroke-dasharray="5 2"'}
        keys += [
            f'<path d="M1 8H33" stroke="var(--{name})" stroke-width="2.5"{dash.get(name, "")}/>' + label.format(text)
            for name, text in GROUPS.items()
        ]
    return keys
