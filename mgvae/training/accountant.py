"""Account for the privacy that Gaussian mechanisms on the rare cases spend.

Neighbours are two tables of which one has a unit's rows blank: the number of units is the same and is no secret. A mechanism
adds normal noise to a sum over units of which each is sampled by itself (Poisson sampling).

- Without sampling, mechanisms compose to a single Gaussian one, whose privacy is known exactly (Balle and Wang 2018,
  arXiv:1805.06530; Dong et al. 2022, doi:10.1111/rssb.12454).
- With sampling, their Renyi divergences at whole orders add up (Mironov et al. 2019, arXiv:1908.10530) and give an upper
  bound (Canonne et al. 2020, arXiv:2004.00010).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammaln, log_ndtr, logsumexp, ndtr

from mgvae.errors import TrainingError

ORDERS = np.unique(np.append(np.arange(2, 65), np.geomspace(64, 1024, 25).astype(int)))  # whole
LEAST, MOST = 1e-3, 1e7  # of the noise that is looked for


@dataclass(frozen=True)
class Mechanism:
    """A Gaussian mechanism.

    Attributes:
        noise: standard deviation, as a multiple of what a unit can change.
        rate: probability with which a unit takes part.
        times: how often it is used.
    """

    noise: float
    rate: float = 1.0
    times: int = 1


def is_exact(mechanisms: Sequence[Mechanism]) -> bool:
    """Return whether what they spend is known exactly: nothing is sampled."""
    return all(mechanism.rate == 1 for mechanism in mechanisms)


def spent_epsilon(mechanisms: Sequence[Mechanism], delta: float) -> float:
    """Return the epsilon that mechanisms spend together at ``delta``."""
    if is_exact(mechanisms):
        return _of_gaussian(math.sqrt(sum(mechanism.times / mechanism.noise**2 for mechanism in mechanisms)), delta)
    total = sum((mechanism.times * renyi_divergence(mechanism) for mechanism in mechanisms), np.zeros(len(ORDERS)))
    epsilon = total + np.log1p(-1 / ORDERS) - (math.log(delta) + np.log(ORDERS)) / (ORDERS - 1)
    return max(0.0, float(epsilon.min()))


def renyi_divergence(mechanism: Mechanism) -> np.ndarray:
    """Return the divergence of one use at each of `ORDERS`."""
    rate, noise = mechanism.rate, mechanism.noise
    if rate == 1:
        return np.asarray(ORDERS / (2 * noise**2))
    out = []
    for order in ORDERS:
        k = np.arange(order + 1)
        choose = gammaln(order + 1) - gammaln(k + 1) - gammaln(order - k + 1)
        terms = choose + (order - k) * math.log1p(-rate) + k * math.log(rate) + (k * k - k) / (2 * noise**2)
        out.append(logsumexp(terms) / (order - 1))
    return np.maximum(out, 0.0)


def calibrated(mechanisms: Callable[[float], Sequence[Mechanism]], *, epsilon: float, delta: float) -> tuple[Mechanism, ...]:
    """Return the mechanisms of the least scale of noise that spend at most ``epsilon``.

    Args:
        mechanisms: scale -> mechanisms, whose noise grows with it.
        epsilon, delta: the budget.
    Raises:
        TrainingError: not even the largest noise can be shown to keep the budget.
    """
    low, high = math.log(LEAST), math.log(MOST)
    least = spent_epsilon(mechanisms(MOST), delta)
    if least > epsilon:
        raise TrainingError(
            f"privacy.epsilon must be one that noise can be shown to keep; got {epsilon:g} at delta {delta:g}, and not below "
            f"{least:.2g} can be shown. Choose a larger epsilon or delta."
        )
    while high - low > 1e-4:
        middle = (low + high) / 2
        if spent_epsilon(mechanisms(math.exp(middle)), delta) > epsilon:
            low = middle
        else:
            high = middle
    return tuple(mechanisms(math.exp(high)))


def _of_gaussian(shift: float, delta: float) -> float:
    """Return epsilon at ``delta`` of telling N(0, 1) from N(shift, 1)."""

    def excess(epsilon: float) -> float:
        rest = math.exp(min(epsilon + float(log_ndtr(-epsilon / shift - shift / 2)), 0.0))
        return float(ndtr(-epsilon / shift + shift / 2)) - rest - delta

    if excess(0.0) <= 0:
        return 0.0
    return float(brentq(excess, 0.0, shift**2 / 2 + 10 * shift * math.sqrt(2 * math.log(2 / delta)) + 1, xtol=1e-9))
