"""The energy distance between two samples, with a permutation p-value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import pairwise_distances

from mgvae.cohort.embedding import Floats
from mgvae.reproducibility import numpy_generator
from validation.intervals import Interval

MOST_ROWS = 800  # of each sample
PERMUTATIONS = 500
HALVES = 100


@dataclass(frozen=True)
class Energy:
    """The energy coefficient, 0 (one distribution) to 1.

    Attributes:
        coefficient: energy distance by twice the mean distance between the samples; its interval by halving (delete-half
            jackknife, Shao and Tu 1995).
        by_chance: what shuffling the labels gives on average.
        p_value: how often that is as large.
    """

    coefficient: Interval
    by_chance: float
    p_value: float


def energy(first: Floats, second: Floats, *, seed: int) -> Energy | None:
    """Compare two samples of embedded rows; None with fewer than four rows in either.

    Source: Székely and Rizzo, J Stat Plan Inference 2013, doi:10.1016/j.jspi.2013.03.018.
    """
    draw = numpy_generator(seed, "energy")
    a, b = (rows[draw.permutation(len(rows))[:MOST_ROWS]] for rows in (first, second))
    if min(len(a), len(b)) < 4:
        return None
    apart = pairwise_distances(np.concatenate([a, b]).astype(np.float64))
    label = np.repeat([1.0, 0.0], [len(a), len(b)])[:, None]
    found = float(_coefficients(apart, label)[0])
    shuffled = _coefficients(apart, draw.permuted(np.tile(label, PERMUTATIONS), axis=0))
    halves = [_half(apart, label[:, 0], draw) for _ in range(HALVES)]
    reach = 1.96 * float(np.std(halves, ddof=1))
    p_value = float((1 + (shuffled >= found - 1e-12).sum()) / (1 + PERMUTATIONS))
    return Energy(Interval(found, max(found - reach, 0.0), min(found + reach, 1.0)), float(shuffled.mean()), p_value)


def _half(apart: Floats, label: Floats, draw: np.random.Generator) -> float:
    rows = np.concatenate(
        [draw.permutation(np.flatnonzero(label == side))[: int((label == side).sum()) // 2] for side in (1, 0)]
    )
    return float(_coefficients(apart[np.ix_(rows, rows)], label[rows, None])[0])


def _coefficients(apart: Floats, label: Floats) -> Floats:
    """Return the coefficient for each column of ``label (N, K)``, 1 for the first sample."""
    n, m = label.sum(axis=0), (1 - label).sum(axis=0)
    to_first = apart @ label
    to_second = apart.sum(axis=1)[:, None] - to_first
    between = (label * to_second).sum(axis=0) / (n * m)
    inside = (label * to_first).sum(axis=0) / n**2 + ((1 - label) * to_second).sum(axis=0) / m**2
    return np.asarray(np.divide(2 * between - inside, 2 * between, out=np.zeros_like(between), where=between > 0))
