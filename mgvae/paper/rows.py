"""Rows with labels, as a reader returns them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mgvae.errors import ShapeError


@dataclass(frozen=True)
class Rows:
    """Rows with their classes.

    Attributes:
        values: ``(n, P)``; uint8 for pixels, which stay bytes until they are used, or float32 for a table.
        labels: classes, int64 ``(n,)``.
    Raises:
        ShapeError: values and labels disagree on n.
    """

    values: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.labels.shape != self.values.shape[:1]:
            shapes = f"{tuple(self.values.shape)} and {tuple(self.labels.shape)}"
            raise ShapeError(f"values must be (n, P) and labels (n,); got {shapes}.")

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, at: Tensor) -> Rows:
        """Return the rows at positions ``at``, in that order."""
        return Rows(self.values[at], self.labels[at])

    def scaled(self) -> Tensor:
        """Return the values as float32, bytes divided by 255, ``(n, P)``."""
        return self.values.float() / 255.0 if self.values.dtype == torch.uint8 else self.values.float()

    def positions(self, label: int) -> Tensor:
        """Return where the rows of a class are, in order."""
        return torch.nonzero(self.labels == label)[:, 0]

    def counts(self, classes: int) -> tuple[int, ...]:
        """Return how many rows each of ``classes`` classes has."""
        return tuple(torch.bincount(self.labels, minlength=classes).tolist())


def joined(*parts: Rows) -> Rows:
    """Return the rows of all parts, one after the other."""
    return Rows(torch.cat([part.values for part in parts]), torch.cat([part.labels for part in parts]))
