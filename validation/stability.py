"""Measures of the drift of a column between two tables, beyond chance.

Two samples of one population differ. The population stability index of k bins is about chi-square with k - 1 degrees of
freedom times ``1/n + 1/m``, so its mean is not 0 but ``(k - 1) (1/n + 1/m)``: 0.2 for deciles and 100 rows each. Every number
here comes with its part beyond chance. Rows are taken as independent; tables that share patients differ
less.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

from validation.intervals import Interval

Array = np.ndarray[Any, Any]
FEWEST = 5  # expected cells in the smaller table below which a bin is merged with others
HALF = 0.5  # added to every bin, so that an empty one has a logarithm
LARGE = 2000.0  # beyond it a noncentral chi-square is as good as normal, and slow to compute


@dataclass(frozen=True)
class Binned:
    """A column in two tables, counted by ``k`` bins; missing cells have their own."""

    before: Array
    after: Array


def binned(before: pd.Series, after: pd.Series) -> Binned:
    """Count both columns: numbers by deciles of ``before``, others by their values.

    Bins in which fewer than 5 cells of the smaller table are expected are merged.

    Args:
        before, after: one column in two tables with at least one row each; both numeric or both text.
    """
    counts = _by_deciles(before, after) if pd.api.types.is_numeric_dtype(before) else _by_level(before, after)
    return merged(*(np.append(part, table.isna().sum()) for part, table in zip(counts, (before, after), strict=True)))


def merged(first: Array, second: Array) -> Binned:
    """Return two histograms without empty bins, and with those merged in which few cells are expected, see `binned`.

    Args:
        first, second: cells of a column by bin, ``(k,)`` each, at least one in either.
    """
    total = first + second
    first, second, total = first[total > 0], second[total > 0], total[total > 0]
    rare = total * min(first.sum(), second.sum()) < FEWEST * total.sum()
    if rare.any():
        first, second = (np.append(part[~rare], part[rare].sum()) for part in (first, second))
    return Binned(first, second)


def psi(first: Array, second: Array) -> float:
    """Return the population stability index of two histograms ``(k,)``.

    It is symmetric, and 0 where they are alike.
    """
    p, q = ((part + HALF) / (part.sum() + HALF * len(part)) for part in (first, second))
    return float(((p - q) * np.log(p / q)).sum())


def noise(counted: Binned) -> float:
    """Return the stability index that chance alone is expected to give."""
    return (len(counted.before) - 1) * _unit(counted)


def stability(counted: Binned, *, tail: float) -> Interval:
    """Return the stability index less its value by chance, with limits.

    Each limit is wrong with probability ``tail``. The limits invert the noncentral chi-square. Where bins are sparse the index
    and Pearson's statistic, which agree in large samples, err on opposite sides; each limit takes the one that claims less.
    """
    degrees, unit = len(counted.before) - 1, _unit(counted)
    if degrees == 0:
        return Interval(0.0, 0.0, 0.0)
    found = psi(counted.before, counted.after) / unit
    two = (found, _pearson(counted))
    low, high = _centre(min(two), degrees, tail=tail, upper=False), _centre(max(two), degrees, tail=tail, upper=True)
    return Interval(unit * max(found - degrees, 0.0), unit * low, unit * high)


def distance(before: pd.Series, after: pd.Series, *, tail: float) -> Interval | None:
    """Return the Kolmogorov-Smirnov distance of two numeric columns, with limits.

    None where a column has no value. ``tail`` is the probability that two samples of one population differ more than the
    lower limit allows for.
    """
    values = [table.to_numpy(float)[table.notna().to_numpy()] for table in (before, after)]
    if not all(map(len, values)):
        return None
    # the asymptotic method only spares the p-value, which is not used
    found = float(stats.ks_2samp(*values, method="asymp").statistic)
    reach = float(special.kolmogi(tail)) * math.sqrt(sum(1 / len(part) for part in values))
    return Interval(found, max(found - reach, 0.0), min(found + reach, 1.0))


def _by_deciles(before: pd.Series, after: pd.Series) -> tuple[Array, Array]:
    known = before.dropna().to_numpy(float)
    edges = np.unique(np.quantile(known, np.arange(1, 10) / 10)) if len(known) else np.array([])
    first, second = (np.searchsorted(edges, table.dropna().to_numpy(float), side="left") for table in (before, after))
    return np.bincount(first, minlength=len(edges) + 1), np.bincount(second, minlength=len(edges) + 1)


def _by_level(before: pd.Series, after: pd.Series) -> tuple[Array, Array]:
    first, second = (_spelled(table.value_counts()) for table in (before, after))
    levels = sorted(first.keys() | second.keys())
    one, two = (np.array([counts.get(level, 0) for level in levels], dtype=np.int64) for counts in (first, second))
    return one, two


def _spelled(counts: pd.Series) -> dict[str, int]:
    """Return counts by how levels are written: two may be written alike."""
    found: dict[str, int] = {}
    for level, count in counts.items():
        found[str(level)] = found.get(str(level), 0) + int(count)
    return found


def _unit(counted: Binned) -> float:
    return float(1 / counted.before.sum() + 1 / counted.after.sum())


def _pearson(counted: Binned) -> float:
    n, m = counted.before.sum(), counted.after.sum()
    expected = (counted.before + counted.after) / (n + m)
    return float((((counted.before / n - counted.after / m) ** 2) / expected).sum() / _unit(counted))


def _centre(found: float, degrees: int, *, tail: float, upper: bool) -> float:
    """Return the noncentrality at which ``found`` is exceeded with ``tail``, or 0."""
    if found > LARGE:
        z2, over = float(stats.norm.isf(tail)) ** 2, found - degrees
        root = math.sqrt(max((over + 2 * z2) ** 2 - over**2 + 2 * degrees * z2, 0.0))
        return max(over + 2 * z2 + (root if upper else -root), 0.0)

    def gap(centre: float) -> float:
        side = stats.ncx2.cdf if upper else stats.ncx2.sf
        return float(side(found, degrees, centre)) - tail

    if gap(1e-9) * (1 if upper else -1) <= 0:  # even no difference at all explains it
        return 0.0
    most = found + 50 * math.sqrt(found + degrees) + 200
    return float(optimize.brentq(gap, 1e-9, most))
