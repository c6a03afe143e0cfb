"""What an oversampler is given and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mgvae.paper.rows import Rows


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
    """

    rows: Rows
    parents: Tensor


def gathered(values: Mapping[int, Tensor], task: Task, parents: Mapping[int, Tensor] | None = None) -> Made:
    """Return the rows made for each class, as float in [0, 1] for images, in one `Made`."""
    stored = [_stored(value, task.train.values.dtype) for value in values.values()]
    labels = torch.cat([torch.full((len(value),), label) for label, value in values.items()])
    of = torch.full((len(labels),), -1) if parents is None else torch.cat([parents[label] for label in values])
    return Made(Rows(torch.cat(stored), labels), of)


def _stored(values: Tensor, dtype: torch.dtype) -> Tensor:
    if dtype != torch.uint8:
        return values.float()
    return (values.clamp(0.0, 1.0) * 255.0).round().to(torch.uint8)
