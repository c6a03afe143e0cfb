"""r(z|x+): the exemplar prior, and log-densities in the latent space."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from mgvae.errors import ShapeError

LOG_2PI = math.log(2 * math.pi)
UNDERFLOW = 1e-30  # a sum of exponentials below this has lost its digits in float32


def log_mixture(z: Tensor, means: Tensor, log_var: Tensor, *, own: Tensor | None = None) -> Tensor:
    """Return log r(z | X+) = log 1/K sum_k N(z; mean_k, exp(log_var) I) in nats, ``(B,)``.

    Value and gradients are written out by hand over one ``(B, K)`` buffer that is used in place, since this term dominates the cost when all
    majority patients are exemplars.

    Args:
        z: latent codes, ``(B, D)``.
        means: exemplar means, ``(K, D)``.
        log_var: log variance that all exemplars share, a scalar.
        own: the exemplar that a row itself is; it is left out and K counts the others. Bool ``(B, K)``, or positions ``(B,)`` with -1 for none.
    Raises:
        ShapeError: z and means disagree on D, own has another shape, or a row keeps no exemplar.
    Source: Ai et al. 2023, arXiv:2302.10910; leave-one-out from Norouzi et al. 2020, arXiv:2004.04795.
    """
    if z.ndim != 2 or means.ndim != 2 or z.shape[1] != means.shape[1]:
        raise ShapeError(f"z must be (B, D) and means (K, D); got {tuple(z.shape)} and {tuple(means.shape)}.")
    if own is not None and own.shape not in ((len(z), len(means)), (len(z),)):
        raise ShapeError(f"own must be ({len(z)}, {len(means)}) or ({len(z)},); got {tuple(own.shape)}.")
    if len(means) == 0 or (own is not None and _none_left(own, len(means))):
        raise ShapeError("Each row needs at least one exemplar besides itself; give two exemplars or more.")
    result: Tensor = _LogMixture.apply(z, means, log_var, own)  # type: ignore[no-untyped-call]
    return result


def plain_log_mixture(z: Tensor, means: Tensor, log_var: Tensor, *, own: Tensor | None = None) -> Tensor:
    """Return what `log_mixture` returns, in plain tensor algebra without checks: for `torch.func.vmap`; own is bool ``(B, K)``."""
    centre = means.detach().mean(0)
    score = _scores(z - centre, means - centre, torch.exp(-log_var))
    kept = z.new_full((len(z),), float(len(means)))
    if own is not None:
        score, kept = score.masked_fill(own, -math.inf), (~own).sum(1).to(z.dtype)
    return torch.logsumexp(score, dim=1) - 0.5 * z.shape[1] * (LOG_2PI + log_var) - torch.log(kept)


def log_gaussian(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """Return log N(z; mean, diag(exp(log_var))) in nats, ``(B,)``, for ``(B, D)`` arguments."""
    return -0.5 * (LOG_2PI + log_var + (z - mean).square() * torch.exp(-log_var)).sum(1)


class _LogMixture(torch.autograd.Function):
    """`log_mixture` with its gradients: d/dz = sum_k w_k (mean_k - z) / s, where w are the responsibilities."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, means: Tensor, log_var: Tensor, own: Tensor | None) -> Tensor:
        centre = means.mean(0)
        near, far, precision = z - centre, means - centre, torch.exp(-log_var)
        weight = _scores(near, far, precision)
        kept = _leave_out(weight, own)
        top = weight.new_zeros(len(weight), 1)
        total = weight.exp_().sum(1, keepdim=True)  # a score is at most 0, so no overflow; underflow is mended below
        if bool((total < UNDERFLOW).any()):
            weight = _scores(near, far, precision)
            _leave_out(weight, own)
            top = weight.amax(1, keepdim=True)
            total = weight.sub_(top).exp_().sum(1, keepdim=True)
        ctx.save_for_backward(near, far, precision, weight, total)
        return (top + total.log())[:, 0] - 0.5 * z.shape[1] * (LOG_2PI + log_var) - kept.log()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor | None, Tensor, None]:
        near, far, precision, weight, total = ctx.saved_tensors
        row = gradients[0][:, None]
        expected = (weight @ far) / total
        scaled = row / total
        for_means = None
        if ctx.needs_input_grad[1]:
            for_means = precision * (weight.T @ (scaled * near) - (weight.T @ scaled) * far)
        # E_w |z - mean|^2 = |z|^2 - 2 z.E[mean] + E|mean|^2
        squared = (weight @ far.square().sum(1, keepdim=True)) / total
        distance = near.square().sum(1, keepdim=True) - 2 * (near * expected).sum(1, keepdim=True) + squared
        for_log_var = (row * 0.5 * (precision * distance - near.shape[1])).sum()
        return row * precision * (expected - near), for_means, for_log_var, None


def _scores(near: Tensor, far: Tensor, precision: Tensor) -> Tensor:
    """Return -|z - mean|^2 / 2s, ``(B, K)``, as one matrix product: the squares ride along as two more columns."""
    ones = torch.ones_like
    left = torch.cat([near * precision, -0.5 * precision * near.square().sum(1, keepdim=True), ones(near[:, :1])], dim=1)
    right = torch.cat([far, ones(far[:, :1]), -0.5 * precision * far.square().sum(1, keepdim=True)], dim=1)
    return left @ right.T


def _leave_out(score: Tensor, own: Tensor | None) -> Tensor:
    """Set each row's own exemplars to -inf in place and return how many it keeps, ``(B,)``."""
    if own is None:
        return score.new_full((len(score),), float(score.shape[1]))
    if own.dtype == torch.bool:
        score.masked_fill_(own, -math.inf)
        return (~own).sum(1).to(score.dtype)
    rows = torch.nonzero(own >= 0)[:, 0]
    score[rows, own[rows]] = -math.inf
    return score.shape[1] - (own >= 0).to(score.dtype)


def _none_left(own: Tensor, exemplars: int) -> bool:
    if own.dtype == torch.bool:
        return bool(own.all(1).any())
    return exemplars < 2 and bool((own >= 0).any())
