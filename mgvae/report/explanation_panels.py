"""The figures and tables of the section on explanations."""

from __future__ import annotations

from dataclasses import dataclass

from mgvae.config.sections import Arm
from mgvae.report.figures.importance import common_range, dependence, shares, swarm
from mgvae.report.figures.panel import Panel, rows_by, rows_of
from mgvae.results.explanations import Explanations, Importance, ModelExplanation
from mgvae.results.labels import ARMS, CLASSIFIERS
from mgvae.results.numbers import Estimate

FOLLOWED = 6  # predictors with a curve of their own
HALF = 0.5


@dataclass(frozen=True)
class CoefficientRow:
    """A term of linear models, and its coefficient by arm; None where a model lacks it."""

    label: str
    term: str
    values: dict[Arm, float | None]


@dataclass(frozen=True)
class ImportanceRow:
    """A predictor and its importance by arm."""

    label: str
    column: str
    by_arm: dict[Arm, Importance]


@dataclass(frozen=True)
class GroupRow:
    """A subgroup, its patients and the shares of the largest predictors."""

    label: str
    level: str
    n: int
    shares: tuple[Estimate | None, ...]


@dataclass(frozen=True)
class ExplanationPanels:
    """What the section shows.

    Attributes:
        shares, swarms, dependence: figures.
        rows: all predictors, by falling importance in the first model.
        followed: labels of the predictors of ``groups``.
        groups: by arm.
        coefficients: of linear models.
        dominant: the predictor that carries more than half of a model's contributions, by arm.
    """

    shares: list[Panel]
    swarms: list[Panel]
    dependence: list[Panel]
    rows: list[ImportanceRow]
    followed: list[str]
    groups: dict[Arm, list[GroupRow]]
    coefficients: list[CoefficientRow]
    dominant: dict[Arm, Importance]


def explanation_panels(explanations: Explanations) -> ExplanationPanels:
    """Draw the figures and order the tables of the section."""
    by_arm = {model.arm: {one.column: one for one in model.columns} for model in explanations.models}
    first = explanations.models[0]
    names = [one.column for one in first.columns]
    drawn = [one.column for one in first.dependence]
    followed = drawn[:FOLLOWED]
    return ExplanationPanels(
        shares=_shares(explanations, drawn) if drawn else [],
        swarms=_swarms(explanations),
        dependence=[_dependence(explanations, name, f"dependence-{place}") for place, name in enumerate(followed, 1)],
        rows=[
            ImportanceRow(by_arm[first.arm][n].label, n, {arm: by_name[n] for arm, by_name in by_arm.items()}) for n in names
        ],
        followed=[by_arm[first.arm][name].label for name in followed],
        groups={model.arm: _groups(model, followed) for model in explanations.models},
        coefficients=_coefficients(explanations),
        dominant={m.arm: m.columns[0] for m in explanations.models if m.columns and (m.columns[0].share.value or 0.0) > HALF},
    )


def _shares(found: Explanations, drawn: list[str]) -> list[Panel]:
    by_arm = {model.arm: {one.column: one for one in model.columns} for model in found.models}
    title = f"Shares of the predictors, {CLASSIFIERS[found.models[0].classifier].lower()}"
    rows = [row for arm, one in by_arm.items() for name in drawn for row in rows_of(_share_of(one[name]), arm=arm)]
    return [Panel("shares", "Shares of the predictors", shares(by_arm, drawn, key="shares", title=title), rows)]


def _share_of(one: Importance) -> dict[str, object]:
    return {"column": one.column, "label": one.label, "share": one.share}


def _swarms(found: Explanations) -> list[Panel]:
    span = common_range([one for model in found.models for one in model.dependence])
    panels = []
    for model in found.models:
        title = f"Contributions by value, {ARMS[model.arm].lower() if model.arm == 'none' else ARMS[model.arm]}"
        if model.dependence:
            key, rows = f"swarm-{model.arm}", rows_of({"dependence": model.dependence}, arm=model.arm)
            svg = swarm(model.dependence, span=span, key=key, title=title)
            panels.append(Panel(key, f"Contributions by value: {ARMS[model.arm]}", svg, rows))
    return panels


def _dependence(found: Explanations, name: str, key: str) -> Panel:
    curves = {model.arm: one for model in found.models for one in model.dependence if one.column == name}
    label = next(iter(curves.values())).label
    svg = dependence(curves, key=key, title=f"Contribution of {label} by its value")
    return Panel(key, label, svg, rows_by("arm", curves))


def _groups(model: ModelExplanation, names: list[str]) -> list[GroupRow]:
    return [GroupRow(one.label, one.level, one.n, tuple(one.shares.get(name) for name in names)) for one in model.groups]


def _coefficients(found: Explanations) -> list[CoefficientRow]:
    labels = {one.column: one.label for one in found.models[0].columns}
    by_arm = {model.arm: {(one.column, one.term): one.value for one in model.coefficients} for model in found.models}
    terms = dict.fromkeys(term for values in by_arm.values() for term in values)
    ordered = sorted(terms, key=lambda term: list(labels).index(term[0]))
    return [
        CoefficientRow(labels[column], term, {arm: values.get((column, term)) for arm, values in by_arm.items()})
        for column, term in ordered
    ]
