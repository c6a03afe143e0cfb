"""Merge rows that stand in a design more than once: copies of cases, patients drawn again, patients who are alike.

A weighted row adds to a likelihood what its copies would, and is computed once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mgvae.arrays import FloatArray, IntArray

MOST_KEPT = 0.8  # share of the rows that are left: to merge fewer costs as much as it saves
AT_ONCE = 1 << 12  # rows that are compared at once
MIXING = 20_261_128  # seed of the weights whose sums tell rows apart


def merged(rows: Any, event: IntArray, weights: FloatArray | None) -> tuple[Any, IntArray, FloatArray | None]:
    """Return each row once with the sum of its copies' weights, or all rows as they are where few repeat.

    Args:
        rows: of a design, dense or sparse by rows, ``(N, P)``.
        event: outcome in {0, 1}, ``(N,)``; rows with another outcome are other rows.
        weights: ``(N,)``; None for 1 each.
    """
    # not `row_sums`, whose order of adding is fixed and takes ten times as long: what has equal sums is compared anyway
    mixing = np.random.default_rng(MIXING).normal(size=rows.shape[1] + 1)
    sums = np.einsum("ij,j->i", rows, mixing[1:]) if isinstance(rows, np.ndarray) else rows @ mixing[1:]
    _, first, place = np.unique(sums + mixing[0] * event, return_index=True, return_inverse=True)
    if len(first) > MOST_KEPT * len(event):
        return rows, event, weights
    source = first[place]
    again = np.flatnonzero(source != np.arange(len(event)))
    blocks = (again[start : start + AT_ONCE] for start in range(0, len(again), AT_ONCE))
    if not all(_equal(rows, event, block, source[block]) for block in blocks):
        return rows, event, weights
    return rows[first], event[first], np.bincount(place, weights=weights).astype(np.float64)


def _equal(rows: Any, event: IntArray, one: IntArray, other: IntArray) -> bool:
    """Return whether rows at positions ``one`` and ``other`` are equal, each with its own."""
    different = rows[one] != rows[other]
    return not (different.any() if isinstance(rows, np.ndarray) else different.nnz) and bool((event[one] == event[other]).all())
