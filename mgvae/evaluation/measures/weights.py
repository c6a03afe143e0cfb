"""Row weights of resamples, and sums under them.

``weights (N, R)``: column r holds how often resample r drew each row.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from mgvae.arrays import FloatArray, IntArray


def unit_weights(n: int) -> FloatArray:
    """Return the weight 1 of each row, ``(n, 1)``."""
    return np.ones((n, 1))


def sums(place: IntArray, weights: FloatArray, count: int) -> FloatArray:
    """Return the weights summed by place, ``(count, R)``."""
    n = len(place)
    return np.asarray(sparse.csr_array((np.ones(n), (place, np.arange(n))), shape=(count, n)) @ weights)


def ratio(top: FloatArray, bottom: FloatArray) -> FloatArray:
    """Return ``top / bottom``; NaN where ``bottom`` is not positive."""
    return np.asarray(np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=bottom > 0))
