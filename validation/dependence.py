"""How much of the dependence between columns synthetic cases keep."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mgvae.cohort.embedding import Floats
from validation.intervals import Interval, ratio

BLOCKS = 20  # of the jackknife
FEWEST = 8
CONSTANT = 1e-6  # spread of a coordinate that does not vary


@dataclass(frozen=True)
class Dependence:
    """The dependence that is kept.

    Attributes:
        kept: dependence of synthetic cases as a share of that of real cases; None where real cases show none clearly.
        largest: the pair of columns whose correlation differs most: positions, real and synthetic value.
    """

    kept: Interval | None
    largest: tuple[int, int, float, float]


@dataclass(frozen=True)
class _Sum:
    """The weighted sum of correlations, its variance, and the correlations ``(P, P)``."""

    value: float
    variance: float
    correlations: Floats


def dependence(synthetic: Floats, real: Floats, majority: Floats, owners: Floats) -> Dependence | None:
    """Compare correlations between the coordinates of different columns.

    Correlations of few cases are mostly noise. So they are weighted by those of the majority, which are precise: a weighted sum
    of the cases' correlations has no bias, whatever the cases' number (an instrument, as for errors in variables), and strong,
    known dependences decide. Missing cells and levels are coordinates, so patterns of missing cells count. Intervals: jackknife
    over blocks of rows (Miller, Biometrika 1974), then Fieller's ratio.

    Args:
        synthetic, real, majority: embedded rows, ``(rows, P)``.
        owners: the column of each coordinate, ``(P,)``.

    Returns:
        The share; None with fewer than ``FEWEST`` rows or a single column.
    """
    if min(len(synthetic), len(real), len(majority)) < FEWEST or owners.max() == 0:
        return None
    apart = np.triu(owners[:, None] != owners)
    weight = _correlations(majority)
    weight *= np.maximum(1 - 4 / (len(majority) * np.maximum(weight**2, 1e-12)), 0) * apart
    made, true = _weighted_sum(synthetic, weight), _weighted_sum(real, weight)
    variances, degrees = {"var_top": made.variance, "var_bottom": true.variance}, min(BLOCKS, len(real)) - 1
    kept = ratio(made.value, true.value, **variances, covariance=0.0, degrees=degrees)
    gap = np.abs(made.correlations - true.correlations) * apart
    pair = np.unravel_index(int(gap.argmax()), gap.shape)
    first, second = (int(owners[place]) for place in pair)
    return Dependence(kept, (first, second, float(true.correlations[pair]), float(made.correlations[pair])))


def _weighted_sum(rows: Floats, weight: Floats) -> _Sum:
    """Return the sum of the correlations times ``weight (P, P)``, jackknifed.

    The moments of a block are there once, for what is without it: ``scale @ (weight * products) @ scale`` is linear in them.
    """
    blocks = min(BLOCKS, len(rows))
    parts = [rows[place::blocks] for place in range(blocks)]
    counts = np.array([*map(len, parts), 0])[:, None]  # the last leaves out none
    sums, squares = (
        np.stack([(part.astype(np.float64) ** power).sum(axis=0) for part in (*parts, rows[:0])]) for power in (1, 2)
    )
    kept = len(rows) - counts
    mean, scale = _scales(sums.sum(axis=0) - sums, squares.sum(axis=0) - squares, kept)
    products, left_out = np.zeros_like(weight), np.zeros(blocks + 1)
    for place, part in enumerate(parts):
        own = _products(part)
        products += own
        own *= weight
        left_out[place] = scale[place] @ own @ scale[place]
    total = _quadratic(scale, products * weight) - left_out
    values = total / kept[:, 0] - _quadratic(mean * scale, weight)
    spread = float(((values[:-1] - values[:-1].mean()) ** 2).sum())
    correlations = _from_moments(products, mean[-1], scale[-1], len(rows))
    return _Sum(float(values[-1]), (blocks - 1) / blocks * spread, correlations)


def _scales(sums: Floats, squares: Floats, count: Floats | int) -> tuple[Floats, Floats]:
    """Return means, and one over the spreads; 0 where a coordinate does not vary."""
    mean = sums / count
    spread = np.sqrt(np.maximum(squares / count - mean**2, 0))
    return mean, np.divide(1, spread, out=np.zeros_like(spread), where=spread > CONSTANT)


def _quadratic(rows: Floats, matrix: Floats) -> Floats:
    """Return ``row @ matrix @ row`` of each row."""
    return np.asarray(((rows @ matrix) * rows).sum(axis=1))


def _correlations(rows: Floats) -> Floats:
    """Return correlations ``(P, P)``; 0 where a coordinate does not vary."""
    products = _products(rows)
    mean, scale = _scales(rows.sum(axis=0, dtype=np.float64), np.diag(products), len(rows))
    return _from_moments(products, mean, scale, len(rows))


def _products(rows: Floats) -> Floats:
    values = rows.astype(np.float64)
    return np.asarray(values.T @ values)


def _from_moments(products: Floats, mean: Floats, scale: Floats, count: int) -> Floats:
    """Make ``products (P, P)`` correlations, in place."""
    products /= count
    products -= np.outer(mean, mean)
    products *= scale[:, None]
    products *= scale
    return products
