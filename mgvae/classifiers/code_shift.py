"""The cases' shift in many rare codes, by a common prior of their log odds ratios.

A code that one patient in 3,000 has is 13 standard errors away from the majority once one of twenty cases has it: a normal
approximation of single columns knows nothing there. The number of cases with a code is binomial, its log odds ratio normal
around a mean that all codes share: cases are seen more often, so they have more of nearly every code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from mgvae.arrays import FloatArray

MEANS = (0.0, 0.2, 0.4, 0.6, 0.8)  # of the log odds ratios, tried
VARIANCES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
STEPS, LONGEST_STEP = 30, 1.0  # of Newton's method


@dataclass(frozen=True)
class CodeShift:
    """The log odds ratios of codes, cases against majority.

    Attributes:
        log_odds_ratio: posterior modes, ``(P,)``.
        mean, variance: of their prior.
    """

    log_odds_ratio: FloatArray
    mean: float
    variance: float


def fit_code_shift(with_code: FloatArray, cases: float, share: FloatArray) -> CodeShift:
    """Return the log odds ratios whose prior has the largest marginal likelihood (Laplace).

    Args:
        with_code: number of cases with each code, ``(P,)``.
        cases: number of cases.
        share: share of the majority with each code, in (0, 1), ``(P,)``.
    """
    tried = [_posterior(with_code, cases, share, mean, variance) for mean in MEANS for variance in VARIANCES]
    return max(tried, key=lambda found: found[0])[1]


def _posterior(with_code: FloatArray, cases: float, share: FloatArray, mean: float, variance: float) -> tuple[float, CodeShift]:
    """Return the log marginal likelihood of a prior, up to a constant, and the modes under it."""
    start = logit(share)
    ratio = np.full(len(share), mean)
    for _ in range(STEPS):
        p = expit(start + ratio)
        slope = with_code - cases * p - (ratio - mean) / variance
        ratio = ratio + np.clip(slope / (cases * p * (1 - p) + 1 / variance), -LONGEST_STEP, LONGEST_STEP)
    line = start + ratio
    p = expit(line)
    fit = with_code * line - cases * np.logaddexp(0.0, line) - (ratio - mean) ** 2 / (2 * variance)
    width = np.log(variance) + np.log(cases * p * (1 - p) + 1 / variance)
    return float((fit - width / 2).sum()), CodeShift(ratio, mean, variance)
