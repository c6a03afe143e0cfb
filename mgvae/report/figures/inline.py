"""Small inline drawings: the bar of a gate, the swatch of a legend."""

from __future__ import annotations

from markupsafe import Markup

from mgvae.config.sections import Arm
from mgvae.report.formatting import gate_known, gate_numbers
from mgvae.report.palette import ARM_STYLES
from mgvae.results.gates import Gate

WIDTH, HEIGHT, PAD = 150, 26, 7

_SHAPES = {
    "o": '<circle cx="17" cy="8" r="4"/>',
    "s": '<rect x="13.5" y="4.5" width="7" height="7"/>',
    "^": '<path d="M17 3.5 21.5 12h-9z"/>',
    "v": '<path d="M17 12.5 21.5 4h-9z"/>',
    "<": '<path d="M12.5 8 21 3.5v9z"/>',
    ">": '<path d="M21.5 8 13 3.5v9z"/>',
    "D": '<path d="M17 3 22 8 17 13 12 8z"/>',
    "P": '<path d="M15.5 3.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z"/>',
    "p": '<path d="M17 3.2 21.6 6.6 19.8 12h-5.6L12.4 6.6z"/>',
    "X": '<path d="M14 3.5l3 2.6 3-2.6 1.6 1.6L19 8l2.6 2.9-1.6 1.6-3-2.6-3 2.6-1.6-1.6L15 8l-2.6-2.9z"/>',
}


def gate_bar(gate: Gate) -> Markup | None:
    """Draw value, interval, threshold and real cases on a line; None if the value is unknown.

    The line runs from 0 to 1 where all numbers lie there, else from 0 (or the least, if negative) to beyond the largest.
    """
    if gate.value is None:
        return None
    low, high = _range(gate)
    tone = "warn" if gate.verdict == "cannot_tell" else gate.verdict

    def at(x: float) -> float:
        return round(PAD + (WIDTH - 2 * PAD) * (x - low) / (high - low), 1)

    parts = [f'<path d="M{PAD} 13H{WIDTH - PAD}" stroke="var(--rule)" stroke-width="2"/>']
    for bound in gate.bounds:
        if bound is not None:
            parts.append(f'<path d="M{at(bound)} 3V23" stroke="var(--ink)" stroke-width="1.6" stroke-dasharray="3 2"/>')
    if gate.low is not None and gate.high is not None:
        parts.append(f'<path d="M{at(gate.low)} 13H{at(gate.high)}" stroke="var(--{tone})" stroke-width="5" opacity=".5"/>')
    parts.append(f'<circle cx="{at(gate.value)}" cy="13" r="4.5" fill="var(--{tone})"/>')
    if gate.real is not None:
        parts.append(f'<circle cx="{at(gate.real)}" cy="13" r="4" fill="none" stroke="var(--ink)" stroke-width="1.4"/>')
    value, limits, threshold = gate_numbers(gate)
    title = f"{gate.label}: {value} {limits}, threshold {threshold}"
    head = Markup('<svg class="bar" viewBox="0 0 {} {}" role="img" aria-label="{}"><title>{}</title>').format(
        WIDTH, HEIGHT, title, title
    )
    return head + Markup("".join(parts) + "</svg>")  # noqa: S704 - numbers and our own words only


def swatch(arm: Arm) -> Markup:
    """Return line and marker of an arm for a legend."""
    style = ARM_STYLES[arm]
    dash = f' stroke-dasharray="{" ".join(map(str, style.dash))}"' if style.dash else ""
    line = f'<path d="M1 8H33" stroke="var(--{style.colour})" stroke-width="2" fill="none"{dash}/>'
    shape = f'<g fill="var(--{style.colour})">{_SHAPES[style.marker]}</g>'
    return Markup(f'<svg class="swatch" viewBox="0 0 34 16" aria-hidden="true">{line}{shape}</svg>')  # noqa: S704


def _range(gate: Gate) -> tuple[float, float]:
    known = gate_known(gate)
    low, high = min(0.0, *known), max(known)
    return (low, 1.0) if high <= 1 else (low, 1.1 * high)
