"""Draw the patients without the event that a fit learns from, where they are many.

A fit on all events and a random part of the others gives the same associations with little less precision, and odds that are
too high by one known factor, which the prior correction takes away.

Source: King and Zeng 2001, doi 10.1093/oxfordjournals.pan.a004868.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mgvae.arrays import FloatArray, IntArray
from mgvae.classifiers.recalibration import offset
from mgvae.reproducibility import numpy_generator


@dataclass(frozen=True)
class Drawn:
    """The rows of a fit that are learned from.

    Attributes:
        rows: their positions among the N rows of the fit, increasing.
        share: share of events among all N rows.
        drawn_share: share of events among the drawn rows.
    """

    rows: IntArray
    share: float
    drawn_share: float

    def moved_back(self, probability: FloatArray) -> FloatArray:
        """Return probabilities as if all rows had been learned from, ``(M,)``."""
        return offset(probability, fitted_share=self.drawn_share, share=self.share)


def draw_majority(event: IntArray, group: IntArray, most: int | None, *, seed: int) -> Drawn:
    """Return all rows with the event, and at most ``most`` of the others by whole groups.

    A group's rows without the event are taken together or not at all, whether or not it has an event, so those taken are a
    random sample of all of them. Where the first group drawn is larger than ``most``, it is taken alone.

    Args:
        event: outcome in {0, 1}, ``(N,)``.
        group: of each row, ``(N,)``.
        most: rows without the event; None for all.
        seed: of the fit.
    """
    share, others = float(np.mean(event)) if len(event) else 0.0, np.flatnonzero(event == 0)
    if most is None or len(others) <= most:
        return Drawn(np.arange(len(event)), share, share)
    _, code = np.unique(group[others], return_inverse=True)
    sizes = np.bincount(code)
    order = numpy_generator(seed, "majority").permutation(len(sizes))
    taken = np.zeros(len(sizes), dtype=bool)
    taken[order[: max(1, int(np.searchsorted(np.cumsum(sizes[order]), most, side="right")))]] = True
    kept = event == 1
    kept[others[taken[code]]] = True
    return Drawn(np.flatnonzero(kept), share, float(np.mean(event[kept])))


def learned_from(most: int | None, others: int) -> dict[str, str]:
    """Return what a reader must know where fits learned from a part of ``others``; nothing where from all."""
    if most is None or others <= most:
        return {}
    drawn = f"at most {most:,} of the {others:,} training patients without the event, drawn by whole groups"
    return {"Each fit learned from": f"all its events and {drawn}; every patient was tested"}
