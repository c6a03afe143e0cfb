"""Subgroups of a cohort: levels, bands of numbers, and sites."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from mgvae.arrays import Array, BoolArray, FloatArray
from mgvae.cohort.build import Cohort
from mgvae.config.study import CohortConfig
from mgvae.results.numbers import FEWEST_NAMED

MOST_SITES, SITE_ROWS = 20, 100  # groups are sites where they are few and large
MISSING, OTHER = "missing", "other"
QUARTILES = (0.25, 0.5, 0.75)
Cuts = dict[str, tuple[float, ...]]  # by column


@dataclass(frozen=True, eq=False)
class Subgroup:
    """Patients who have a level, a band of a number or a site in common.

    Attributes:
        column, label: of the column that divides the cohort.
        level: what they have in common.
        member: bool ``(n,)``.
    """

    column: str
    label: str
    level: str
    member: BoolArray


def cut_points(cohort: Cohort, config: CohortConfig) -> Cuts:
    """Return where each numeric subgroup column is cut: as stated, else at quartiles.

    Args:
        cohort: the training part, whose quartiles are taken.
        config: the study.
    """
    cuts: Cuts = {}
    for name in map(str, cohort.subgroups):
        values = cohort.subgroups[name]
        if not isinstance(values.dtype, pd.CategoricalDtype):
            present = values.dropna().to_numpy(np.float64)
            quartiles = np.unique(np.quantile(present, QUARTILES)) if len(present) else np.empty(0)
            stated = config.columns[name].cuts
            cuts[name] = tuple(map(float, quartiles[quartiles > present.min(initial=np.inf)])) if stated is None else stated
    return cuts


def subgroups_of(cohort: Cohort, config: CohortConfig, cuts: Cuts) -> list[Subgroup]:
    """Return the subgroups of some subjects, column by column.

    Groups of fewer than five patients are put together as "other"; where that leaves fewer than five, they are left out.

    Args:
        cohort: the subjects.
        config: the study.
        cuts: of `cut_points`.
    """
    found: list[Subgroup] = []
    for name in map(str, cohort.subgroups):
        values = cohort.subgroups[name]
        levels = _bands(values.to_numpy(np.float64), cuts[name]) if name in cuts else _levels(values)
        found += _named(name, config.columns[name].label or name, levels)
    if config.group is not None:
        found += _named(config.group, config.columns[config.group].label or config.group, _sites(cohort.group_name))
    return found


def _levels(values: pd.Series[Any]) -> dict[str, BoolArray]:
    levels = {str(level): (values == level).to_numpy(bool) for level in values.cat.categories}
    return levels | {MISSING: values.isna().to_numpy()}


def _bands(values: FloatArray, cuts: tuple[float, ...]) -> dict[str, BoolArray]:
    """Return the bands between the cuts; a cut belongs to the band above it."""
    place = np.where(np.isnan(values), -1, np.searchsorted(cuts, values, side="right"))
    written = [f"{cut:.4g}" for cut in cuts]
    inner = [f"{low} to below {high}" for low, high in pairwise(written)]
    names = [f"below {written[0]}", *inner, f"{written[-1]} and above"] if cuts else ["all"]
    return {name: np.asarray(place == at) for at, name in enumerate(names)} | {MISSING: np.isnan(values)}


def _sites(names: Array) -> dict[str, BoolArray]:
    """Return the groups where they are sites, the small ones last; else nothing."""
    sites = pd.Series(names, dtype=object).value_counts()
    large = [str(name) for name, rows in sites.items() if rows >= SITE_ROWS]
    if len(sites) > MOST_SITES or len(large) < 2:
        return {}
    return {name: np.asarray(names == name) for name in sorted(map(str, sites.index))}


def _named(column: str, label: str, levels: dict[str, BoolArray]) -> list[Subgroup]:
    small = {level: member for level, member in levels.items() if member.sum() < FEWEST_NAMED}
    kept = {level: member for level, member in levels.items() if level not in small}
    rest = np.any(list(small.values()), axis=0) if small else np.zeros(0, dtype=bool)
    if rest.sum() >= FEWEST_NAMED:
        kept[OTHER] = rest
    return [Subgroup(column, label, level, member) for level, member in kept.items()]
