"""Random numbers for private mechanisms: from the operating system, or repeatable.

A seed that stands in a report would let its reader compute the noise and take it away. So noise comes from the operating
system's generator for cryptography, of which nobody can tell the state. What is left: numbers have 53 bits, so that their
lowest bits may tell a little of the sum they were added to (Mironov 2012, doi:10.1145/2382196.2382264); four draws are added up
for each, which makes that costly to use (Holohan and Braghin 2021, arXiv:2107.10138).
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable

import numpy as np
from scipy.special import ndtri

from mgvae.arrays import BoolArray, FloatArray
from mgvae.reproducibility import numpy_generator

Uniforms = Callable[[int], FloatArray]  # count -> numbers evenly spread over (0, 1)
DRAWS = 4


def secret(count: int) -> FloatArray:
    """Return ``count`` numbers in (0, 1) from the operating system."""
    bits = np.frombuffer(os.urandom(8 * count), dtype=np.uint64) >> np.uint64(11)
    return np.asarray((bits + 0.5) * 2.0**-53, dtype=np.float64)


def repeatable(seed: int) -> Uniforms:
    """Return a source whose numbers follow from ``seed``: no secret."""
    draws = numpy_generator(seed, "privacy")
    return lambda count: np.asarray((draws.integers(0, 2**53, count) + 0.5) * 2.0**-53, dtype=np.float64)


def normal(source: Uniforms, count: int) -> FloatArray:
    """Return ``count`` standard-normal numbers."""
    return np.asarray(ndtri(source(DRAWS * count)).reshape(DRAWS, count).sum(0) / math.sqrt(DRAWS))


def sampled(source: Uniforms, count: int, rate: float) -> BoolArray:
    """Return which of ``count`` units take part, each with probability ``rate``."""
    return np.ones(count, dtype=bool) if rate >= 1 else np.asarray(source(count) < rate)
