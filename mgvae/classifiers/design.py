"""Design matrices of the classifiers, learned from the fitting rows alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from mgvae.arrays import BoolArray, FloatArray, IntArray

MISSING, OTHER = -1, -2
RARE_LEVEL = 10  # rows below which a level has no coefficient of its own
LARGEST = 1e150  # a number beyond it counts as this one: its square must be finite
LARGEST_IN_TREES = 1e30  # the same for trees of 32-bit numbers
BINS = 255  # of a tree's columns, as many as scikit-learn makes
DENSE_COLUMNS = 256  # above this many, indicator columns are mostly zero and stay sparse


def information(event: IntArray, weights: FloatArray | None = None) -> float:
    """Return the Fisher information of rows on the log odds at their share of events.

    That is the sum of w s (1 - s), about the number of events where they are rare.

    Args:
        event: outcome in {0, 1}, ``(N,)``.
        weights: of the rows, ``(N,)``; None for 1 each.
    """
    share = float(np.average(event, weights=weights))
    return share * (1 - share) * (len(event) if weights is None else float(weights.sum()))


@dataclass(frozen=True)
class Levels:
    """Levels of an unordered column with a place of their own; others share ``OTHER``.

    Attributes:
        kept: codes of these levels, ascending.
    """

    kept: IntArray

    def place(self, codes: IntArray) -> IntArray:
        """Return codes' places among the kept levels, ``OTHER`` or ``MISSING``, ``(N,)``."""
        if not len(self.kept):
            return np.where(codes < 0, MISSING, OTHER)
        place = np.searchsorted(self.kept, codes).clip(max=len(self.kept) - 1)
        known = self.kept[place] == codes
        return np.where(codes < 0, MISSING, np.where(known, place, OTHER))


def fit_levels(codes: IntArray, *, fewest: int = 1, most: int | None = None) -> Levels:
    """Return the levels with at least ``fewest`` rows; of these the ``most`` frequent."""
    counts = np.bincount(codes[codes >= 0], minlength=1)
    order = np.argsort(-counts, kind="stable")[:most]
    return Levels(np.sort(order[counts[order] >= fewest]).astype(np.int64))


def level_codes(column: pd.Series[Any]) -> IntArray:
    """Return the level codes of a category column, ``(N,)``; -1 where missing."""
    levels: Any = column.array
    return np.asarray(levels.codes, dtype=np.int64)


def nominal_codes(features: pd.DataFrame) -> dict[str, IntArray]:
    """Return the level codes of each column whose levels have no order."""
    return {name: level_codes(features[name]) for name in nominal_columns(features)}


def nominal_columns(features: pd.DataFrame) -> list[str]:
    """Return the names of the columns whose levels have no order."""
    return [
        str(name) for name, dtype in features.dtypes.items() if isinstance(dtype, pd.CategoricalDtype) and not dtype.ordered
    ]


def measured(features: pd.DataFrame) -> FloatArray:
    """Return numeric columns and ranks of ordinal columns, ``(N, M)``; missing is NaN."""
    nominal = set(nominal_columns(features))
    columns = [_numbers(features[name]) for name in features if name not in nominal]
    return np.column_stack(columns) if columns else np.empty((len(features), 0))


def _numbers(column: pd.Series[Any]) -> FloatArray:
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return column.to_numpy(dtype=np.float64).clip(-LARGEST, LARGEST)
    codes = level_codes(column)
    return np.where(codes < 0, np.nan, codes.astype(np.float64))


@dataclass(frozen=True)
class LinearDesign:
    """The design matrix of a linear model, without intercept.

    Attributes:
        medians, scales: of the measured columns, ``(M,)``; missing cells take the median.
        indicated: positions of the measured columns with missing cells; each has an indicator column.
        levels: levels of each unordered column.
        places: the places of each unordered column that have an indicator column of their own.
    """

    medians: FloatArray
    scales: FloatArray
    indicated: IntArray
    levels: Mapping[str, Levels]
    places: Mapping[str, IntArray]

    def rows(self, features: pd.DataFrame) -> FloatArray | sparse.csr_array:
        """Return the design matrix, ``(N, columns)``; sparse where it has many columns.

        Where nothing is worth a column (every level is rare), it has one of zeros: a linear model needs one.
        """
        values = measured(features)
        missing = np.isnan(values)
        return self.assembled((np.where(missing, self.medians, values) - self.medians) / self.scales, missing, features)

    def assembled(self, values: FloatArray, missing: BoolArray, features: pd.DataFrame) -> FloatArray | sparse.csr_array:
        """Return measured columns, however scaled, with the indicator columns, as `rows`.

        Args:
            values: of the measured columns, finite, ``(N, M)``.
            missing: where no value was measured, ``(N, M)``.
            features: the rows, whose levels are read.
        """
        rows, places = self._indicated(features)
        before, width = values.shape[1] + len(self.indicated), sum(map(len, self.places.values()))
        columns = before + width
        if columns <= DENSE_COLUMNS:
            table = np.zeros((len(features), max(columns, 1)))
            table[:, : values.shape[1]], table[:, values.shape[1] : before] = values, missing[:, self.indicated]
            table[rows, before + places] = 1.0
            return table
        dense = np.column_stack([values, missing[:, self.indicated].astype(np.float64)])
        marked = sparse.csr_array((np.ones(len(rows)), (rows, places)), shape=(len(features), width))
        return sparse.csr_array(sparse.hstack([sparse.csr_array(dense), marked], format="csr"))

    def _indicated(self, features: pd.DataFrame) -> tuple[IntArray, IntArray]:
        """Return rows and columns of the ones in the indicator columns of all unordered columns."""
        rows, columns = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
        for name, indicators in self._indicators.items():
            column = indicators[np.minimum(level_codes(features[name]) + 1, len(indicators) - 1)]
            rows.append(np.flatnonzero(column >= 0))
            columns.append(column[rows[-1]])
        return np.concatenate(rows), np.concatenate(columns)

    @cached_property
    def _indicators(self) -> dict[str, IntArray]:
        """The indicator column of each level code, the missing one first, any beyond those kept last; -1 where none is."""
        found, start = dict[str, IntArray](), 0
        for name, level in self.levels.items():
            places = self.places[name]
            if len(places):
                placed = level.place(np.arange(-1, max(level.kept, default=-1) + 2))
                position = np.searchsorted(places, placed).clip(max=len(places) - 1)
                found[name] = np.where(places[position] == placed, start + position, -1)
            start += len(places)
        return found


def fit_linear_design(features: pd.DataFrame, *, rare: int) -> LinearDesign:
    """Return the design learned from the fitting rows.

    Missing is a level of its own where it occurs; levels of fewer than ``rare`` rows share one indicator; of two places only
    the second has one. A level never seen in fitting has all indicators zero.
    """
    values = measured(features)
    present = ~np.isnan(values)
    medians = np.array([np.median(values[there, j]) if there.any() else 0.0 for j, there in enumerate(present.T)])
    spread = np.where(present, values, medians).std(axis=0) if len(values) else np.ones(values.shape[1])
    codes = nominal_codes(features)
    levels = {name: fit_levels(column, fewest=rare) for name, column in codes.items()}
    places = {name: np.unique(levels[name].place(np.flatnonzero(np.bincount(c + 1)) - 1)) for name, c in codes.items()}
    return LinearDesign(
        medians=medians,
        scales=np.where(spread > 0, spread, 1.0),
        indicated=np.flatnonzero(present.any(axis=0) & ~present.all(axis=0)),
        levels=levels,
        places={name: place[1:] if len(place) <= 2 else place for name, place in places.items()},
    )


def forest_rows(design: LinearDesign, features: pd.DataFrame) -> Any:
    """Return rows of a linear design as scikit-learn's trees take them.

    ``(N, columns)``. They compare 32-bit numbers, and read sparse rows with 32-bit indices.
    """
    rows = design.rows(features)
    if isinstance(rows, np.ndarray):
        return rows.clip(-LARGEST_IN_TREES, LARGEST_IN_TREES)
    parts = rows.data.clip(-LARGEST_IN_TREES, LARGEST_IN_TREES), rows.indices.astype(np.int32), rows.indptr.astype(np.int32)
    return sparse.csr_array(parts, shape=rows.shape)


@dataclass(frozen=True)
class TreeDesign:
    """The matrix of a tree model with native categories and missing values.

    Attributes:
        edges: of the bins that the measured columns are cut into, ``(M,)`` arrays, before a tree sees them: left to itself with
            weighted rows, scikit-learn takes ten times as long to bin them as to grow the trees.
        levels: levels of each unordered column that stand for themselves.
        nominal: bool per column of the matrix: its numbers are categories.
        empty: bool per column of the matrix: no value in the fitting rows, so it is 0 throughout; a tree cannot bin it.
    """

    edges: tuple[FloatArray, ...]
    levels: Mapping[str, Levels]
    nominal: tuple[bool, ...]
    empty: tuple[bool, ...]

    def rows(self, features: pd.DataFrame) -> FloatArray:
        """Return measured columns, then category numbers, ``(N, P)``; missing is NaN."""
        values = measured(features)
        bins = [np.searchsorted(edges, column) for column, edges in zip(values.T, self.edges, strict=True)]
        binned = [np.where(np.isnan(column), np.nan, places) for column, places in zip(values.T, bins, strict=True)]
        columns = [*binned, *(self._categories(features[name], name) for name in self.levels)]
        return np.where(self.empty, 0.0, np.column_stack(columns))

    def _categories(self, column: pd.Series[Any], name: str) -> FloatArray:
        placed = self.levels[name].place(level_codes(column))
        number = np.where(placed == OTHER, len(self.levels[name].kept), placed).astype(np.float64)
        return np.where(placed == MISSING, np.nan, number)


def fit_tree_design(features: pd.DataFrame, *, most: int) -> TreeDesign:
    """Return the design learned from the fitting rows; a column keeps ``most`` levels."""
    levels = {name: fit_levels(codes, most=most) for name, codes in nominal_codes(features).items()}
    values = measured(features)
    seen = [bool(np.isfinite(column).any()) for column in values.T] + [len(level.kept) > 0 for level in levels.values()]
    return TreeDesign(
        edges=tuple(bin_edges(column) for column in values.T),
        levels=levels,
        nominal=(False,) * values.shape[1] + (True,) * len(levels),
        empty=tuple(not one for one in seen),
    )


def bin_edges(values: FloatArray) -> FloatArray:
    """Return increasing edges of bins with about equal rows; few values have one each."""
    present = values[~np.isnan(values)]
    distinct = np.unique(present)
    if len(distinct) <= BINS:
        return (distinct[:-1] + distinct[1:]) / 2
    return np.unique(np.quantile(present, np.linspace(0, 1, BINS + 1)[1:-1], method="midpoint"))
