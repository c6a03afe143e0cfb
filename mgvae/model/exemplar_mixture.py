"""The exemplars of r(z|x+) laid out for matrix products, and what a mixture over them takes from each.

Sums run over blocks of rows and exemplars that stay in the processor's cache; no ``(B, K)`` table is kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

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
        dims, left, scale = self.dims, near.new_zeros(near.shape[0], self.table.shape[1]), LOG2_E * precision
        half = -0.5 * scale
        torch.mul(near, scale, out=left[:, :dims])
        left[:, dims], left[:, dims + 2] = half, LOG2_E
        torch.mul(near.square().sum(1), half, out=left[:, dims + 1])
        return left


class Pull(NamedTuple):
    """Gradients of log densities of a mixture, each row times its weight.

    Attributes:
        for_code: in the rows' codes, ``(B, D)``.
        for_fresh: in the exemplar means that were renewed, ``(M, D)``.
        for_log_var: of each row, in the log variance, ``(B,)``.
    """

    for_code: Tensor
    for_fresh: Tensor
    for_log_var: Tensor


class Moments(NamedTuple):
    """What `log_mixture` and its gradients need of each row.

    With the responsibilities v_k of a row: d/dz = sum_k v_k (mean_k - z) / s and d/dmean_k = v_k (z - mean_k) / s.

    Attributes:
        log_density: log sum_k w_k N(z; mean_k, s I) in nats, ``(B,)``.
        near: z less the centre, ``(B, D)``.
        expected: sum_k v_k mean_k less the centre, ``(B, D)``.
        distance: sum_k v_k |z - mean_k|^2, ``(B,)``.
        weight: v_k of the exemplars that were renewed, ``(B, M)``.
        precision: 1 / s.
    """

    log_density: Tensor
    near: Tensor
    expected: Tensor
    distance: Tensor
    weight: Tensor
    precision: Tensor

    def pull(self, fresh: Tensor, row: Tensor | None = None) -> Pull:
        """Return the gradients of the weighted sum of all log densities.

        Args:
            fresh: the renewed means less the centre, ``(M, D)``.
            row: weight of each row, ``(B,)``; 1 if None.
        """
        spread = 0.5 * (self.precision * self.distance - self.near.shape[1])
        towards, weight = self.precision * (self.expected - self.near), self.weight
        if row is not None:
            spread, towards, weight = spread * row, towards * row[:, None], weight * row[:, None]
        for_fresh = self.precision * torch.addcmul(weight.T @ self.near, weight.sum(0)[:, None], fresh, value=-1)
        return Pull(towards, for_fresh, spread)


def mixture_moments(z: Tensor, at: Tensor, log_var: Tensor, own: Tensor | None, exemplars: Exemplars) -> Moments:
    """Return the moments of codes ``z (B, D)``.

    Args:
        z, log_var, own: see `mgvae.model.prior.log_mixture`.
        at: positions of the exemplars whose responsibilities are kept, ``(M,)``.
        exemplars: the mixture.
    """
    near, precision = z - exemplars.centre, torch.exp(-log_var)
    left = exemplars.left(near, precision)
    summed, size = (whole_block, max(1, WHOLE // len(exemplars))) if z.is_cuda else (block, max(ROWS, CACHED // len(exemplars)))
    parts = [summed(left[rows], exemplars, None if own is None else own[rows], at) for rows in _slices(z.shape[0], size)]
    log_sum, expected, squared, weight = parts[0] if len(parts) == 1 else map(torch.cat, zip(*parts, strict=True))
    distance = near.square().sum(1) - 2 * (near * expected).sum(1) + squared
    log_density = log_sum - 0.5 * z.shape[1] * (LOG_2PI + log_var)
    if own is not None:
        log_density = log_density - _kept(own, exemplars.log_weight, z).log()
    return Moments(log_density, near, expected, distance, weight, precision)


def block(left: Tensor, exemplars: Exemplars, own: Tensor | None, at: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
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
    """Return `block`'s result for a GPU: few large kernels, no branch on data.

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
        if part.stop - part.start == len(table):
            return weight @ table, weight.index_select(1, at)
        total = total + weight @ table[part]
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


def _leave_out(score: Tensor, own: Tensor | None, part: slice) -> None:
    """Set each row's own exemplars to -inf, in place, in the scores of some exemplars."""
    if own is None:
        return
    if own.dtype == torch.bool:
        score.masked_fill_(own[:, part], -math.inf)
        return
    places = listed(own)
    row, slot = torch.nonzero((places >= part.start) & (places < part.stop), as_tuple=True)
    score[row, places[row, slot] - part.start] = -math.inf


def listed(own: Tensor) -> Tensor:
    """Return positions ``(B,)`` or ``(B, M)`` as ``(B, M)``."""
    return own[:, None] if own.ndim == 1 else own


def _kept(own: Tensor | None, log_weight: Tensor, z: Tensor) -> Tensor:
    """Return the weight that each row's other exemplars have together, ``(B,)``."""
    if own is None:
        return z.new_ones(len(z))
    if own.dtype == torch.bool:
        return 1.0 - own.to(z.dtype) @ log_weight.exp()
    weight = torch.where(own < 0, 0.0, log_weight[own.clamp(min=0)].exp())
    return 1.0 - (weight if own.ndim == 1 else weight.sum(1))


def exemplar_mask(at: Tensor, exemplars: int) -> Tensor:
    """Return whether exemplar k is among positions ``at (B,)`` or ``(B, M)``, bool ``(B, K)``; -1 is none."""
    places = listed(at)
    mask = torch.zeros(len(at), exemplars + 1, dtype=torch.bool, device=at.device)
    return mask.scatter(1, torch.where(places < 0, exemplars, places), True)[:, :exemplars]


def uniform(means: Tensor) -> Tensor:
    """Return the log weights of a mixture whose exemplars count alike, ``(K,)``."""
    return means.new_full((len(means),), -math.log(max(len(means), 1)))
