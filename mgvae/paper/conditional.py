"""A VAE that is told the class: it learns from all classes at once.

Batches hold as many rows of each class, else the rare ones would hardly be seen.

Source: Sohn et al. 2015, Learning structured output representation using deep conditional generative models.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from mgvae.paper.made import Made, Task, gathered
from mgvae.paper.networks import descend
from mgvae.paper.pixels import Size, pixel_model
from mgvae.prior import log_gaussian
from mgvae.seeds import torch_generator

BATCH = 128


@dataclass(frozen=True)
class Effort:
    """How long and how fast a generator that is told the class is trained."""

    steps: int = 3000
    learning_rate: float = 1e-3


def conditional_vae(task: Task, size: Size, effort: Effort) -> Made:
    """Return rows of a VAE whose encoder and decoder see the class."""
    draws = torch_generator(task.seed, "conditional vae")
    model = pixel_model(task, replace(size, tied=False), condition=task.classes, generator=draws)
    model.decoder.likelihood.start_at(task.train.scaled())
    optimizer = torch.optim.Adam(model.parameters(), lr=effort.learning_rate, fused=True)
    for _ in range(effort.steps):
        rows, classes = balanced_batch(task, draws)
        mean, log_var = model.posterior(torch.cat([rows, classes], 1))
        z = mean + torch.exp(0.5 * log_var) * torch.randn(mean.shape, generator=draws)
        zero = torch.zeros_like(z)
        kl = log_gaussian(z, mean, log_var) - log_gaussian(z, zero, zero)
        descend(optimizer, (kl - model.decoder.log_prob(rows, torch.cat([z, classes], 1))).mean())

    def make(label: int, count: int) -> Tensor:
        z = torch.randn(count, size.latent_dim, generator=draws)
        return model.decoded(torch.cat([z, told(label, count, task.classes)], 1), draws)

    return gathered(make, task)


def balanced_batch(task: Task, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return rows with each class as likely as any other, ``(BATCH, P)``, and their classes, ``(BATCH, C)``."""
    counts = torch.tensor(task.train.counts(task.classes), dtype=torch.double)
    at = torch.multinomial((1.0 / counts)[task.train.labels], BATCH, replacement=True, generator=draws)
    batch = task.train.take(at)
    return batch.scaled(), one_hot(batch.labels, task.classes).float()


def told(label: int, count: int, classes: int) -> Tensor:
    """Return a class as generators are told it, ``(count, classes)``."""
    return one_hot(torch.full((count,), label), classes).float()
