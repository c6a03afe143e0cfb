"""Losses that answer to imbalance, each a mean over a batch of logits ``(B, C)`` and labels ``(B,)``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from mgvae.errors import ConfigError

LossName = Literal["cross_entropy", "reweighted", "class_balanced", "focal", "ldam"]
Loss = Callable[[Tensor, Tensor], Tensor]
BETA = 0.9999  # of the class-balanced weights: for long-tailed sets of this size, Cui et al. 2019
GAMMA = 2.0  # of the focal loss, Lin et al. 2017
MARGIN, SCALE = 0.5, 30.0  # of LDAM, Cao et al. 2019


def loss_called(name: LossName, counts: Sequence[int]) -> Loss:
    """Return a loss, set up for classes with ``counts`` training rows.

    Raises:
        ConfigError: there is no such loss, or a class has no row.
    """
    if name not in get_args(LossName):
        raise ConfigError(f"A loss must be one of {', '.join(get_args(LossName))}; got {name!r}.")
    if min(counts) < 1:
        raise ConfigError(f"Each class must have a training row; got counts {tuple(counts)}.")
    made: dict[str, Loss] = {
        "cross_entropy": lambda logits, labels: cross_entropy(logits, labels),
        "reweighted": weighted(inverse_frequency(counts)),
        "class_balanced": weighted(class_balanced(counts, beta=BETA)),
        "focal": lambda logits, labels: focal(logits, labels, gamma=GAMMA),
        "ldam": lambda logits, labels: ldam(logits, labels, ldam_margins(counts, largest=MARGIN), scale=SCALE),
    }
    return made[name]


def weighted(weight: Tensor) -> Loss:
    """Return the cross-entropy whose rows weigh as their class does, ``weight (C,)``, divided by the sum of the weights."""
    return lambda logits, labels: cross_entropy(logits, labels, weight=weight.to(logits))


def inverse_frequency(counts: Sequence[int]) -> Tensor:
    """Return weights in proportion to 1 / n_c whose mean over classes is one, ``(C,)``."""
    return _mean_one(1.0 / torch.tensor(counts, dtype=torch.double))


def class_balanced(counts: Sequence[int], *, beta: float) -> Tensor:
    """Return weights in proportion to (1 - beta) / (1 - beta^n_c), the inverse effective number of rows, ``(C,)``.

    Their mean over classes is one: with beta 0 nothing is weighted, and as beta goes to 1 the weights become 1 / n_c.

    Source: Cui et al. 2019, arXiv:1901.05555.
    """
    n = torch.tensor(counts, dtype=torch.double)
    return _mean_one((1.0 - beta) / (1.0 - beta**n))


def focal(logits: Tensor, labels: Tensor, *, gamma: float) -> Tensor:
    """Return the mean of -(1 - p_y)^gamma log p_y, which looks away from rows that are easy.

    Source: Lin et al. 2017, arXiv:1708.02002.
    """
    log_p = logits.log_softmax(1).gather(1, labels[:, None])[:, 0]
    missing = -torch.expm1(log_p)
    return -(missing.clamp(min=0.0) ** gamma * log_p).mean()


def ldam(logits: Tensor, labels: Tensor, margins: Tensor, *, scale: float) -> Tensor:
    """Return the cross-entropy of ``scale`` times the logits, that of the true class less its margin.

    Args:
        logits: cosines, ``(B, C)``, of a classifier whose last layer is normalised.
        labels: ``(B,)``.
        margins: of each class, ``(C,)``.
        scale: s.
    Source: Cao et al. 2019, arXiv:1906.07413.
    """
    less = one_hot(labels, logits.shape[1]).to(logits) * margins.to(logits)
    return cross_entropy(scale * (logits - less), labels)


def ldam_margins(counts: Sequence[int], *, largest: float) -> Tensor:
    """Return margins in proportion to n_c^(-1/4), the rarest class's being ``largest``, ``(C,)``."""
    raw = torch.tensor(counts, dtype=torch.double) ** -0.25
    return largest * raw / raw.max()


def _mean_one(weight: Tensor) -> Tensor:
    return weight / weight.mean()
