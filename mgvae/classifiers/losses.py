"""Losses for imbalanced classes: focal, class-balanced, LDAM."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

BETA = 0.9999  # of the class-balanced weights: for long-tailed sets of thousands of rows, Cui et al. 2019
GAMMA = 2.0  # of the focal loss, Lin et al. 2017
MARGIN, SCALE = 0.5, 30.0  # of LDAM, Cao et al. 2019


def inverse_frequency(counts: Sequence[float]) -> Tensor:
    """Return class weights ``(C,)`` proportional to 1 / n_c, of mean one."""
    return _mean_one(1.0 / torch.tensor(counts, dtype=torch.double))


def class_balanced(counts: Sequence[float], *, beta: float = BETA) -> Tensor:
    """Return class weights ``(C,)`` by the inverse effective number of rows.

    Their mean over classes is one: with beta 0 nothing is weighted, and as beta goes to 1 the weights become 1 / n_c.

    Source: Cui et al. 2019, arXiv:1901.05555.
    """
    n = torch.tensor(counts, dtype=torch.double)
    return _mean_one((1.0 - beta) / (1.0 - beta**n))


def focal_terms(log_p: Tensor, *, gamma: float = GAMMA) -> Tensor:
    """Return -(1 - p)^gamma log p of each row, from the log probability of its class.

    Source: Lin et al. 2017, arXiv:1708.02002.
    """
    missing = -torch.expm1(log_p)
    return -(missing.clamp(min=0.0) ** gamma * log_p)


def ldam_margins(counts: Sequence[float], *, largest: float = MARGIN) -> Tensor:
    """Return margins ``(C,)`` proportional to n_c^(-1/4), at most ``largest``.

    LDAM takes its margin from the true class's cosine before the scaled softmax.

    Source: Cao et al. 2019, arXiv:1906.07413.
    """
    raw = torch.tensor(counts, dtype=torch.double) ** -0.25
    return largest * raw / raw.max()


def _mean_one(weight: Tensor) -> Tensor:
    return weight / weight.mean()
