"""How far redeveloped models disagree: predictions, errors, decisions, calibration.

What is drawn are bands of at least ten patients and models, never single patients.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from markupsafe import Markup

from mgvae.report.figures.calibration import TICKS, risk_ticks
from mgvae.report.figures.hover import name_columns
from mgvae.report.figures.svg import axes, blank, drawing, inline
from mgvae.report.formatting import number, share
from mgvae.report.palette import ARM_STYLES, light
from mgvae.results.instability import ArmInstability
from mgvae.results.labels import ARMS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE, HEIGHT = 380, 260
LEFT, BOTTOM = 64, 46
Measure = Literal["error", "changed"]
MEASURES: dict[Measure, str] = {"error": "mean absolute error, points of risk", "changed": "decisions that change, %"}
LEAST: dict[Measure, float] = {"error": 0.1, "changed": 1.0}  # upper end of the axis, at least


def name_of(entry: ArmInstability) -> str:
    """Return the arm, with a remark where its recalibration was kept."""
    return ARMS[entry.arm] + (", recalibration kept" if entry.recalibration == "kept" else "")


def heading(measure: Measure) -> str:
    """Return the name of a measure without its unit."""
    return MEASURES[measure].partition(",")[0].capitalize()


def lowest_risk(entries: Sequence[ArmInstability]) -> float:
    """Return the lower end of the axes: half the lowest number drawn, at least 1e-5."""
    bands = [x for entry in entries for band in entry.bands for x in (band.low, band.risk)]
    curves = [x for entry in entries for curve in entry.curves for x in curve.predicted]
    return max(min([x for x in (*bands, *curves) if x > 0], default=1e-3) / 2, TICKS[0])


def predictions(entry: ArmInstability, threshold: float, *, floor: float, key: str) -> Markup:
    """Draw the range of redeveloped predictions against the original ones.

    Args:
        entry: the models of an arm.
        threshold: risk from which the decision is "event"; a vertical line.
        floor: lower end of both axes.
        key: names the figure on its page.
    """
    colour = light(ARM_STYLES[entry.arm].colour)
    with drawing(key):
        figure = blank(SIZE, SIZE)
        ax = _risks(axes(figure, left=LEFT, right=20, top=10, bottom=BOTTOM), floor)
        ax.axvline(threshold, color=light("axis"), linewidth=0.8, linestyle=(0, (2, 2)))
        risks, low, high = ([getattr(band, part) for band in entry.bands] for part in ("risk", "low", "high"))
        low = [max(value, floor) for value in low]
        ax.fill_between(risks, low, high, color=colour, alpha=0.2, linewidth=0)
        for limits in (low, high):
            ax.plot(risks, limits, color=colour, linewidth=1.4, marker="o", markersize=2.5)
        ax.set(xlabel="predicted risk", ylabel="risk by redeveloped models")
        said = [f"Predicted risk {share(b.risk, 2)}; redeveloped {share(b.low, 2)} to {share(b.high, 2)}" for b in entry.bands]
        name_columns(ax, risks, said)
        title = f"Prediction instability, {name_of(entry)}"
        described = f"{entry.redevelopments} redeveloped models; mean absolute error {number(entry.mape.value, 4)}."
        return inline(figure, title=title, description=described)


def calibrations(entry: ArmInstability, *, floor: float, key: str) -> Markup:
    """Draw the calibration curves of redeveloped models on the original patients."""
    colour = light(ARM_STYLES[entry.arm].colour)
    with drawing(key):
        figure = blank(SIZE, SIZE)
        ax = _risks(axes(figure, left=LEFT, right=20, top=10, bottom=BOTTOM), floor)
        for curve in entry.curves:
            observed = [max(value, floor) for value in curve.observed]
            ax.plot(curve.predicted, observed, color=colour, linewidth=0.9, alpha=0.4)
            if len(observed) == 1:
                ax.plot(curve.predicted, observed, "o", color=colour, markersize=3, alpha=0.4)
        ax.set(xlabel="predicted risk", ylabel="observed share of events")
        title = f"Calibration instability, {name_of(entry)}"
        return inline(figure, title=title, description=f"{len(entry.curves)} of {entry.redevelopments} redeveloped models.")


def by_risk(entries: Sequence[ArmInstability], measure: Measure, threshold: float, *, floor: float, key: str) -> Markup:
    """Draw a measure of instability against the original risk, a line for each arm."""
    with drawing(key):
        figure = blank(SIZE, HEIGHT)
        ax = axes(figure, left=LEFT, right=20, top=10, bottom=BOTTOM)
        ax.set(xscale="log", xlim=(floor, 1.15))
        risk_ticks(ax.xaxis, floor)
        ax.axvline(threshold, color=light("axis"), linewidth=0.8, linestyle=(0, (2, 2)))
        highest = max([LEAST[measure], *(100 * getattr(band, measure) for entry in entries for band in entry.bands)])
        for entry in entries:
            style, kept = ARM_STYLES[entry.arm], entry.recalibration == "kept"
            risks, values = [band.risk for band in entry.bands], [100 * getattr(band, measure) for band in entry.bands]
            marker: Any = {"marker": style.marker, "markersize": 4, "markerfacecolor": light("page") if kept else None}
            ax.plot(risks, values, color=light(style.colour), linestyle=style.line, linewidth=1.4, **marker)
        ax.set(xlabel="predicted risk", ylabel=MEASURES[measure], ylim=(0, 1.08 * highest))
        ax.grid()
        words = "; ".join(f"{name_of(entry)} {_mean(entry, measure)}" for entry in entries)
        return inline(figure, title=f"{heading(measure)} by predicted risk", description=f"Means: {words}.")


def _mean(entry: ArmInstability, measure: Measure) -> str:
    return share((entry.mape if measure == "error" else entry.changed).value, 2)


def _risks(ax: Axes, floor: float) -> Axes:
    """Set up two logarithmic axes of risks and their diagonal."""
    ax.set(xscale="log", yscale="log", xlim=(floor, 1.15), ylim=(floor, 1.15), aspect="equal")
    ax.plot([floor, 1], [floor, 1], color=light("axis"), linewidth=1, linestyle=(0, (1, 2)))
    for axis in (ax.xaxis, ax.yaxis):
        risk_ticks(axis, floor)
    ax.grid()
    return ax
