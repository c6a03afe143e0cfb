"""Receiver operating characteristic and precision-recall curves of all arms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from mgvae.config.sections import Arm
from mgvae.report.figures.calibration import BANDED, draw_line
from mgvae.report.figures.hover import lines_by_arm, name_columns
from mgvae.report.figures.svg import axes, blank, drawing, inline
from mgvae.report.formatting import arm_names, number, share
from mgvae.report.palette import light
from mgvae.results.rank_curves import RankCurve, RankCurves

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = 360


def receiver(found: RankCurves, curves: Mapping[Arm, RankCurve], *, key: str, title: str) -> Markup:
    """Draw sensitivity against the share of false positives, a line for each arm; on the diagonal lies chance."""
    with drawing(key):
        figure = blank(SIZE, SIZE)
        ax = axes(figure, left=64, right=14, top=10, bottom=52)
        ax.plot([0, 1], [0, 1], color=light("axis"), linewidth=1, linestyle=(0, (1, 2)))
        _frame(ax, "false positives among patients without the event", "sensitivity", 1.0)
        up = {arm: curve.sensitivity for arm, curve in curves.items()}
        _lines(ax, found.false_positive, up, "False positives {}; sensitivity:")
        return inline(figure, title=title, description=f"Arms: {arm_names(curves)}. Dotted: by chance.")


def precision_recall(found: RankCurves, curves: Mapping[Arm, RankCurve], *, top: float, key: str, title: str) -> Markup:
    """Draw precision against recall, a line for each arm; the dotted line is the prevalence, which chance reaches.

    Args:
        found: the grids and the prevalence.
        curves: by arm.
        top: upper end of the axis, so that figures can share it.
        key: names the figure on its page.
        title: the accessible name.
    """
    with drawing(key):
        figure = blank(SIZE, SIZE)
        ax = axes(figure, left=64, right=14, top=10, bottom=52)
        ax.axhline(found.prevalence, color=light("axis"), linewidth=1, linestyle=(0, (1, 2)))
        _frame(ax, "recall (sensitivity)", "precision (positive predictive value)", top)
        _lines(ax, found.recall, {arm: curve.precision for arm, curve in curves.items()}, "Recall {}; precision:")
        return inline(
            figure, title=title, description=f"Arms: {arm_names(curves)}. Dotted: the prevalence, {share(found.prevalence, 2)}."
        )


def highest(*parts: RankCurves | None) -> float:
    """Return an upper end of the axis of precision above all curves."""
    known = [
        value
        for part in parts
        if part is not None
        for by_classifier in part.arms.values()
        for curve in by_classifier.values()
        for value in curve.precision
    ]
    return min(1.0, 1.05 * max(known, default=1.0))


def _lines(ax: Axes, across: Sequence[float], up: Mapping[Arm, Sequence[float]], head: str) -> None:
    for arm in sorted(up, key=lambda name: name in BANDED):
        draw_line(ax, arm, across, up[arm])
    said = [{arm: number(values[place], 3) for arm, values in up.items()} for place in range(len(across))]
    name_columns(ax, across, [lines_by_arm(head.format(share(at)), one) for at, one in zip(across, said, strict=True)])


def _frame(ax: Axes, across: str, up: str, top: float) -> None:
    ax.set(xlim=(0, 1), ylim=(0, 1.01 * top), xlabel=across, ylabel=up)
    ax.locator_params(axis="both", nbins=5)
    ax.tick_params(axis="x", pad=9)  # the zeros of both axes stand apart
    ax.grid()
