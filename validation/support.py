"""Where synthetic cases lie among the real ones, and how many different ones there are."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from mgvae.cohort.embedding import Floats, nearest
from mgvae.reproducibility import numpy_generator
from validation.intervals import LEVEL, Interval, share

NEIGHBOURS = 5
FEWEST = 10  # real cases
DRAWS = 20
MOST_REAL, MOST_QUERIES = 2000, 4000


def coverage(synthetic: Floats, cases: Floats, *, seed: int) -> Interval | None:
    """Return the share of real cases that have a synthetic case nearby.

    It is divided by the share expected if the synthetic cases were as many further real cases. Nearby: within the distance of
    the fifth-nearest other real case. As many synthetic cases are drawn as there are real ones, again and again: more would
    cover everything. Source: Naeem et al. 2020, arXiv:2002.09797.

    Args:
        synthetic, cases: embedded rows.
        seed: of the draws.

    Returns:
        The share with the exact interval of one draw; None with fewer than ``FEWEST`` real or synthetic cases.
    """
    draw = numpy_generator(seed, "coverage")
    real = cases[draw.permutation(len(cases))[:MOST_REAL]]
    if min(len(real), len(synthetic)) < FEWEST:
        return None
    radius, count = _radius(real), min(len(real), len(synthetic))
    found = []
    for _ in range(DRAWS if count < len(synthetic) else 1):
        made = synthetic[draw.permutation(len(synthetic))[:count]]
        found.append(float((nearest(real, made)[0][:, 0] <= radius).mean()))
    expected = expected_coverage(len(real), count)
    covered = share(round(float(np.mean(found)) * len(real)), len(real))
    return Interval(float(np.mean(found)) / expected, covered.low / expected, covered.high / expected)


def expected_coverage(real: int, made: int, *, neighbours: int = NEIGHBOURS) -> float:
    """Return the coverage by rows of the same population.

    A case is not covered where its five nearest of all other rows are real ones (Naeem et al. 2020, equation 9).
    """
    missed = math.prod((real - 1 - k) / (real + made - 1 - k) for k in range(neighbours))
    return 1 - missed


def precision(synthetic: Floats, cases: Floats, holdout: Floats, *, seed: int) -> tuple[Interval, Interval] | None:
    """Return how often synthetic cases, and real cases, lie where training cases do.

    A row does if it is nearer to some training case than that case's fifth-nearest other (Kynkäänniemi et al. 2019,
    arXiv:1904.06991). Real cases are those held out; None with fewer than ``FEWEST`` of either.
    """
    draw = numpy_generator(seed, "precision")
    real = cases[draw.permutation(len(cases))[:MOST_REAL]]
    if min(len(real), len(holdout)) < FEWEST:
        return None
    radius = _radius(real)
    made = synthetic[draw.permutation(len(synthetic))[:MOST_QUERIES]]
    return _within(made, real, radius), _within(holdout[:MOST_QUERIES], real, radius)


def _within(rows: Floats, real: Floats, radius: Floats) -> Interval:
    found = 0
    for start in range(0, len(rows), 500):
        part = rows[start : start + 500].astype(np.float64)
        apart = (part**2).sum(axis=1)[:, None] + (real.astype(np.float64) ** 2).sum(axis=1) - 2 * part @ real.T
        found += int((apart <= radius**2 + 1e-6).any(axis=1).sum())
    return share(found, len(rows))


def _radius(real: Floats) -> Floats:
    around = min(NEIGHBOURS, len(real) - 1)
    return np.asarray(nearest(real, real, neighbours=around + 1)[0][:, -1])


def effective_number(rows: Floats) -> Interval | None:
    """Return the effective number of distinct rows.

    The inverse of the chance that two different rows are equal (Hill's number of order 2, Ecology 1973). It does not depend
    on how many rows are counted, and is infinite where no two are equal. None with fewer than four rows.
    """
    if len(rows) < 4:
        return None
    _, inverse, counts = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    total = len(rows)
    others = (counts[inverse.ravel()] - 1) / (total - 1)
    equal = float(others.mean())
    reach = float(stats.norm.ppf((1 + LEVEL) / 2)) * 2 * float(others.std()) / math.sqrt(total)
    pairs = share(round(equal * (total // 2)), total // 2)  # disjoint pairs: what is seen at least where few are equal
    low, high = (max(equal - reach, 0.0), equal + reach) if equal > 2 / total else (pairs.low, pairs.high)
    return Interval(_inverse(equal), _inverse(high), _inverse(low))


def _inverse(chance: float) -> float:
    return 1 / chance if chance > 0 else math.inf
