"""p(x|z) of a mixed table one row and one column at a time, with scipy and mpmath."""

from __future__ import annotations

import mpmath
import numpy as np
from scipy.special import log_expit, log_softmax
from scipy.stats import norm

from mgvae.model.coders import Level
from mgvae.model.encoding import Encoding
from mgvae.model.likelihood import TableLikelihood


def log_prob(likelihood: TableLikelihood, encoding: Encoding, hidden, rows) -> np.ndarray:
    """Return log p(x|z) in nats, ``(B,)``."""
    heads = {name: (hidden @ layer.weight.T + layer.bias).detach().numpy() for name, layer in _layers(likelihood)}
    sigma = likelihood.log_sigma.exp().detach().numpy()
    return np.array(
        [_row(encoding, {name: head[at] for name, head in heads.items()}, sigma, rows[at].numpy()) for at in range(len(rows))]
    )


def _layers(likelihood):
    return [(name, getattr(likelihood, name)) for name in ("mean", "binary", "level", "missing")]


def _row(encoding, heads, sigma, row):
    total, at = 0.0, {"mean": 0, "binary": 0, "level": 0, "missing": 0}
    for place in encoding.slots:
        present = True
        if place.missing_at is not None:
            present = row[place.missing_at] == 0
            logit = heads["missing"][at["missing"]]
            total += log_expit(-logit if present else logit)
            at["missing"] += 1
        if not isinstance(place.coder, Level):
            mean = heads["mean"][at["mean"]]
            if present:
                total += _number(encoding, place, row, mean, sigma[at["mean"]])
            at["mean"] += 1
        elif place.coder.binary:
            logit = heads["binary"][at["binary"]]
            if present:
                total += log_expit(logit if row[place.start] == 1 else -logit)
            at["binary"] += 1
        else:
            width = place.coder.width
            logits = heads["level"][at["level"] : at["level"] + width]
            if present:
                total += log_softmax(logits)[row[place.start : place.start + width].argmax()]
            at["level"] += width
    return total


def _number(encoding, place, row, mean, sigma):
    lower = row[encoding.inputs + place.bound_at]
    upper = row[encoding.inputs + encoding.n_scored + place.bound_at]
    if upper > lower:
        return log_interval((float(lower) - float(mean)) / float(sigma), (float(upper) - float(mean)) / float(sigma))
    return norm.logpdf(lower, mean, sigma)


def log_interval(lower: float, upper: float) -> float:
    """Return log(Phi(upper) - Phi(lower)), in the left tail and with digits enough for it."""
    if lower + upper > 0:
        lower, upper = -upper, -lower
    with mpmath.workdps(60):
        return float(mpmath.log(mpmath.ncdf(mpmath.mpf(upper)) - mpmath.ncdf(mpmath.mpf(lower))))
