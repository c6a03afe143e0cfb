"""Log density of scored cells: a normal density at a point, its mass on an atom's interval.

Gradients are written out: a training step is made of small tensors, and each operation that is recorded costs more than its
arithmetic.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
FAR = {torch.float32: 12.0, torch.float64: 35.0}  # beyond it the complementary error function nears the smallest float
LEAST = 1e-6  # share of the nearer tail's mass that an interval has at least: differences below it are rounding


def log_normal_interval(lower: Tensor, upper: Tensor) -> Tensor:
    """Return log(Phi(upper) - Phi(lower)) for ``lower < upper``, stable in both tails."""
    return _log_mass((0.5 * (lower + upper)).abs(), 0.5 * (upper - lower))


def score_log_density(mean: Tensor, log_sigma: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    """Return the log density of each cell's score under N(mean, sigma^2), ``(B, S)``, in nats.

    Args:
        mean: ``(B, S)``.
        log_sigma: log spread of each column, ``(S,)``.
        lower, upper: ends of the cell's interval, ``(B, S)``, without gradient; where they are equal, the score is a point.
    """
    result: Tensor = _ScoreLogDensity.apply(mean, log_sigma, lower, upper)  # type: ignore[no-untyped-call]
    return result


def plain_score_log_density(mean: Tensor, log_sigma: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    """Return `score_log_density` with each operation recorded, as `torch.func` needs."""
    sigma = log_sigma.exp()
    middle, half = (0.5 * (lower + upper) - mean) / sigma, 0.5 * (upper - lower) / sigma
    point = -0.5 * middle.square() - (log_sigma + HALF_LOG_2PI)
    return torch.where(half > 0, _log_mass(middle.abs(), half), point)


class _ScoreLogDensity(torch.autograd.Function):
    """`score_log_density`. With x = (score - mean) / sigma at both ends, the log of a mass P changes by phi(x) / P."""

    @staticmethod
    def forward(ctx: Any, mean: Tensor, log_sigma: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
        density = plain_score_log_density(mean, log_sigma, lower, upper)
        ctx.save_for_backward(mean, log_sigma, lower, upper, density)
        return density

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        mean, log_sigma, lower, upper, density = ctx.saved_tensors
        sigma, level = log_sigma.exp(), density + HALF_LOG_2PI
        low, high = (lower - mean) / sigma, (upper - mean) / sigma
        at_low, at_high = torch.exp(-0.5 * low.square() - level), torch.exp(-0.5 * high.square() - level)
        atom, (row,) = upper > lower, gradients
        for_mean = torch.where(atom, at_low - at_high, low) / sigma
        for_log_sigma = torch.where(atom, low * at_low - high * at_high, low.square() - 1.0)
        return row * for_mean, (row * for_log_sigma).sum(0), None, None


def log_mass(lower: Tensor, upper: Tensor) -> Tensor:
    """Return `log_normal_interval` on a processor, where nothing far out is computed for cells that are not."""
    middle, half = (0.5 * (lower + upper)).abs(), 0.5 * (upper - lower)
    near = middle - half
    return _log_mass(middle, half) if bool((near > FAR[near.dtype]).any()) else _inside(near, middle + half)


def _log_mass(middle: Tensor, half: Tensor) -> Tensor:
    """Return the log mass of ``middle`` plus and minus ``half``, with ``middle`` at least 0.

    Far out it follows from the asymptotic series of Mills' ratio: Q(x) = phi(x) / x (1 - 1 / x^2 + 3 / x^4 - ...).
    """
    far = FAR[middle.dtype]
    near, beyond = middle - half, middle + half
    low = near.clamp(min=far)
    ratio = _mills(low)
    gap = (_mills(beyond.clamp(min=far)) / ratio).log() - 2 * middle * half
    outside = ratio.log() - 0.5 * low.square() - HALF_LOG_2PI + (-torch.expm1(gap.clamp(max=-LEAST))).log()
    return torch.where(near > far, outside, _inside(near, beyond))


def _inside(near: Tensor, beyond: Tensor) -> Tensor:
    """Return the log mass between two ends by the complementary error function."""
    tail = torch.erfc(near * math.sqrt(0.5))
    mass = torch.maximum(tail - torch.erfc(beyond * math.sqrt(0.5)), LEAST * tail)
    return torch.log((0.5 * mass).clamp(min=torch.finfo(mass.dtype).tiny))


def _mills(x: Tensor) -> Tensor:
    """Return Q(x) / phi(x) by its series, for large ``x``."""
    inverse = x.reciprocal()
    square = inverse.square()
    return inverse * (1 + square * (-1 + square * (3 - 15 * square)))
