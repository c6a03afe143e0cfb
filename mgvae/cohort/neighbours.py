"""Nearest rows of wide tables: found in single precision, measured in double."""

from __future__ import annotations

import numpy as np

from mgvae.arrays import Array

WORTH = 20_000_000_000  # multiplications from which it saves seconds
BLOCK = 4_000_000  # pairs of rows whose products are in memory at once
CHUNK = 8192  # of them reference rows: products of few queries and many rows take twice as long
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
    step = max(1, BLOCK // min(CHUNK, len(reference)))
    distances = np.empty((len(queries), neighbours))
    positions = np.empty((len(queries), neighbours), dtype=np.int64)
    for start in range(0, len(queries), step):
        part = queries[start : start + step]
        near = _candidates(part, reference, squares, margin[start : start + step].astype(np.float32), neighbours)
        if near is None:
            return None
        rows, places = near
        exact = _distances(part, reference, rows, places)
        order = np.lexsort((places, exact, rows))
        first = order[np.searchsorted(rows[order], np.arange(len(part)))[:, None] + np.arange(neighbours)]
        distances[start : start + step], positions[start : start + step] = exact[first], places[first]
    return distances, positions


def _candidates(queries: Array, reference: Array, squares: Array, margin: Array, neighbours: int) -> tuple[Array, Array] | None:
    """Return pairs of positions among which all nearest are; None where they are too many."""
    found: list[Array] = [np.empty(0, dtype=kind) for kind in (np.int64, np.int64, np.float32)]
    doubled, least = -2 * queries, np.full((len(queries), neighbours), np.inf, dtype=np.float32)
    for start in range(0, len(reference), CHUNK):
        apart = doubled @ reference[start : start + CHUNK].T
        apart += squares[start : start + CHUNK]
        low = np.concatenate([least, _low(apart, neighbours)], axis=1)
        least = np.partition(low, neighbours - 1, axis=1)[:, :neighbours]
        bound = least.max(axis=1) + margin
        rows, places = np.divmod(np.flatnonzero(apart <= bound[:, None]), apart.shape[1])
        found = [np.concatenate(parts) for parts in zip(found, (rows, places + start, apart[rows, places]), strict=True)]
        close = found[2] <= bound[found[0]]
        found = [part[close] for part in found]
        if len(found[0]) > MOST_CANDIDATES * len(queries):
            return None
    return found[0], found[1]


def _low(apart: Array, neighbours: int) -> Array:
    """Return low values of different cells of each row, at least ``neighbours`` where there are as many, and few others."""
    width = apart.shape[1] // GROUPED
    return apart if width < neighbours else apart[:, : width * GROUPED].reshape(len(apart), GROUPED, width).min(axis=1)


def _distances(queries: Array, reference: Array, rows: Array, places: Array) -> Array:
    """Return the distance of each pair of positions."""
    out = np.empty(len(rows))
    for start in range(0, len(rows), 5000):
        at = slice(start, start + 5000)
        gap = queries[rows[at]].astype(np.float64) - reference[places[at]]
        out[at] = np.sqrt(np.einsum("ij,ij->i", gap, gap))
    return out
