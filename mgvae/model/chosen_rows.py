"""Rows of a table at chosen positions, gathered where they are used: the table may be larger than memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ChosenRows:
    """Some rows of a table, of which no copy is kept.

    Attributes:
        table: ``(N, W)``, such as a mapped file.
        at: position in it of each row, ``(n,)``.
    """

    table: Tensor
    at: Tensor

    def __len__(self) -> int:
        return len(self.at)

    @property
    def device(self) -> torch.device:
        """Where the table lies."""
        return self.table.device

    def __getitem__(self, at: Tensor) -> ChosenRows:
        """Choose among the rows, by positions or by a mask; nothing is read."""
        return ChosenRows(self.table, self.at[at])

    def index_select(self, dim: int, at: Tensor) -> Tensor:
        """Return the rows at ``at (B,)``, as a tensor does along its first dimension, the only one."""
        return self.table.index_select(dim, self.at[at])

    def split(self, size: int) -> Iterator[Tensor]:
        """Yield the rows, ``size`` at a time."""
        return (self.table.index_select(0, part) for part in torch.split(self.at, size))


AnyRows = Tensor | ChosenRows


def chosen(table: Tensor, mask: Tensor) -> AnyRows:
    """Return the rows of ``table`` where ``mask (N,)`` is true: on a GPU a copy, which its steps read faster."""
    return table[mask] if table.is_cuda else ChosenRows(table, torch.nonzero(mask)[:, 0])


def parts(rows: AnyRows, size: int) -> Iterator[Tensor]:
    """Yield rows ``size`` at a time."""
    return rows.split(size) if isinstance(rows, ChosenRows) else iter(torch.split(rows, size))
