"""Intervals of shares, differences, AUCs and ratios, in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypedDict

from scipy import optimize, stats

from mgvae.results.numbers import number

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A value with its interval, 95 % unless stated otherwise; limits may be infinite."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


class Numbers(TypedDict):
    """Value and limits as JSON holds them: None where unknown or infinite."""

    value: float | None
    low: float | None
    high: float | None


def numbers(found: Interval | None) -> Numbers:
    """Return value and limits as JSON holds them."""
    if found is None:
        return Numbers(value=None, low=None, high=None)
    return Numbers(value=number(found.value), low=number(found.low), high=number(found.high))


def share(count: int, total: int, *, level: float = LEVEL) -> Interval:
    """Return ``count / total`` with its exact interval.

    Source: Clopper and Pearson, Biometrika 1934.
    """
    if not 0 <= count <= total or total == 0:
        raise ValueError(f"A share needs 0 <= count <= total and total > 0; got {count} of {total}.")
    tail = (1 - level) / 2
    low = stats.beta.ppf(tail, count, total - count + 1) if count > 0 else 0.0
    high = stats.beta.ppf(1 - tail, count + 1, total - count) if count < total else 1.0
    return Interval(count / total, float(low), float(high))


def difference(first: int, n: int, second: int, m: int, *, level: float = LEVEL) -> Interval:
    """Return ``second / m - first / n``, the difference of independent shares.

    The limits come from those of each share, added by squares. As method 10 of Newcombe (Stat Med 1998;17:873-890), but from
    exact limits: Wilson's are too narrow far out in the tails.
    """
    a, b = share(first, n, level=level), share(second, m, level=level)
    gap = b.value - a.value
    low = gap - math.hypot(b.value - b.low, a.high - a.value)
    return Interval(gap, low, gap + math.hypot(b.high - b.value, a.value - a.low))


def rate_ratio(first: int, n: float, second: int, m: float, *, level: float = LEVEL) -> Interval | None:
    """Return ``(second / m) / (first / n)`` for two independent counts.

    None where the first is 0. The interval is exact for Poisson counts, and wider than it need be for shares: given the sum of
    both, the second is binomial (Przyborowski and Wilenski, Biometrika 1940).
    """
    if first == 0:
        return None
    given = share(second, first + second, level=level)

    def odds(part: float) -> float:
        return part / (1 - part) * n / m if part < 1 else math.inf

    return Interval(second / m * n / first, odds(given.low), odds(given.high))


def auc_interval(auc: float, n_first: int, n_second: int, *, level: float = LEVEL) -> Interval:
    """Return an AUC with its interval from the sample sizes alone.

    Method 5 of Newcombe (Stat Med 2006;25:559-573). It inverts the score test with the variance of Hanley and McNeil (Radiology
    1982), so it stays open at an AUC of 0 or 1, where DeLong's closes to a point.
    """
    auc = min(max(auc, 0.0), 1.0)
    z = float(stats.norm.ppf((1 + level) / 2))

    def gap(theta: float) -> float:
        return (auc - theta) ** 2 - z**2 * auc_variance(theta, n_first, n_second)

    # just short of the value itself, as at 0 and 1 the gap has a root there that is no limit
    low = optimize.brentq(gap, 0.0, auc * (1 - 1e-9)) if auc > 0 else 0.0
    high = optimize.brentq(gap, 1 - (1 - auc) * (1 - 1e-9), 1.0) if auc < 1 else 1.0
    return Interval(auc, float(low), float(high))


def auc_variance(auc: float, n_first: int, n_second: int) -> float:
    """Return the variance of an AUC: Hanley and McNeil in Newcombe's symmetric form."""
    half = (n_first + n_second) / 2 - 1
    spread = 1 + half * (1 - auc) / (2 - auc) + half * auc / (1 + auc)
    return auc * (1 - auc) * spread / (n_first * n_second)


def ratio(
    top: float, bottom: float, *, var_top: float, var_bottom: float, covariance: float, degrees: float
) -> Interval | None:
    """Return ``top / bottom`` with Fieller's interval (J R Stat Soc B 1954).

    None where ``bottom`` is not clearly above zero.

    Args:
        top, bottom: two estimates.
        var_top, var_bottom, covariance: their variances and covariance.
        degrees: degrees of freedom of Student's t.
    """
    t2 = float(stats.t.ppf((1 + LEVEL) / 2, degrees)) ** 2
    a = bottom**2 - t2 * var_bottom
    if bottom <= 0 or a <= 0:
        return None
    b = top * bottom - t2 * covariance
    root = math.sqrt(max(b**2 - a * (top**2 - t2 * var_top), 0.0))
    return Interval(top / bottom, (b - root) / a, (b + root) / a)
