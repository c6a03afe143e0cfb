"""Share each step of a training among processes, one for each GPU or core.

All ranks hold the same rows and draw the same numbers. Of each step's rows, and of the exemplars that are encoded anew, each
takes an equal part; gradients are added up. The result is that of one process up to rounding.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from mgvae.errors import TrainingError
from mgvae.model.chosen_rows import AnyRows
from mgvae.model.exemplar_mixture import Exemplars
from mgvae.model.network import MGVAE
from mgvae.model.objective import elbo_with_own_means

LOST = "The processes of a training must end together; one ended before the others, perhaps for want of memory. Run again."


class Ranks:
    """The processes of torch's default group: ``rank`` is the number of this one, from 0, and ``count`` that of all."""

    def __init__(self) -> None:
        self.rank, self.count = dist.get_rank(), dist.get_world_size()

    def part(self, values: Tensor) -> Tensor:
        """Return this rank's part of ``values (n, ...)``; all have one length, filled up with the first value."""
        lacking = -len(values) % self.count
        filled = torch.cat([values, values[:1].expand(lacking, *values.shape[1:])]) if lacking else values
        return filled.chunk(self.count)[self.rank]

    def counted(self, part: Tensor, n: int) -> Tensor:
        """Return 1 for each of a part's rows that is among the ``n`` shared, 0 for what fills up."""
        return (torch.arange(len(part), device=part.device) + self.rank * len(part) < n).to(torch.float32)

    def gathered(self, part: Tensor, n: int) -> Tensor:
        """Return the ``n`` rows of which each rank has a part, with their gradient."""
        return _Gathered.apply(part, self)[:n]  # type: ignore[no-any-return, no-untyped-call]

    def exemplar_means(self, model: MGVAE, rows: AnyRows) -> Tensor:
        """Return `MGVAE.exemplar_means` of rows ``(K, W)``, of which each rank encodes its part."""
        own = rows[self.part(torch.arange(len(rows), device=rows.device))]
        return self.gathered(model.exemplar_means(own), len(rows))

    def added_up(self, gradient: Tensor, objective: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sums over all ranks of a gradient ``(P,)`` and of an ``objective``, a scalar."""
        flat = self.added(torch.cat([gradient, objective.detach().view(1)]))
        return flat[:-1], flat[-1]

    def added(self, values: Tensor) -> Tensor:
        """Add up all ranks' ``values`` in place; return them, or raise TrainingError where a rank is gone."""
        with lost_is_said():
            dist.all_reduce(values)
        return values

    def put_together(self, part: Tensor) -> Tensor:
        """Return all ranks' parts, ``(count * n, ...)``, or raise TrainingError where a rank is gone."""
        parts = [torch.empty_like(part) for _ in range(self.count)]
        with lost_is_said():
            dist.all_gather(parts, part.contiguous())
        return torch.cat(parts)


def shared_terms(
    ranks: Ranks, model: MGVAE, rows: Tensor, cache: Exemplars, at: Tensor, noise: Tensor, own: Tensor | None, weight: Tensor
) -> tuple[Tensor, Tensor]:
    """Return this rank's part of a step's loss and of its mean objective, scalars; all arguments are of the whole step."""
    n, part = len(rows), ranks.part(rows)
    mine = None if own is None else ranks.part(own)
    terms = elbo_with_own_means(
        model, part, cache, at, ranks.part(noise), own=mine, gathered=lambda means: ranks.gathered(means, n)
    )
    share = ranks.counted(part, n) / n
    return (share * (weight * terms.kl - terms.reconstruction)).sum(), (share * terms.total).sum()


@contextmanager
def joined_ranks(rank: int, count: int, meeting: Path, device: torch.device) -> Iterator[Ranks]:
    """Join ``count`` processes of this machine that share a training.

    Args:
        rank, count, meeting: this one's number, that of all, and a new file by which they find each other.
        device: cuda gives each rank the card of its number, and NCCL; cpu has Gloo on the loopback interface.
    Raises:
        TrainingError: there are fewer cards than ranks.
    """
    on_gpu = device.type == "cuda"
    if on_gpu:
        if count > (cards := torch.cuda.device_count()):
            raise TrainingError(f"training.processes must be at most the visible CUDA devices, {cards}; got {count}.")
        torch.cuda.set_device(rank)
    else:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
    with lost_is_said():
        dist.init_process_group("nccl" if on_gpu else "gloo", init_method=f"file://{meeting}", rank=rank, world_size=count)
    try:
        yield Ranks()
    finally:
        dist.destroy_process_group()


@contextmanager
def lost_is_said() -> Iterator[None]:
    """Raise TrainingError where a collective call fails: another rank is gone."""
    try:
        yield
    except RuntimeError:
        raise TrainingError(LOST) from None


class _Gathered(torch.autograd.Function):
    """`Ranks.put_together`: a part's gradient is the sum of all ranks' for it."""

    @staticmethod
    def forward(ctx: Any, part: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks = ranks
        return ranks.put_together(part)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.ranks.added(gradients[0].clone()).chunk(ctx.ranks.count)[ctx.ranks.rank], None
