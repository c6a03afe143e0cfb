"""Rows with labels, as a reader returns them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mgvae.errors import DataError, ShapeError
from mgvae.torch_runtime import torch_generator


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


def drawn(labels: Tensor, wanted: Mapping[int, int], *, seed: int, stream: str) -> dict[int, Tensor]:
    """Return positions of each class's rows in random order, as many as wanted.

    Args:
        labels: classes, ``(n,)``.
        wanted: how many rows of each class.
        seed, stream: name the draw; with the same two, fewer wanted rows are the first of more.
    Raises:
        DataError: a class has fewer rows than are wanted.
    """
    out = {}
    for label, count in wanted.items():
        there = torch.nonzero(labels == label)[:, 0]
        if len(there) < count:
            raise DataError(f"Class {label} must have {count} rows to draw from; got {len(there)}. Ask for fewer.")
        order = torch.randperm(len(there), generator=torch_generator(seed, stream, label))
        out[label] = there[order[:count]]
    return out


def thinned(labels: Tensor, train: Mapping[int, int | None], held_out: int, *, seed: int) -> tuple[Tensor, Tensor]:
    """Return positions of training and validation rows, disjoint, each ascending.

    Args:
        labels: classes, ``(n,)``.
        train: how many rows of each class are trained on; None for all that are left.
        held_out: how many rows of each class are for validation.
        seed: of the draw.
    Raises:
        DataError: a class has too few rows.
    """
    counts = torch.bincount(labels, minlength=max(train, default=-1) + 1).tolist()
    wanted = {label: counts[label] if count is None else count + held_out for label, count in train.items()}
    at = drawn(labels, wanted, seed=seed, stream="thin")
    if any(len(rows) <= held_out for rows in at.values()):
        raise DataError(f"Each class must have more than the {held_out} rows held out for validation. Ask for fewer.")
    return _ascending([rows[held_out:] for rows in at.values()]), _ascending([rows[:held_out] for rows in at.values()])


def at_most(rows: Rows, limit: int | Mapping[int, int] | None) -> Rows:
    """Return the first ``limit`` rows of each class, in order; all if it is None."""
    if limit is None:
        return rows
    labels = sorted(set(rows.labels.tolist()))
    most = limit if isinstance(limit, Mapping) else dict.fromkeys(labels, limit)
    return rows.take(_ascending([rows.positions(label)[: most[label]] for label in labels]))


def _ascending(parts: list[Tensor]) -> Tensor:
    return torch.cat(parts).sort().values
