"""What an oversampler is given and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from mgvae.paper.datasets.rows import Rows, joined


@dataclass(frozen=True)
class Task:
    """Training rows and what is wanted of them.

    Attributes:
        train: real rows.
        classes: C.
        majority, minority: labels of either kind.
        seed: of all that is drawn.
        shape: (channels, height, width) of an image; None for a table.
    """

    train: Rows
    classes: int
    majority: tuple[int, ...]
    minority: tuple[int, ...]
    seed: int
    shape: tuple[int, int, int] | None = None

    @property
    def lacking(self) -> dict[int, int]:
        """How many rows each rare class lacks to be as large as the largest class."""
        counts = self.train.counts(self.classes)
        return {label: max(counts) - counts[label] for label in self.minority}

    @property
    def of_majority(self) -> Tensor:
        """Positions of the majority's rows, ascending."""
        return torch.nonzero(torch.isin(self.train.labels, torch.tensor(self.majority)))[:, 0]


@dataclass(frozen=True)
class Made:
    """Synthetic rows.

    Attributes:
        rows: of the rare classes, stored as the training rows are.
        parents: the training row of which each is a translation or a copy, ``(n,)``; -1 where there is no single one.
        ewc_lambda: of the model that translated each, ``(n,)``; None where nothing was translated.
    """

    rows: Rows
    parents: Tensor
    ewc_lambda: Tensor | None = None

    def take(self, at: Tensor) -> Made:
        """Return the rows at positions ``at``, in that order."""
        return Made(self.rows.take(at), self.parents[at], None if self.ewc_lambda is None else self.ewc_lambda[at])


def gathered(make: Callable[[int, int], Tensor], task: Task) -> Made:
    """Return what every rare class lacks in one `Made`, without parents.

    Each class is stored before the next is made: as floats, large images would take four times the memory.

    Args:
        make: from a class and a count to that many of its rows, floats, in [0, 1] for images.
        task: whose rare classes are filled up.
    """
    parts = []
    for label, count in task.lacking.items():
        values = stored(make(label, count), task.train.values.dtype)
        parts.append(Rows(values, torch.full((count,), label)))
    rows = joined(*parts)
    return Made(rows, torch.full((len(rows),), -1))


def stored(values: Tensor, dtype: torch.dtype) -> Tensor:
    """Return rows as stored, ``(n, P)``: pixels cut to [0, 1] as bytes, others as is."""
    if dtype != torch.uint8:
        return values.float()
    return (values.clamp(0.0, 1.0) * 255.0).round().to(torch.uint8)
