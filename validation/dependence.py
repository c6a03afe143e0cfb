"""How much of the dependence between columns synthetic cases keep."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mgvae.cohort.embedding import Floats
from validation.intervals import Interval, ratio

BLOCKS = 20  # of the jackknife
FEWEST = 8
Moments = tuple[Floats, Floats, Floats]  # sums and sums of squares of the coordinates, sums of the pairs' products


@dataclass(frozen=True)
class Dependence:
    """The dependence that is kept.

    Attributes:
        kept: dependence of synthetic cases as a share of that of real cases; None where real cases show none clearly.
        largest: the pair of columns whose correlation differs most: positions, real and synthetic value.
    """

    kept: Interval | None
    largest: tuple[int, int, float, float]


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
    known = _correlations(majority)
    weight = np.where(apart, known * np.maximum(1 - 4 / (len(majority) * np.maximum(known**2, 1e-12)), 0), 0)
    made, true = _correlations(synthetic), _correlations(real)
    first, second = np.nonzero(weight)
    pairs = first, second
    top, var_top = _jackknife(synthetic, pairs, weight[pairs])
    bottom, var_bottom = _jackknife(real, pairs, weight[pairs])
    kept = ratio(top, bottom, var_top=var_top, var_bottom=var_bottom, covariance=0.0, degrees=min(BLOCKS, len(real)) - 1)
    gap = np.where(apart, np.abs(made - true), 0)
    one, other = np.unravel_index(int(gap.argmax()), gap.shape)
    return Dependence(kept, (int(owners[one]), int(owners[other]), float(true[one, other]), float(made[one, other])))


def _jackknife(rows: Floats, pairs: tuple[Floats, Floats], weight: Floats) -> tuple[float, float]:
    """Return the weighted sum of correlations of pairs of coordinates, and its variance."""
    blocks = min(BLOCKS, len(rows))
    block = np.arange(len(rows)) % blocks
    whole = _pair_moments(rows, pairs)
    left = np.empty(blocks)
    for place in range(blocks):  # one at a time: each has P x P products
        part = _pair_moments(rows[block == place], pairs)
        kept = (whole[0] - part[0], whole[1] - part[1], whole[2] - part[2])
        left[place] = _weighted_sum(kept, len(rows) - int((block == place).sum()), pairs, weight)
    value = _weighted_sum(whole, len(rows), pairs, weight)
    return value, (blocks - 1) / blocks * float(((left - left.mean()) ** 2).sum())


def _pair_moments(rows: Floats, pairs: tuple[Floats, Floats]) -> Moments:
    sums, products = _moments(rows)
    return sums, np.diag(products).copy(), products[pairs]


def _weighted_sum(moments: Moments, count: int, pairs: tuple[Floats, Floats], weight: Floats) -> float:
    """Return the weighted sum of the pairs' correlations, each 0 where a coordinate does not vary."""
    sums, squares, products = moments
    mean = sums / count
    spread = np.sqrt(np.maximum(squares / count - mean**2, 0))
    first, second = pairs
    scale = spread[first] * spread[second]
    covariance = products / count - mean[first] * mean[second]
    return float(weight @ np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 1e-9))


def _correlations(rows: Floats) -> Floats:
    return _from_moments(*_moments(rows), len(rows))


def _moments(rows: Floats) -> tuple[Floats, Floats]:
    values = rows.astype(np.float64)
    return values.sum(axis=0), values.T @ values


def _from_moments(sums: Floats, products: Floats, count: int) -> Floats:
    """Return correlations ``(P, P)``; 0 where a coordinate does not vary."""
    mean = sums / count
    covariance = products / count - np.outer(mean, mean)
    spread = np.sqrt(np.maximum(np.diag(covariance), 0))
    scale = np.outer(spread, spread)
    return np.asarray(np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 1e-9))
