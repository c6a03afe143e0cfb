"""Weighted sums of the columns of rows, the same to the last bit whatever rows stand beside a row."""

from __future__ import annotations

from typing import Any

import numpy as np

from mgvae.arrays import FloatArray


def row_sums(rows: Any, weights: FloatArray) -> FloatArray:
    """Return ``rows @ weights``, ``(N,)``, each row added up from its first column to its last.

    A matrix product of BLAS adds in an order that depends on the place of a row in the table, so that a patient's risk would
    change in its last digits with the order of the rows.

    Args:
        rows: dense or sparse by rows, ``(N, P)``.
        weights: ``(P,)``.
    """
    if not isinstance(rows, np.ndarray):
        return np.asarray(rows @ weights)  # scipy adds up one row after another
    total = np.zeros(len(rows))
    for column, weight in zip(rows.T, weights, strict=True):
        total += weight * column
    return total
