"""Generators that are told the class: a conditional VAE and a conditional GAN, both learned from all classes at once.

Batches hold as many rows of each class, else the rare ones would hardly be seen.

Source: Sohn et al. 2015 for the VAE; Mirza and Osindero 2014, arXiv:1411.1784, and Goodfellow et al. 2014, arXiv:1406.2661.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot, softplus

from mgvae.paper.made import Made, Task, gathered
from mgvae.paper.pixels import Size, pixel_model
from mgvae.prior import log_gaussian
from mgvae.seeds import own_stream, torch_generator

BATCH = 128
NOISE = 32  # numbers that the GAN's generator starts from
SLOPE = 0.2  # of the discriminator's leaky units


@dataclass(frozen=True)
class Effort:
    """How long and how fast a conditional generator is trained."""

    steps: int = 3000
    learning_rate: float = 1e-3


def conditional_vae(task: Task, size: Size, effort: Effort) -> Made:
    """Return rows of a VAE whose encoder and decoder see the class."""
    draws = torch_generator(task.seed, "conditional vae")
    width = task.train.values.shape[1]
    model = pixel_model(task, size, extra=task.classes, generator=draws)
    model.decoder.likelihood.start_at(task.train.scaled())
    optimizer = torch.optim.Adam(model.parameters(), lr=effort.learning_rate, fused=True)
    for _ in range(effort.steps):
        rows, told = _batch(task, draws)
        mean, log_var = model.posterior(torch.cat([rows, told], 1))
        z = mean + torch.exp(0.5 * log_var) * torch.randn(mean.shape, generator=draws)
        zero = torch.zeros_like(z)
        kl = log_gaussian(z, mean, log_var) - log_gaussian(z, zero, zero)
        loss = (kl - model.decoder.log_prob(rows, torch.cat([z, told], 1))).mean()
        _step(optimizer, loss)
    made = {}
    with torch.no_grad():
        for label, count in task.lacking.items():
            z = torch.randn(count, size.latent_dim, generator=draws)
            made[label] = model.decoder.sample(torch.cat([z, _told(label, count, task.classes)], 1), draws)[:, :width]
    return gathered(made, task)


def gan(task: Task, size: Size, effort: Effort) -> Made:
    """Return rows of a generator that was trained against a discriminator; both see the class."""
    draws = torch_generator(task.seed, "gan")
    width = task.train.values.shape[1]
    generator = _network([NOISE + task.classes, *size.hidden, width], nn.ReLU(), draws)
    judge = _network([width + task.classes, *size.hidden, 1], nn.LeakyReLU(SLOPE), draws)
    pair = [torch.optim.Adam(one.parameters(), lr=effort.learning_rate / 2, betas=(0.5, 0.999)) for one in (generator, judge)]
    for _ in range(effort.steps):
        rows, told = _batch(task, draws)
        fake = torch.sigmoid(generator(torch.cat([torch.randn(len(rows), NOISE, generator=draws), told], 1)))
        real = judge(torch.cat([rows, told], 1))
        seen = judge(torch.cat([fake.detach(), told], 1))
        smooth = torch.full_like(real, 0.9)  # one-sided label smoothing, Salimans et al. 2016
        _step(pair[1], binary_cross_entropy_with_logits(real, smooth) + softplus(seen).mean())
        _step(pair[0], softplus(-judge(torch.cat([fake, told], 1))).mean())
    made = {}
    with torch.no_grad():
        for label, count in task.lacking.items():
            noise = torch.randn(count, NOISE, generator=draws)
            made[label] = torch.sigmoid(generator(torch.cat([noise, _told(label, count, task.classes)], 1)))
    return gathered(made, task)


def _batch(task: Task, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return rows with each class as likely as any other, ``(BATCH, P)``, and their classes, ``(BATCH, C)``."""
    counts = torch.tensor(task.train.counts(task.classes), dtype=torch.double)
    at = torch.multinomial((1.0 / counts)[task.train.labels], BATCH, replacement=True, generator=draws)
    batch = task.train.take(at)
    return batch.scaled(), one_hot(batch.labels, task.classes).float()


def _told(label: int, count: int, classes: int) -> Tensor:
    return one_hot(torch.full((count,), label), classes).float()


def _network(widths: list[int], unit: nn.Module, draws: torch.Generator) -> nn.Sequential:
    layers: list[nn.Module] = []
    with own_stream(), torch.no_grad():
        for inputs, outputs in pairwise(widths):
            layer = nn.Linear(inputs, outputs)
            layer.weight.copy_((2.0 / inputs) ** 0.5 * torch.randn(outputs, inputs, generator=draws))
            layer.bias.zero_()
            layers += [layer, unit]
    return nn.Sequential(*layers[:-1])


def _step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
