"""The rule on small counts: which are suppressed, so that no few patients are described."""

from __future__ import annotations

import numpy as np

from mgvae.arrays import BoolArray, IntArray
from mgvae.results.numbers import FEWEST_NAMED


def suppressed_rows(counts: IntArray) -> BoolArray:
    """Return which rows of counts, ``(L, S)``, are suppressed: small ones, and enough others that no sum gives them away."""
    hidden: BoolArray = np.any((counts > 0) & (counts < FEWEST_NAMED), axis=1)
    if hidden.any():
        for place in np.argsort(counts.min(axis=1), kind="stable"):
            if hidden.sum() > 1 and counts[hidden].sum(axis=0).min() >= FEWEST_NAMED:
                break
            hidden[place] |= counts[place].any()  # a level that nobody has hides nothing
    return hidden
