"""How much of the dependence between columns synthetic cases keep."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg.blas import ssyrk
from sklearn.utils import gen_batches

from mgvae.cohort.embedding import Floats
from validation.intervals import Interval, ratio

BLOCKS = 20  # of the jackknife
FEWEST = 8
CHUNK = 1000  # rows in double precision at a time
CONSTANT = 1e-12  # variance of a coordinate that does not vary


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
    """The weighted sum of correlations, its variance, and the correlations: an upper triangle ``(P, P)``."""

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
    weight = _products(_standardised(majority)) / len(majority)
    weight *= np.maximum(1 - 4 / (len(majority) * np.maximum(weight**2, 1e-12)), 0) * apart
    made, true = _weighted_sum(synthetic, weight), _weighted_sum(real, weight)
    degrees = min(BLOCKS, len(real)) - 1
    kept = ratio(made.value, true.value, var_top=made.variance, var_bottom=true.variance, covariance=0.0, degrees=degrees)
    gap = np.abs(made.correlations - true.correlations) * apart
    pair = np.unravel_index(int(gap.argmax()), gap.shape)
    first, second = (int(owners[place]) for place in pair)
    return Dependence(kept, (first, second, float(true.correlations[pair]), float(made.correlations[pair])))


def _weighted_sum(rows: Floats, weight: Floats) -> _Sum:
    """Return the sum of the correlations times ``weight (P, P)``, upper triangles, jackknifed.

    The products of a block are there once, for what is without it: ``scale @ (weight * products) @ scale`` is linear in them.
    """
    values, blocks = _standardised(rows), min(BLOCKS, len(rows))
    parts = [np.ascontiguousarray(values[place::blocks]) for place in range(blocks)]
    kept = len(rows) - np.array([*map(len, parts)])[:, None]
    sums, squares = (np.stack([(part.astype(np.float64) ** power).sum(axis=0) for part in parts]) for power in (1, 2))
    mean = (sums.sum(axis=0) - sums) / kept
    scale = _inverse_spread((squares.sum(axis=0) - squares) / kept - mean**2).astype(np.float32)
    products, own, left_out = np.zeros_like(weight), np.zeros_like(weight), np.zeros(blocks)
    for place, part in enumerate(parts):
        own = _products(part, own)
        products += own
        own *= weight
        left_out[place] = scale[place] @ own @ scale[place]
    weighted = products * weight
    left = (_quadratic(scale, weighted) - left_out) / kept[:, 0] - _quadratic(mean * scale, weight)
    spread = float(((left - left.mean()) ** 2).sum())
    products /= len(rows)
    return _Sum(float(weighted.sum(dtype=np.float64)) / len(rows), (blocks - 1) / blocks * spread, products)


def _standardised(rows: Floats) -> Floats:
    """Return rows of mean 0 and variance 1, float32; coordinates that do not vary are 0."""
    mean = rows.mean(axis=0, dtype=np.float64)
    squares = sum(np.square(rows[at], dtype=np.float64).sum(axis=0) for at in gen_batches(len(rows), CHUNK))
    values = rows - mean.astype(np.float32)
    values *= _inverse_spread(squares / len(rows) - mean**2).astype(np.float32)
    return np.asarray(values, dtype=np.float32)


def _inverse_spread(variance: Floats) -> Floats:
    """Return one over the roots; 0 where a coordinate does not vary."""
    return np.divide(1, np.sqrt(np.maximum(variance, CONSTANT)), out=np.zeros_like(variance), where=variance > CONSTANT)


def _products(rows: Floats, out: Floats | None = None) -> Floats:
    """Return the products of the columns of float32 rows: the upper triangle ``(P, P)``, by columns; the lower is 0."""
    return np.asarray(ssyrk(1.0, rows.T, beta=0.0, c=out, overwrite_c=out is not None))


def _quadratic(rows: Floats, matrix: Floats) -> Floats:
    """Return ``row @ matrix @ row`` of each row."""
    return np.asarray(((rows @ matrix) * rows).sum(axis=1))
