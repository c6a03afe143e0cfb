"""Elastic Weight Consolidation: the Fisher information and the gradient of its penalty."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.func import grad, vmap

Parameters = Mapping[str, Tensor]
MOST_ROWS = 256  # whose gradients are held at once, where the parameters are few
MOST_NUMBERS = 2**25  # numbers in the gradients held at once: 128 MiB, also for the many parameters of a table of 2,000 columns


def fisher_diagonal(
    objective: Callable[..., Tensor], parameters: Parameters, *per_row: Tensor, chunk: int = MOST_ROWS
) -> dict[str, Tensor]:
    """Return the mean squared gradient over rows, shaped as the parameters.

    The square is taken row by row: the square of a batch's mean gradient is smaller by up to the batch size.

    Args:
        objective: ``(parameters, *one_row) -> scalar`` log-density (or ELBO) of one row.
        parameters: the anchor.
        per_row: tensors whose first dimension runs over the n rows.
        chunk: most rows whose gradients are held at once; fewer where the parameters are many.
    Raises:
        ValueError: there are no rows.
    Source: Kirkpatrick et al. 2017, arXiv:1612.00796; per-row gradients by `torch.func`.
    """
    rows = len(per_row[0]) if per_row else 0
    if not rows:
        raise ValueError("The Fisher information needs at least one row; got none.")
    anchor = {name: value.detach() for name, value in parameters.items()}
    chunk = max(1, min(chunk, MOST_NUMBERS // max(1, sum(value.numel() for value in anchor.values()))))
    per_row_gradient = vmap(grad(objective), in_dims=(None, *([0] * len(per_row))))
    total = {name: torch.zeros_like(value) for name, value in anchor.items()}
    for parts in zip(*(torch.split(tensor, chunk) for tensor in per_row), strict=True):
        for name, gradient in per_row_gradient(anchor, *parts).items():
            total[name] += gradient.detach().square().sum(0)
    return {name: value / rows for name, value in total.items()}


def normalised(fisher: Parameters) -> dict[str, Tensor]:
    """Divide ``fisher`` by its mean, so a lambda means the same at any width.

    A Fisher of zeros is returned as it is.
    """
    count = sum(value.numel() for value in fisher.values())
    mean = torch.stack([value.sum() for value in fisher.values()]).sum() / max(count, 1)
    return {name: value / mean if mean > 0 else value.clone() for name, value in fisher.items()}


def ewc_gradient(values: Tensor, anchor: Tensor, fisher: Tensor) -> Tensor:
    """Return the gradient of sum_i F_i (psi_i - psi_+,i)^2, ``(P,)``, not yet times lambda.

    Args:
        values, anchor: psi and psi_+, ``(P,)``.
        fisher: F, ``(P,)``.
    """
    return 2 * fisher * (values - anchor)
