"""Histograms of the training patients by predictor, with which new patients are compared before their outcomes are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mgvae.arrays import IntArray
from mgvae.config.strict import Strict
from mgvae.results.numbers import Count, Number

FEWEST = 10  # training patients of a level with a bin of its own: a smaller group is not counted in the model's file


class ColumnBins(Strict):
    """A predictor of the training patients, counted.

    Attributes:
        edges: upper limits of a number's bins but the last, deciles; None for levels.
        levels: those with a bin of their own; None for numbers.
        counts: training patients by bin; of levels, all others share one; the last bin is that of missing cells.
    """

    edges: list[Number] | None = None
    levels: list[str] | None = None
    counts: list[Count]

    def count(self, column: pd.Series[Any]) -> IntArray:
        """Return how many cells of a column are in each bin, as ``counts``."""
        missing = int(column.isna().sum())
        if self.levels is not None:
            by_level = column.value_counts()
            own = [int(by_level.get(level, 0)) for level in self.levels]
            return np.array([*own, len(column) - missing - sum(own), missing])
        edges = np.array(self.edges, dtype=np.float64)
        at = np.searchsorted(edges, column.dropna().to_numpy(np.float64), side="left")
        return np.array([*np.bincount(at, minlength=len(edges) + 1), missing])


def fit_bins(features: pd.DataFrame) -> dict[str, ColumnBins]:
    """Return the histograms of the training patients, see `mgvae.cohort.build.Cohort.features`."""
    return {str(name): _fitted(features[name]) for name in features}


def _fitted(column: pd.Series[Any]) -> ColumnBins:
    if isinstance(column.dtype, pd.CategoricalDtype):
        by_level = column.value_counts()
        empty = ColumnBins(levels=[str(level) for level in column.cat.categories if by_level[level] >= FEWEST], counts=[])
    else:
        known = column.dropna().to_numpy(np.float64)
        edges = np.unique(np.quantile(known, np.arange(1, 10) / 10)) if len(known) else np.array([])
        empty = ColumnBins(edges=edges.tolist(), counts=[])
    return empty.model_copy(update={"counts": empty.count(column).tolist()})
