"""r(z|x+): the exemplar prior, and log-densities in the latent space."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from mgvae.errors import ShapeError

LOG_2PI = math.log(2 * math.pi)
UNDERFLOW = 1e-30  # a sum of exponentials below this has lost its digits in float32


def log_mixture(
    z: Tensor, means: Tensor, log_var: Tensor, *, own: Tensor | None = None, log_weight: Tensor | None = None
) -> Tensor:
    """Return log r(z | X+) = log sum_k w_k N(z; mean_k, exp(log_var) I) in nats, ``(B,)``; w_k is 1/K unless given.

    Value and gradients are written out by hand over one ``(B, K)`` buffer that is used in place, since this term dominates the cost when all
    majority patients are exemplars.

    Args:
        z: latent codes, ``(B, D)``.
        means: exemplar means, ``(K, D)``.
        log_var: log variance that all exemplars share, a scalar.
        own: the exemplar that a row itself is; it is left out and the others' weights are scaled up to one. Bool ``(B, K)``, or positions
            ``(B,)`` with -1 for none.
        log_weight: log w_k, ``(K,)``, summing to one as weights; held fixed.
    Raises:
        ShapeError: z and means disagree on D, own or log_weight has another shape, or a row keeps no exemplar.
    Source: Ai et al. 2023, arXiv:2302.10910; leave-one-out from Norouzi et al. 2020, arXiv:2004.04795.
    """
    if z.ndim != 2 or means.ndim != 2 or z.shape[1] != means.shape[1]:
        raise ShapeError(f"z must be (B, D) and means (K, D); got {tuple(z.shape)} and {tuple(means.shape)}.")
    if own is not None and own.shape not in ((len(z), len(means)), (len(z),)):
        raise ShapeError(f"own must be ({len(z)}, {len(means)}) or ({len(z)},); got {tuple(own.shape)}.")
    if log_weight is not None and log_weight.shape != (len(means),):
        raise ShapeError(f"log_weight must be ({len(means)},); got {tuple(log_weight.shape)}.")
    if len(means) == 0 or (own is not None and _none_left(own, len(means))):
        raise ShapeError("Each row needs at least one exemplar besides itself; give two exemplars or more.")
    weights = uniform(means) if log_weight is None else log_weight.detach()
    result: Tensor = _LogMixture.apply(z, means, log_var, own, weights)  # type: ignore[no-untyped-call]
    return result


def plain_log_mixture(z: Tensor, means: Tensor, log_var: Tensor, *, own: Tensor | None = None) -> Tensor:
    """Return what `log_mixture` returns, in plain tensor algebra without checks: for `torch.func.vmap`; own is bool ``(B, K)``."""
    centre = means.detach().mean(0)
    score = _scores(z - centre, means - centre, torch.exp(-log_var), uniform(means))
    kept = z.new_ones(len(z))
    if own is not None:
        score, kept = score.masked_fill(own, -math.inf), 1.0 - own.sum(1).to(z.dtype) / len(means)
    return torch.logsumexp(score, dim=1) - 0.5 * z.shape[1] * (LOG_2PI + log_var) - torch.log(kept)


def uniform(means: Tensor) -> Tensor:
    """Return the log weights of a mixture whose exemplars count alike, ``(K,)``."""
    return means.new_full((len(means),), -math.log(max(len(means), 1)))


def log_gaussian(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """Return log N(z; mean, diag(exp(log_var))) in nats, ``(B,)``, for ``(B, D)`` arguments."""
    return -0.5 * (LOG_2PI + log_var + (z - mean).square() * torch.exp(-log_var)).sum(1)


class _LogMixture(torch.autograd.Function):
    """`log_mixture` with its gradients: d/dz = sum_k w_k (mean_k - z) / s, where w are the responsibilities."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, means: Tensor, log_var: Tensor, own: Tensor | None, log_weight: Tensor) -> Tensor:
        centre = means.mean(0)
        near, far, precision = z - centre, means - centre, torch.exp(-log_var)
        weight = _scores(near, far, precision, log_weight)
        kept = _leave_out(weight, own, log_weight)
        top = weight.new_zeros(len(weight), 1)
        total = weight.exp_().sum(1, keepdim=True)  # a score is at most 0, so no overflow; underflow is mended below
        if bool((total < UNDERFLOW).any()):
            weight = _scores(near, far, precision, log_weight)
            _leave_out(weight, own, log_weight)
            top = weight.amax(1, keepdim=True)
            total = weight.sub_(top).exp_().sum(1, keepdim=True)
        ctx.save_for_backward(near, far, precision, weight, total)
        return (top + total.log())[:, 0] - 0.5 * z.shape[1] * (LOG_2PI + log_var) - kept.log()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor | None, Tensor, None, None]:
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
        return row * precision * (expected - near), for_means, for_log_var, None, None


def _scores(near: Tensor, far: Tensor, precision: Tensor, log_weight: Tensor) -> Tensor:
    """Return log w - |z - mean|^2 / 2s, ``(B, K)``, as one matrix product: squares and weights ride along as two more columns."""
    ones = torch.ones_like
    left = torch.cat([near * precision, -0.5 * precision * near.square().sum(1, keepdim=True), ones(near[:, :1])], dim=1)
    offset = log_weight[:, None] - 0.5 * precision * far.square().sum(1, keepdim=True)
    return left @ torch.cat([far, ones(far[:, :1]), offset], dim=1).T


def _leave_out(score: Tensor, own: Tensor | None, log_weight: Tensor) -> Tensor:
    """Set each row's own exemplars to -inf in place and return the weight that it keeps, ``(B,)``."""
    if own is None:
        return score.new_ones(len(score))
    if own.dtype == torch.bool:
        score.masked_fill_(own, -math.inf)
        return 1.0 - own.to(score.dtype) @ log_weight.exp()
    rows = torch.nonzero(own >= 0)[:, 0]
    score[rows, own[rows]] = -math.inf
    lost = score.new_zeros(len(score))
    lost[rows] = log_weight[own[rows]].exp()
    return 1.0 - lost


def _none_left(own: Tensor, exemplars: int) -> bool:
    if own.dtype == torch.bool:
        return bool(own.all(1).any())
    return exemplars < 2 and bool((own >= 0).any())
