"""Importance of the predictors, and its dependence on their values, in aggregates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mgvae.arrays import BoolArray, FloatArray, IntArray
from mgvae.cohort.subgroups import MISSING, OTHER, Subgroup
from mgvae.config.dictionary import Column
from mgvae.evaluation.bootstrap import interval
from mgvae.results.explanations import Dependence, DependencePoint, GroupImportance, Importance
from mgvae.results.numbers import Estimate, number

FEWEST = 10  # patients behind a mean that the report shows
BINS = 10  # of a number's values, with about as many patients in each
LARGEST = 12  # predictors that are followed into subgroups and along their values


@dataclass(frozen=True)
class Explained:
    """Contributions of patients, and the resamples behind their intervals.

    Attributes:
        values: ``(N, P)``, to the log odds.
        features: the predictors of the same patients, ``(N, P)``.
        columns: the dictionary's entries of the predictors.
        weights: how often each resample draws each patient, ``(N, R)``.
    """

    values: FloatArray
    features: pd.DataFrame
    columns: Mapping[str, Column]
    weights: FloatArray

    def label(self, name: str) -> str:
        """Return the name of a predictor in the report."""
        return self.columns[name].label or name


def sizes(values: FloatArray) -> FloatArray:
    """Return the mean absolute contribution of each column, ``(P,)``."""
    return np.asarray(np.abs(values).mean(axis=0))


def shares(size: FloatArray) -> FloatArray:
    """Return sizes as shares of their sum along the first axis; 0 where all are 0."""
    total = size.sum(axis=0)
    return np.asarray(np.divide(size, total, out=np.zeros_like(size), where=total > 0))


def ranks(size: FloatArray) -> IntArray:
    """Return ranks from 1, the largest first; the first of equal ones leads, ``(P,)``."""
    place = np.empty(len(size), dtype=np.int64)
    place[np.argsort(-size, kind="stable")] = np.arange(1, len(size) + 1)
    return place


def importances(explained: Explained, folds: Sequence[FloatArray]) -> tuple[Importance, ...]:
    """Return the predictors by falling importance.

    Args:
        explained: the contributions.
        folds: sizes of the same predictors in other folds' models, ``(P,)`` each.
    """
    size = sizes(explained.values)
    drawn = _drawn(np.abs(explained.values), explained.weights)
    share, drawn_share, rank = shares(size), shares(drawn), ranks(size)
    fold_shares, fold_ranks = [shares(fold) for fold in folds], [ranks(fold) for fold in folds]
    names = list(map(str, explained.features))
    return tuple(
        Importance(
            column=names[at],
            label=explained.label(names[at]),
            size=_estimate(size[at], drawn[at]),
            share=_estimate(share[at], drawn_share[at]),
            rank=int(rank[at]),
            fold_shares=tuple(float(fold[at]) for fold in fold_shares),
            fold_ranks=tuple(int(fold[at]) for fold in fold_ranks),
        )
        for at in np.argsort(rank)
    )


def largest(models: Sequence[FloatArray], names: list[str]) -> list[str]:
    """Return the names of the predictors with the largest mean share over the models.

    Args:
        models: contributions, ``(N, P)`` each.
        names: of the P predictors.
    """
    share = np.mean([shares(sizes(values)) for values in models], axis=0)
    return [names[at] for at in np.argsort(-share, kind="stable")[:LARGEST] if share[at] > 0]


def group_importances(explained: Explained, groups: Sequence[Subgroup], names: list[str]) -> tuple[GroupImportance, ...]:
    """Return the shares of the predictors ``names`` in each subgroup of ten or more."""
    place = [list(map(str, explained.features)).index(name) for name in names]
    found = []
    for group in groups:
        if (n := int(group.member.sum())) >= FEWEST:
            absolute = np.abs(explained.values)
            share = shares(absolute[group.member].mean(axis=0))
            drawn = shares(_drawn(absolute, explained.weights, group.member))
            by_name = {name: _estimate(share[at], drawn[at]) for name, at in zip(names, place, strict=True)}
            found.append(GroupImportance(label=group.label, level=group.level, n=n, shares=by_name))
    return tuple(found)


def dependences(explained: Explained, names: list[str]) -> tuple[Dependence, ...]:
    """Return the mean contribution of each predictor ``names`` by bin of its value."""
    return tuple(_dependence(explained, name) for name in names)


def _dependence(explained: Explained, name: str) -> Dependence:
    column = explained.features[name]
    contribution = explained.values[:, list(map(str, explained.features)).index(name)][:, None]
    levels = isinstance(column.dtype, pd.CategoricalDtype)
    bins = _level_bins(column) if levels else _number_bins(column.to_numpy(np.float64))
    points = []
    for level, member in bins:
        if (n := int(member.sum())) >= FEWEST:
            drawn = _drawn(contribution, explained.weights, member)[0]
            value = None if level is not None else float(column[member].mean())
            mean = _estimate(contribution[member].mean(), drawn)
            points.append(DependencePoint(value=value, level=level, n=n, contribution=mean))
    entry = explained.columns[name]
    return Dependence(column=name, label=explained.label(name), unit=entry.unit, points=tuple(points))


def _level_bins(column: pd.Series[Any]) -> list[tuple[str | None, BoolArray]]:
    """Return the patients of each level; levels of fewer than ten together."""
    levels = {str(level): (column == level).to_numpy(bool) for level in column.cat.categories}
    kept: list[tuple[str | None, BoolArray]] = [(level, has) for level, has in levels.items() if has.sum() >= FEWEST]
    small = [has for has in levels.values() if has.sum() < FEWEST]
    rest: list[tuple[str | None, BoolArray]] = [(OTHER, np.any(small, axis=0))] if small else []
    return [*kept, *rest, (MISSING, column.isna().to_numpy())]


def _number_bins(values: FloatArray) -> list[tuple[str | None, BoolArray]]:
    """Return patients in bins of ascending value; equal values share a bin."""
    present = np.isfinite(values)
    edges = np.unique(np.quantile(values[present], np.linspace(0, 1, BINS + 1)[1:-1])) if present.any() else np.empty(0)
    place = np.where(present, np.searchsorted(edges, values, side="left"), -1)
    bins: list[tuple[str | None, BoolArray]] = [(None, member) for member in _merged(place, len(edges) + 1)]
    return [*bins, (MISSING, ~present)]


def _merged(place: IntArray, count: int) -> list[BoolArray]:
    """Return the members of each bin; one of fewer than ten joins the next, the last the one before."""
    members: list[BoolArray] = []
    waiting = np.zeros(len(place), dtype=bool)
    for at in range(count):
        waiting = waiting | (place == at)
        if waiting.sum() >= FEWEST:
            members.append(waiting)
            waiting = np.zeros(len(place), dtype=bool)
    if waiting.any() and members:
        members[-1] = members[-1] | waiting
    return members


def _drawn(values: FloatArray, weights: FloatArray, member: BoolArray | None = None) -> FloatArray:
    """Return the means of columns, over ``member``, in each resample, ``(P, R)``."""
    chosen = np.ones(len(values), dtype=bool) if member is None else member
    count = weights[chosen].sum(axis=0)
    total = values[chosen].T @ weights[chosen]
    return np.asarray(np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0))


def _estimate(value: float, drawn: FloatArray) -> Estimate:
    low, high = interval(drawn)
    return Estimate(value=number(value), low=number(low), high=number(high))
