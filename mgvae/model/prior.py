"""r(z|x+): the exemplar prior, and log-densities in the latent space."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from mgvae.errors import ShapeError

LOG_2PI = math.log(2 * math.pi)
CACHED = 1 << 18  # scores of a block of rows: 1 MiB in float32, which a core's own cache holds
ROWS, SCORES = 128, 1 << 21  # a block of many exemplars has so many rows, else matrix products are thin, and 8 MiB of scores
LOG2_E = math.log2(math.e)  # powers of 2 take a third of the time of powers of e
WHOLE = 1 << 26  # scores of a block on a GPU: 256 MiB
NEGLIGIBLE = -115.0  # 2 to the power of less would be a denormal number, on which processors are many times slower
WIDE = 16  # columns of a matrix product come in such groups: a product of 12 takes longer than one of 16
UNDERFLOW = 1e-22  # a sum of exponentials below this is summed anew: what is cut off at NEGLIGIBLE would show in it


class Exemplars:
    """Exemplar means without gradient, laid out for `log_mixture`.

    The table's columns are the means less a centre, their squared norm, one, the log weight, and zeros up to a multiple of
    `WIDE`. The centre keeps numbers small; any point near the means will do, and so it stays where it was while means move.

    Args:
        means: ``(K, D)``; copied.
        log_weight: log w_k, ``(K,)``, summing to one as weights; uniform if None.
        spare: whether one more row follows that weighs nothing. What has no place is put there, at position K, so that a GPU
            need not first say how many rows have one.
    """

    def __init__(self, means: Tensor, log_weight: Tensor | None = None, *, spare: bool = False) -> None:
        means = means.detach()
        self.count, self.dims, self.centre, self.spare = len(means), means.shape[1], means.mean(0), spare
        self.log_weight = uniform(means) if log_weight is None else log_weight.detach()
        self.table = means.new_zeros(self.count + spare, -(-(self.dims + 3) // WIDE) * WIDE)
        self.table[:, self.dims + 1], self.table[:, self.dims + 2] = 1.0, -math.inf
        self.table[: self.count, self.dims + 2] = self.log_weight
        self.renew(slice(self.count), means)

    def __len__(self) -> int:
        return self.count

    @property
    def means(self) -> Tensor:
        """The means, ``(K, D)``."""
        return self.table[: self.count, : self.dims] + self.centre

    def refill(self, means: Tensor) -> None:
        """Put other means ``(K, D)`` in the place of all, about their own centre."""
        self.centre.copy_(means.detach().mean(0))
        self.renew(slice(self.count), means)

    def renew(self, at: Tensor | slice, means: Tensor) -> None:
        """Put ``means``, ``(M, D)``, in the place of those at ``at``."""
        far = means.detach() - self.centre
        self.table[at, : self.dims], self.table[at, self.dims] = far, far.square().sum(1)

    def left(self, near: Tensor, precision: Tensor) -> Tensor:
        """Return the left factor of the log2 scores, ``(B, columns)``."""
        dims, left = self.dims, near.new_zeros(len(near), self.table.shape[1])
        left[:, :dims], left[:, dims] = near * precision, -0.5 * precision
        left[:, dims + 1], left[:, dims + 2] = -0.5 * precision * near.square().sum(1), 1.0
        return LOG2_E * left


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


def exemplar_mask(at: Tensor, exemplars: int) -> Tensor:
    """Return whether exemplar k is among positions ``at (B,)`` or ``(B, M)``, bool ``(B, K)``; -1 is none."""
    places = _listed(at)
    mask = torch.zeros(len(at), exemplars + 1, dtype=torch.bool, device=at.device)
    return mask.scatter(1, torch.where(places < 0, exemplars, places), True)[:, :exemplars]


def uniform(means: Tensor) -> Tensor:
    """Return the log weights of a mixture whose exemplars count alike, ``(K,)``."""
    return means.new_full((len(means),), -math.log(max(len(means), 1)))


def log_gaussian(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """Return log N(z; mean, diag(exp(log_var))) in nats, ``(B,)``."""
    return -0.5 * (LOG_2PI + log_var + (z - mean).square() * torch.exp(-log_var)).sum(1)


class _LogMixture(torch.autograd.Function):
    """`log_mixture` over fixed means, those at ``at`` being ``fresh``.

    With the responsibilities v_k of a row: d/dz = sum_k v_k (mean_k - z) / s and d/dmean_k = v_k (z - mean_k) / s. The
    forward pass keeps sum_k v_k mean_k, the mean squared distance, and v_k of the fresh means; the backward pass needs
    nothing else.
    """

    @staticmethod
    def forward(
        ctx: Any, z: Tensor, fresh: Tensor, at: Tensor, log_var: Tensor, own: Tensor | None, exemplars: Exemplars
    ) -> Tensor:
        near, precision = z - exemplars.centre, torch.exp(-log_var)
        left = exemplars.left(near, precision)
        summed, size = (
            (whole_block, max(1, WHOLE // len(exemplars))) if z.is_cuda else (_block, max(ROWS, CACHED // len(exemplars)))
        )
        parts = [summed(left[rows], exemplars, None if own is None else own[rows], at) for rows in _slices(len(z), size)]
        log_sum, expected, squared, weight = (torch.cat(part) for part in zip(*parts, strict=True))
        distance = near.square().sum(1) - 2 * (near * expected).sum(1) + squared
        ctx.save_for_backward(near, expected, distance, weight, fresh - exemplars.centre, precision)
        return log_sum - 0.5 * z.shape[1] * (LOG_2PI + log_var) - _kept(own, exemplars.log_weight, z).log()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        near, expected, distance, weight, fresh, precision = ctx.saved_tensors
        row = gradients[0][:, None]
        pull = weight * row
        for_fresh = precision * (pull.T @ near - pull.sum(0)[:, None] * fresh) if ctx.needs_input_grad[1] else None
        for_log_var = 0.5 * (row[:, 0] * (precision * distance - near.shape[1])).sum()
        return row * precision * (expected - near), for_fresh, None, for_log_var, None, None


def _block(left: Tensor, exemplars: Exemplars, own: Tensor | None, at: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return log-sum, moments and responsibilities at ``at`` of a block."""
    top, dims = None, exemplars.dims
    total, chosen = _summed(left, exemplars.table, own, at, top)  # a score is at most 0, so there is no overflow
    if bool((total[:, dims + 1] < UNDERFLOW).any()):
        top = torch.stack([score.amax(1) for score, _ in _scores(left, exemplars.table, own)]).amax(0)[:, None]
        total, chosen = _summed(left, exemplars.table, own, at, top)
    mass = total[:, dims + 1, None]
    log_sum = mass.log() if top is None else top / LOG2_E + mass.log()
    return log_sum[:, 0], total[:, :dims] / mass, total[:, dims] / mass[:, 0], chosen / mass


def whole_block(left: Tensor, exemplars: Exemplars, own: Tensor | None, at: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return `_block`'s result for a GPU: few large kernels, no branch on data.

    A branch on data would make the processor wait for the GPU at each step.
    """
    dims, score = exemplars.dims, left @ exemplars.table.T
    if own is not None:
        mask = own if own.dtype == torch.bool else exemplar_mask(own, len(exemplars))
        score[:, : len(exemplars)].masked_fill_(mask, -math.inf)
    top = score.amax(1, keepdim=True)
    weight = torch.exp2(score - top)
    total = weight @ exemplars.table
    mass = total[:, dims + 1, None]
    return (top / LOG2_E + mass.log())[:, 0], total[:, :dims] / mass, total[:, dims] / mass[:, 0], weight[:, at] / mass


def _summed(left: Tensor, table: Tensor, own: Tensor | None, at: Tensor, top: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return sums over exemplars weighed 2^(score - top), and weights at ``at``."""
    total, chosen = left.new_zeros(()), left.new_empty(len(left), len(at))
    for score, part in _scores(left, table, own):
        weight = (score if top is None else score.sub_(top)).clamp_(min=NEGLIGIBLE).exp2_()
        total = total + weight @ table[part]
        if part.stop - part.start == len(table):
            return total, weight.index_select(1, at)
        here = torch.nonzero((at >= part.start) & (at < part.stop))[:, 0]
        chosen[:, here] = weight[:, at[here] - part.start]
    return total, chosen


def _scores(left: Tensor, table: Tensor, own: Tensor | None) -> Iterator[tuple[Tensor, slice]]:
    """Yield log2 scores of some exemplars, -inf at a row's own, and their slice.

    All scores come in the same place, which the next ones overwrite.
    """
    step = max(1, SCORES // max(ROWS, len(left)))
    place = left.new_empty(len(left) * min(step, len(table)))
    for part in _slices(len(table), step):
        score = place[: len(left) * (part.stop - part.start)].view(len(left), -1)
        torch.mm(left, table[part].T, out=score)
        _leave_out(score, own, part)
        yield score, part


def _slices(count: int, step: int) -> Iterator[slice]:
    return (slice(start, min(start + step, count)) for start in range(0, count, step))


def _left(near: Tensor, precision: Tensor) -> Tensor:
    """Return the rows' side of log w - |z - mean|^2 / 2s as a matrix product."""
    ones = torch.ones_like(near[:, :1])
    return torch.cat([near * precision, -0.5 * precision * near.square().sum(1, keepdim=True), ones], dim=1)


def _right(far: Tensor, precision: Tensor, log_weight: Tensor) -> Tensor:
    """Return the exemplars' side of the same product."""
    offset = log_weight[:, None] - 0.5 * precision * far.square().sum(1, keepdim=True)
    return torch.cat([far, torch.ones_like(far[:, :1]), offset], dim=1)


def _leave_out(score: Tensor, own: Tensor | None, part: slice) -> None:
    """Set each row's own exemplars to -inf, in place, in the scores of some exemplars."""
    if own is None:
        return
    if own.dtype == torch.bool:
        score.masked_fill_(own[:, part], -math.inf)
        return
    places = _listed(own)
    row, slot = torch.nonzero((places >= part.start) & (places < part.stop), as_tuple=True)
    score[row, places[row, slot] - part.start] = -math.inf


def _listed(own: Tensor) -> Tensor:
    """Return positions ``(B,)`` or ``(B, M)`` as ``(B, M)``."""
    return own[:, None] if own.ndim == 1 else own


def _kept(own: Tensor | None, log_weight: Tensor, z: Tensor) -> Tensor:
    """Return the weight that each row's other exemplars have together, ``(B,)``."""
    if own is None:
        return z.new_ones(len(z))
    if own.dtype == torch.bool:
        return 1.0 - own.to(z.dtype) @ log_weight.exp()
    places = _listed(own)
    return 1.0 - torch.where(places >= 0, log_weight[places.clamp(min=0)].exp(), 0.0).sum(1)


def _none_left(own: Tensor, exemplars: int) -> bool:
    if own.dtype == torch.bool:
        return bool(own.all(1).any())
    places = _listed(own)
    return exemplars <= places.shape[1] and bool(((places >= 0).sum(1) >= exemplars).any())
