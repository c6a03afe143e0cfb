"""Forest plot of a measure by subgroup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from mgvae.config.sections import Arm
from mgvae.report.figures.hover import lines_by_arm, name_rows
from mgvae.report.figures.svg import axes, blank, drawing, inline
from mgvae.report.formatting import METRICS, UNKNOWN, measured, shorten
from mgvae.report.palette import ARM_STYLES, light
from mgvae.results.labels import ARMS
from mgvae.results.numbers import Estimate
from mgvae.results.subgroups import ModelSubgroups, SubgroupMetric, SubgroupScores

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, ROW = 400, 24
HEADING, LEVEL = 26, 22  # characters


def subgroup_forest(models: Sequence[ModelSubgroups], metric: SubgroupMetric, *, key: str, title: str) -> Markup:
    """Draw a measure of each subgroup with its interval, in order, below the name of its column.

    A dashed line marks the value in all patients, a dotted one the ideal value. Subgroups of too few events have none.

    Args:
        models: of the same subgroups; the first one's markers lie on top.
        metric: what is drawn.
        key: names the figure on its page.
        title: the accessible name.
    """
    rows = _rows(models)
    with drawing(key):
        figure = blank(WIDTH, ROW * len(rows) + 56)
        ax = axes(figure, left=172, right=14, top=6, bottom=50)
        _lines(ax, models, metric)
        for place, (_, by_arm) in enumerate(rows):
            for at, (arm, group) in enumerate(by_arm.items()):
                _mark(ax, place + 0.3 * (at - (len(by_arm) - 1) / 2), arm, group.measures.get(metric))
        ax.set_yticks(range(len(rows)), [name for name, _ in rows])
        for label, (_, by_arm) in zip(ax.get_yticklabels(), rows, strict=True):
            label.set_color(light("muted" if by_arm else "ink"))
        ax.set(ylim=(len(rows) - 0.5, -0.5), xlabel=METRICS[metric].label)
        ax.locator_params(axis="x", nbins=4)
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        ax.grid(axis="x")
        said = [lines_by_arm(name, {arm: _measure(group, metric) for arm, group in by_arm.items()}) for name, by_arm in rows]
        name_rows(ax, {place: text for place, text in enumerate(said) if rows[place][1]})
        return inline(figure, title=title, description=_text(models, metric))


def _rows(models: Sequence[ModelSubgroups]) -> list[tuple[str, Mapping[Arm, SubgroupScores]]]:
    """Return a row for each column's name, without groups, and for each subgroup."""
    rows: list[tuple[str, Mapping[Arm, SubgroupScores]]] = [("All patients", {one.arm: one.overall for one in models})]
    for place, column in enumerate(models[0].columns):
        rows.append((shorten(column.label, HEADING), {}))
        for at, group in enumerate(column.groups):
            by_arm = {model.arm: model.columns[place].groups[at] for model in models}
            rows.append((shorten(group.level, LEVEL), by_arm))
    return rows


def _lines(ax: Axes, models: Sequence[ModelSubgroups], metric: SubgroupMetric) -> None:
    if METRICS[metric].better == "1":
        ax.axvline(1, color=light("axis"), linewidth=1, linestyle=(0, (1, 2)))
    for model in models:
        overall = model.overall.measures.get(metric)
        if overall is not None and overall.value is not None:
            ax.axvline(overall.value, color=light(ARM_STYLES[model.arm].colour), linewidth=1, linestyle=(0, (5, 3)), alpha=0.7)


def _mark(ax: Axes, row: float, arm: Arm, estimate: Estimate | None) -> None:
    if estimate is None or estimate.value is None:
        return
    colour = light(ARM_STYLES[arm].colour)
    if estimate.low is not None and estimate.high is not None:
        ax.plot([estimate.low, estimate.high], [row, row], color=colour, linewidth=1.6, solid_capstyle="butt")
    ax.plot(estimate.value, row, ARM_STYLES[arm].marker, color=colour, markersize=6)


def _text(models: Sequence[ModelSubgroups], metric: SubgroupMetric) -> str:
    parts = []
    for model in models:
        groups = [(column.label, group) for column in model.columns for group in column.groups]
        found = [f"{label}, {one.level}: {_measure(one, metric)}" for label, one in groups]
        parts.append(f"{ARMS[model.arm]}: all patients {_measure(model.overall, metric)}; {'; '.join(found)}.")
    return " ".join(parts)


def _measure(group: SubgroupScores, metric: SubgroupMetric) -> str:
    return "too few events" if group.too_few else measured(metric, group.measures.get(metric)) or UNKNOWN
