"""The embedding of mixed columns as numbers, for distances and classifiers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.neighbors import NearestNeighbors

from mgvae.cohort.neighbours import is_worth_it, nearest_of_many

Floats = np.ndarray[Any, np.dtype[Any]]

CLIP = 4.0  # robust standard deviations beyond which a value counts as equally extreme
FEW_PAIRS = 50_000  # of rows whose distances are calculated at once
MISMATCH = np.sqrt(2.0)  # two random patients differ by this much, root mean square, in a column of unit variance


@dataclass(frozen=True)
class Numeric:
    """The scaling of a numeric or ordinal column.

    A value x becomes ``clip((x - centre) / scale) / spread``, a missing one 0.
    """

    centre: float
    scale: float
    spread: float


@dataclass(frozen=True)
class Embedding:
    """A distance for mixed columns, after Gower (Biometrics 1971) but Euclidean.

    Numeric columns, dates and ordinal codes are scaled robustly to unit variance, with one more coordinate for "missing". Each
    level of a binary or categorical column, missing included, is a coordinate. A mismatch (of levels, or of missing against
    present) adds 2 to the squared distance: what two random patients differ by, on average, in a numeric column. So each column
    counts about alike.

    Attributes:
        columns: the columns, in order.
        numeric: scaling of those that are numeric or ordinal.
    """

    columns: tuple[str, ...]
    numeric: dict[str, Numeric]

    def owners(self, frame: pd.DataFrame) -> Floats:
        """Return the position of the column that each coordinate belongs to, ``(coordinates,)``."""
        widths = [2 if name in self.numeric else len(frame[name].cat.categories) + 1 for name in self.columns]
        return np.repeat(np.arange(len(widths)), widths)

    def transform(self, frame: pd.DataFrame) -> Floats:
        """Return float32 ``(rows, coordinates)``."""
        blocks = [
            _numeric_block(frame[name], self.numeric[name]) if name in self.numeric else _levels(frame[name])
            for name in self.columns
        ]
        return np.asarray(np.concatenate(blocks, axis=1))


def fit_embedding(frame: pd.DataFrame) -> Embedding:
    """Fit the embedding on real training rows, typed as ``Cohort.features``."""
    numeric = {str(name): _scaling(numbers(frame[name])) for name in frame.columns if not _is_nominal(frame[name])}
    return Embedding(columns=tuple(str(name) for name in frame.columns), numeric=numeric)


def plain_matrix(frame: pd.DataFrame) -> Floats:
    """Return float32 ``(rows, coordinates)``, unscaled.

    Numbers and ordinal codes are NaN where missing, other levels one-hot. Trees see here what scaling would hide: rounding,
    spikes and far tails.
    """
    blocks = [_levels(frame[name]) if _is_nominal(frame[name]) else numbers(frame[name])[:, None] for name in frame.columns]
    return np.asarray(np.clip(np.concatenate(blocks, axis=1), -1e30, 1e30), dtype=np.float32)


def numbers(cells: pd.Series) -> Floats:
    """Return numbers or codes of levels as float64 ``(rows,)``, NaN where missing."""
    if isinstance(cells.dtype, pd.CategoricalDtype):
        codes = cells.cat.codes.to_numpy().astype(np.float64)
        return np.where(codes < 0, np.nan, codes)
    return cells.to_numpy(dtype=np.float64, na_value=np.nan)


def nearest(queries: Floats, reference: Floats, *, neighbours: int = 1) -> tuple[Floats, Floats]:
    """Return distances and positions of the nearest reference rows.

    Each has the shape ``(queries, neighbours)``; memory grows linearly.
    """
    if len(queries) * len(reference) <= FEW_PAIRS:  # what scikit-learn does ahead of its search takes longer than this
        squares = squared_distances(queries, reference)
        return _least(squares, neighbours)
    found = nearest_of_many(queries, reference, neighbours) if is_worth_it(queries, reference) else None
    if found is not None:
        return found
    search = NearestNeighbors(n_neighbors=neighbours, algorithm="brute").fit(reference)
    distances, positions = search.kneighbors(queries)
    return distances, positions


def squared_distances(rows: Floats, others: Floats, squares: Floats | None = None) -> Floats:
    """Return squared Euclidean distances, ``(N, M)``.

    Args:
        rows: ``(N, P)``.
        others: ``(M, P)``; in double precision they are not copied.
        squares: squared lengths of the others, ``(M,)``, where they are known.
    """
    a, b = np.asarray(rows, dtype=np.float64), np.asarray(others, dtype=np.float64)
    squares = (b**2).sum(axis=1) if squares is None else squares
    return np.asarray(np.maximum((a**2).sum(axis=1)[:, None] + squares - 2 * a @ b.T, 0.0))


def _least(squares: Floats, neighbours: int) -> tuple[Floats, Floats]:
    """Return roots and positions of the least of each row, the first of equal ones, as a stable sort would."""
    rows, positions = np.arange(len(squares)), np.empty((len(squares), min(neighbours, squares.shape[1])), dtype=np.intp)
    found = np.empty(positions.shape)
    for rank in range(positions.shape[1]):
        positions[:, rank] = squares.argmin(axis=1)
        found[:, rank] = squares[rows, positions[:, rank]]
        squares[rows, positions[:, rank]] = np.inf
    return np.sqrt(found), positions


def nearest_other(rows: Floats, positions: Floats) -> Floats:
    """Return the position of the nearest other row for each of ``positions``."""
    _, found = nearest(rows[positions], rows, neighbours=2)
    return np.asarray(np.where(found[:, 0] == positions, found[:, 1], found[:, 0]))


def neighbour_ratios(rows: Floats, patients: Floats) -> tuple[Floats, Floats]:
    """Return the distance to the nearest patient by that patient's own, and who that is.

    Both have the shape ``(rows,)``. The ratio is infinite where that patient has an exact twin.
    """
    if len(patients) < 2 or len(rows) == 0:
        return np.full(len(rows), np.inf), np.zeros(len(rows), dtype=int)
    found, places = nearest(rows, patients)
    who, back = np.unique(places[:, 0], return_inverse=True)
    own = np.linalg.norm(patients[who] - patients[nearest_other(patients, who)], axis=1)[back]
    return by_own(found[:, 0], own), places[:, 0]


def by_own(distances: Floats, own: Floats) -> Floats:
    """Return distances to patients by these patients' own; infinite where a patient has an exact twin."""
    out = np.full(len(distances), np.inf)
    np.divide(distances, own, out=out, where=own > 1e-6)
    return out


def _is_nominal(cells: pd.Series) -> bool:
    return isinstance(cells.dtype, pd.CategoricalDtype) and not cells.cat.ordered


def _scaling(values: Floats) -> Numeric:
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return Numeric(0.0, 1.0, 1.0)
    low, centre, high = np.quantile(values, [0.25, 0.5, 0.75])
    scale = (high - low) / 1.349 or values.std() or 1.0  # counts with many zeros have no interquartile range
    spread = np.clip((values - centre) / scale, -CLIP, CLIP).std() or 1.0
    return Numeric(float(centre), float(scale), float(spread))


def _numeric_block(cells: pd.Series, scaling: Numeric) -> Floats:
    values = numbers(cells)
    missing = np.isnan(values)
    scaled = np.clip((values - scaling.centre) / scaling.scale, -CLIP, CLIP) / scaling.spread
    return np.stack([np.where(missing, 0.0, scaled), MISMATCH * missing], axis=1).astype(np.float32)


def _levels(cells: pd.Series) -> Floats:
    codes = cells.cat.codes.to_numpy()
    return np.asarray(codes[:, None] == np.arange(-1, len(cells.cat.categories)), dtype=np.float32)
