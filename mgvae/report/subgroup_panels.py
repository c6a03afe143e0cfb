"""The figures and sentences of the section on subgroups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mgvae.report.figures.panel import Panel, Row, rows_of
from mgvae.report.figures.subgroups import subgroup_forest
from mgvae.report.formatting import METRICS, change
from mgvae.results.labels import CLASSIFIERS
from mgvae.results.numbers import Estimate
from mgvae.results.subgroups import ColumnSubgroups, ModelSubgroups, SubgroupMetric, SubgroupPart, Subgroups, SubgroupScores

MEASURES: tuple[SubgroupMetric, ...] = ("auroc", "observed_expected", "calibration_slope", "sensitivity", "ppv")
MOST_LISTED = 12  # sentences on differences


@dataclass(frozen=True)
class PartTables:
    """A part of the cohort: what is shown of each model in it."""

    name: str
    models: tuple[ModelSubgroups, ...]


@dataclass(frozen=True)
class SubgroupPanels:
    """What the section shows.

    Attributes:
        measures: in the order of the tables' columns.
        forest: a figure for each measure, of cross-validated predictions.
        parts: tables.
        standing: differences of the last model whose limits for all subgroups exclude 0, as sentences.
        excluded: differences of the last model whose own limits exclude 0, mirror images once.
        by_chance: how many of them are expected where no subgroup differs.
        compared: how many differences there are.
    """

    measures: tuple[SubgroupMetric, ...]
    forest: list[Panel]
    parts: list[PartTables]
    standing: list[str]
    excluded: int
    by_chance: float
    compared: int


def subgroup_panels(subgroups: Subgroups) -> SubgroupPanels:
    """Draw the figures and gather the sentences of the section."""
    model = subgroups.training.models[-1]
    parts = [("cross-validation", subgroups.training), ("hold-out", subgroups.holdout)]
    compared = model.comparisons * len(MEASURES)
    return SubgroupPanels(
        measures=MEASURES,
        forest=_forest(subgroups.training) if model.columns else [],
        parts=[PartTables(name, part.models) for name, part in parts if part is not None and model.columns],
        standing=_standing(model),
        excluded=_excluded(model),
        by_chance=0.05 * compared,
        compared=compared,
    )


def _forest(part: SubgroupPart) -> list[Panel]:
    return forest_panels(part.models, f", {CLASSIFIERS[part.models[0].classifier].lower()}")


def forest_panels(models: Sequence[ModelSubgroups], of: str = "") -> list[Panel]:
    """Return a forest plot of each measure that a subgroup has; ``of`` ends their titles."""
    return [
        Panel(
            f"subgroups-{metric}",
            METRICS[metric].label,
            subgroup_forest(models, metric, key=f"subgroups-{metric}", title=f"{METRICS[metric].label} by subgroup{of}"),
            [row for model in models for row in _rows(model, metric)],
        )
        for metric in MEASURES
        if any(metric in group.measures for model in models for column in model.columns for group in column.groups)
    ]


def _rows(model: ModelSubgroups, metric: SubgroupMetric) -> list[Row]:
    groups = [("", model.overall), *((column.label, group) for column in model.columns for group in column.groups)]
    counted = ("level", "n", "events", "too_few")
    return [
        row
        for label, group in groups
        for row in rows_of(
            {name: getattr(group, name) for name in counted} | {metric: group.measures.get(metric, Estimate(value=None))},
            arm=model.arm,
            column=label,
        )
    ]


def _standing(model: ModelSubgroups) -> list[str]:
    found = [
        f"{column.label}, {group.level}: {METRICS[metric].label} {change(metric, group.against_rest[metric])} against the rest"
        for column, group in _distinct(model)
        for metric in MEASURES
        if metric in group.against_rest and group.against_rest[metric].stands
    ]
    return (
        found if len(found) <= MOST_LISTED else [*found[:MOST_LISTED], f"{len(found) - MOST_LISTED} more, in the tables below"]
    )


def _excluded(model: ModelSubgroups) -> int:
    """Return how many distinct differences have limits without 0."""
    return sum(one.excludes_zero for _, group in _distinct(model) for one in group.against_rest.values())


def _distinct(model: ModelSubgroups) -> list[tuple[ColumnSubgroups, SubgroupScores]]:
    """Return the subgroups, of two the first alone: the other's differences mirror it."""
    return [
        (column, group)
        for column in model.columns
        for group in (column.groups[:1] if len(column.groups) == 2 else column.groups)
    ]
