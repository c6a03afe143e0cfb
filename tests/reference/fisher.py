"""The Fisher diagonal by one backward pass per row."""

from __future__ import annotations

import torch


def fisher_diagonal(objective, parameters, *per_row):
    """Return the mean over rows of the squared gradient, as `mgvae.model.ewc.fisher_diagonal` does."""
    leaves = {name: value.detach().clone().requires_grad_() for name, value in parameters.items()}
    total = {name: torch.zeros_like(value) for name, value in leaves.items()}
    for row in zip(*per_row, strict=True):
        gradients = torch.autograd.grad(objective(leaves, *row), list(leaves.values()), allow_unused=True)
        for name, gradient in zip(leaves, gradients, strict=True):
            if gradient is not None:
                total[name] += gradient.square()
    return {name: value / len(per_row[0]) for name, value in total.items()}
