"""Nearest rows of wide tables: found in single precision, measured in double."""

from __future__ import annotations

import numpy as np

from mgvae.arrays import Array

WORTH = 20_000_000_000  # multiplications from which it saves seconds
BLOCK = 16_000_000  # pairs of rows whose products are in memory at once
GROUPED = 64  # pairs of which the nearest alone helps to bound the distance of the neighbours
MOST_CANDIDATES = 200  # of a row, on average; more have nearly one distance
ROUNDING = float(np.finfo(np.float32).eps)


def is_worth_it(queries: Array, reference: Array) -> bool:
    """Return whether `nearest_of_many` is the faster way."""
    single = queries.dtype == reference.dtype == np.float32
    return single and len(queries) * len(reference) * queries.shape[1] >= WORTH


def nearest_of_many(queries: Array, reference: Array, neighbours: int) -> tuple[Array, Array] | None:
    """Return distances and positions of the nearest reference rows, each ``(queries, neighbours)``.

    Products in single precision leave the few rows that rounding cannot exclude; their distances are calculated in double.

    Returns:
        Of equally near rows the first come first; None where too many rows are equally near.
    """
    squares = np.einsum("ij,ij->i", reference, reference)
    longest = float(np.sqrt(squares.max()))
    # what sums of so many products may be off by, in both of the distances that are compared
    margin = 4 * ROUNDING * queries.shape[1] * longest * (np.linalg.norm(queries, axis=1) + longest)
    step = max(1, BLOCK // len(reference))
    distances = np.empty((len(queries), neighbours))
    positions = np.empty((len(queries), neighbours), dtype=np.int64)
    for start in range(0, len(queries), step):
        part = queries[start : start + step]
        apart = part @ reference.T
        apart *= -2
        apart += squares
        bound = _bound(apart, neighbours) + margin[start : start + step].astype(np.float32)
        rows, places = np.divmod(np.flatnonzero(apart <= bound[:, None]), len(reference))
        if len(rows) > MOST_CANDIDATES * len(part):
            return None
        exact = _distances(part, reference, rows, places)
        order = np.lexsort((places, exact, rows))
        first = order[np.searchsorted(rows, np.arange(len(part)))[:, None] + np.arange(neighbours)]
        distances[start : start + step], positions[start : start + step] = exact[first], places[first]
    return distances, positions


def _bound(apart: Array, neighbours: int) -> Array:
    """Return for each row a value that at least ``neighbours`` of its cells do not exceed, and few others."""
    width = apart.shape[1] // GROUPED
    if width < neighbours:
        return np.asarray(np.partition(apart, neighbours - 1, axis=1)[:, neighbours - 1])
    groups = apart[:, : width * GROUPED].reshape(len(apart), GROUPED, width)
    return np.asarray(np.partition(groups.min(axis=1), neighbours - 1, axis=1)[:, neighbours - 1])


def _distances(queries: Array, reference: Array, rows: Array, places: Array) -> Array:
    """Return the distance of each pair of positions."""
    out = np.empty(len(rows))
    for start in range(0, len(rows), 5000):
        at = slice(start, start + 5000)
        gap = queries[rows[at]].astype(np.float64) - reference[places[at]]
        out[at] = np.sqrt(np.einsum("ij,ij->i", gap, gap))
    return out
