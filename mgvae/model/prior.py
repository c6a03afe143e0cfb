"""r(z|x+): the exemplar prior, and log-densities in the latent space."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from mgvae.errors import ShapeError
from mgvae.model.exemplar_mixture import LOG_2PI, Exemplars, Moments, exemplar_mask, listed, mixture_moments, uniform


def log_mixture(
    z: Tensor,
    means: Tensor | Exemplars,
    log_var: Tensor,
    *,
    own: Tensor | None = None,
    log_weight: Tensor | None = None,
    fresh: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """Return log sum_k w_k N(z; mean_k, exp(log_var) I) in nats, ``(B,)``.

    This term dominates the cost when all majority patients are exemplars. Where ``means`` carry no gradient it is therefore
    computed in blocks of rows and exemplars that stay in the processor's cache, with the gradients written out by hand, and no
    ``(B, K)`` table is kept.

    Args:
        z: latent codes, ``(B, D)``.
        means: exemplar means, ``(K, D)``; as `Exemplars` where they serve more than one step.
        log_var: log variance that all exemplars share, a scalar.
        own: the exemplars that a row does without, itself above all; the others' weights are scaled up to one. Positions
            ``(B,)`` or ``(B, M)`` with -1 for none, or bool ``(B, K)``.
        log_weight: log w_k, ``(K,)``, summing to one as weights, held fixed; 1/K if None. `Exemplars` have their own.
        fresh: positions ``(M,)`` and means ``(M, D)`` that replace those in ``means`` and carry a gradient. In `Exemplars`
            they stay.
    Raises:
        ShapeError: z and means disagree on D, own or log_weight has another shape, or a row keeps no exemplar.
    Source: Ai et al. 2023, arXiv:2302.10910; leave-one-out from Norouzi et al. 2020, arXiv:2004.04795.
    """
    _require_shapes(z, means, own, log_weight)
    if isinstance(means, Tensor) and means.requires_grad:
        replaced = means if fresh is None else means.index_copy(0, *fresh)
        mask = own if own is None or own.dtype == torch.bool else exemplar_mask(own, len(means))
        weight = None if log_weight is None else log_weight.detach()
        return plain_log_mixture(z, replaced, log_var, own=mask, log_weight=weight)
    exemplars = Exemplars(means, log_weight) if isinstance(means, Tensor) else means
    at, moved = (torch.empty(0, dtype=torch.long, device=z.device), z[:0]) if fresh is None else fresh
    exemplars.renew(at, moved)
    result: Tensor = _LogMixture.apply(z, moved, at, log_var, own, exemplars)  # type: ignore[no-untyped-call]
    return result


def _require_shapes(z: Tensor, means: Tensor | Exemplars, own: Tensor | None, log_weight: Tensor | None) -> None:
    shape = tuple(means.shape) if isinstance(means, Tensor) else (len(means), means.dims)
    if z.ndim != 2 or len(shape) != 2 or z.shape[1] != shape[1]:
        raise ShapeError(f"z must be (B, D) and means (K, D); got {tuple(z.shape)} and {shape}.")
    if (
        own is not None
        and own.shape != (len(z), len(means))
        and (own.dtype == torch.bool or len(own) != len(z) or own.ndim > 2)
    ):
        raise ShapeError(f"own must be positions ({len(z)}, M) or bool ({len(z)}, {len(means)}); got {tuple(own.shape)}.")
    if log_weight is not None and not isinstance(means, Tensor):
        raise ShapeError("Exemplars have their weights; give log_weight where they are made.")
    if log_weight is not None and log_weight.shape != (len(means),):
        raise ShapeError(f"log_weight must be ({len(means)},); got {tuple(log_weight.shape)}.")
    if len(means) == 0 or (own is not None and _none_left(own, len(means))):
        raise ShapeError("Each row needs at least one exemplar besides itself; give two exemplars or more.")


def plain_log_mixture(
    z: Tensor, means: Tensor, log_var: Tensor, *, own: Tensor | None = None, log_weight: Tensor | None = None
) -> Tensor:
    """Return `log_mixture` in plain algebra, unchecked; own is ``(B, K)``.

    For `torch.func.vmap`, under which no branch may depend on data, and for means that carry gradients.
    """
    weights = uniform(means) if log_weight is None else log_weight
    centre = means.detach().mean(0)
    score = _left(z - centre, torch.exp(-log_var)) @ _right(means - centre, torch.exp(-log_var), weights).T
    kept = z.new_ones(len(z))
    if own is not None:
        score, kept = score.masked_fill(own, -math.inf), 1.0 - own.to(z.dtype) @ weights.exp()
    return torch.logsumexp(score, dim=1) - 0.5 * z.shape[1] * (LOG_2PI + log_var) - torch.log(kept)


def log_gaussian(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """Return log N(z; mean, diag(exp(log_var))) in nats, ``(B,)``."""
    return -0.5 * (LOG_2PI + log_var + (z - mean).square() * torch.exp(-log_var)).sum(1)


class _LogMixture(torch.autograd.Function):
    """`log_mixture` over fixed means, those at ``at`` being ``fresh``; see `Moments`."""

    @staticmethod
    def forward(
        ctx: Any, z: Tensor, fresh: Tensor, at: Tensor, log_var: Tensor, own: Tensor | None, exemplars: Exemplars
    ) -> Tensor:
        moments = mixture_moments(z, at, log_var, own, exemplars)
        ctx.save_for_backward(*moments, fresh - exemplars.centre)
        return moments.log_density

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        *moments, fresh = ctx.saved_tensors
        pull = Moments(*moments).pull(fresh, gradients[0])
        return pull.for_code, pull.for_fresh if ctx.needs_input_grad[1] else None, None, pull.for_log_var.sum(), None, None


def _left(near: Tensor, precision: Tensor) -> Tensor:
    """Return the rows' side of log w - |z - mean|^2 / 2s as a matrix product."""
    ones = torch.ones_like(near[:, :1])
    return torch.cat([near * precision, -0.5 * precision * near.square().sum(1, keepdim=True), ones], dim=1)


def _right(far: Tensor, precision: Tensor, log_weight: Tensor) -> Tensor:
    """Return the exemplars' side of the same product."""
    offset = log_weight[:, None] - 0.5 * precision * far.square().sum(1, keepdim=True)
    return torch.cat([far, torch.ones_like(far[:, :1]), offset], dim=1)


def _none_left(own: Tensor, exemplars: int) -> bool:
    if own.dtype == torch.bool:
        return bool(own.all(1).any())
    places = listed(own)
    return exemplars <= places.shape[1] and bool(((places >= 0).sum(1) >= exemplars).any())
