"""The exemplar mixture one row and one exemplar at a time."""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp
from scipy.stats import multivariate_normal


def log_mixture(z, means, variance, *, own=None, weight=None):
    """Return log r(z | X+), ``(B,)``, of numpy arrays; ``own`` holds each row's own exemplar, -1 for none."""
    out = []
    for row, code in enumerate(z):
        terms, total = [], 0.0
        for k, mean in enumerate(means):
            if own is not None and own[row] == k:
                continue
            share = 1.0 if weight is None else weight[k]
            terms.append(np.log(share) + multivariate_normal.logpdf(code, mean, variance))
            total += share
        out.append(logsumexp(terms) - np.log(total))
    return np.array(out)
