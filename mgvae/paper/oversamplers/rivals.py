"""Other oversamplers: conditional VAE and GAN, random oversampling, SMOTE.

Class-conditional generators learn from all classes at once, in batches of as many rows of each class: else the rare ones
would hardly be seen.

Source: Sohn et al. 2015, Learning structured output representation using deep conditional generative models.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from imblearn.over_sampling import SMOTE
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot, softplus

from mgvae.arrays import Array
from mgvae.model.prior import log_gaussian
from mgvae.paper.datasets.rows import Rows
from mgvae.paper.models.convolution import Down, ToPixels, Up
from mgvae.paper.models.networks import descend, he_initialised, layers
from mgvae.paper.models.pixel_models import Size, large, pixel_model
from mgvae.paper.oversamplers.task import Made, Task, gathered
from mgvae.reproducibility import derive
from mgvae.torch_runtime import own_stream, torch_generator

BATCH, LEARNING_RATE = 128, 1e-3


def conditional_vae(task: Task, size: Size, steps: int) -> Made:
    """Return rows of a conditional VAE trained for ``steps`` steps."""
    draws = torch_generator(task.seed, "conditional vae")
    model = pixel_model(task, replace(size, tied=False), condition=task.classes, generator=draws)
    model.decoder.likelihood.start_at(task.train.scaled())
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=True)
    for _ in range(steps):
        rows, classes = balanced_batch(task, draws)
        mean, log_var = model.posterior(torch.cat([rows, classes], 1))
        z = mean + torch.exp(0.5 * log_var) * torch.randn(mean.shape, generator=draws)
        zero = torch.zeros_like(z)
        kl = log_gaussian(z, mean, log_var) - log_gaussian(z, zero, zero)
        descend(optimizer, (kl - model.decoder.log_prob(rows, torch.cat([z, classes], 1))).mean())

    def make(label: int, count: int) -> Tensor:
        z = torch.randn(count, size.latent_dim, generator=draws)
        return model.decoded(torch.cat([z, one_hot_label(label, count, task.classes)], 1), draws)

    return gathered(make, task)


def balanced_batch(task: Task, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return a class-balanced batch, ``(BATCH, P)``, and its classes, ``(BATCH, C)``."""
    counts = torch.tensor(task.train.counts(task.classes), dtype=torch.double)
    at = torch.multinomial((1.0 / counts)[task.train.labels], BATCH, replacement=True, generator=draws)
    batch = task.train.take(at)
    return batch.scaled(), one_hot(batch.labels, task.classes).float()


def one_hot_label(label: int, count: int, classes: int) -> Tensor:
    """Return a class as one-hot rows, ``(count, classes)``."""
    return one_hot(torch.full((count,), label), classes).float()


NOISE = 32  # numbers that the generator starts from
SLOPE = 0.2  # of the leaky units of an MLP that discriminates
FEATURES = 256  # that the last layer of a convolutional discriminator sees
AT_ONCE = 128  # rows that are made at once


def gan(task: Task, size: Size, steps: int) -> Made:
    """Return rows of a GAN, convolutional where the MGVAE is."""
    draws = torch_generator(task.seed, "gan")
    generator, judge = _networks(task, size, draws)
    pair = [torch.optim.Adam(one.parameters(), lr=LEARNING_RATE / 2, betas=(0.5, 0.999)) for one in (generator, judge)]
    for _ in range(steps):
        rows, classes = balanced_batch(task, draws)
        fake = torch.sigmoid(generator(torch.cat([torch.randn(len(rows), NOISE, generator=draws), classes], 1)))
        real = judge(torch.cat([rows, classes], 1))
        seen = judge(torch.cat([fake.detach(), classes], 1))
        smooth = torch.full_like(real, 0.9)  # one-sided label smoothing, Salimans et al. 2016
        descend(pair[1], binary_cross_entropy_with_logits(real, smooth) + softplus(seen).mean())
        descend(pair[0], softplus(-judge(torch.cat([fake, classes], 1))).mean())

    def make(label: int, count: int) -> Tensor:
        inputs = torch.cat([torch.randn(count, NOISE, generator=draws), one_hot_label(label, count, task.classes)], 1)
        with torch.no_grad():
            return torch.cat([torch.sigmoid(generator(part)) for part in torch.split(inputs, AT_ONCE)])

    return gathered(make, task)


def _networks(task: Task, size: Size, draws: torch.Generator) -> tuple[nn.Module, nn.Module]:
    """Return generator, to the logits of all pixels, and discriminator, to one logit."""
    width, inputs = task.train.values.shape[1], NOISE + task.classes
    with own_stream():
        if (shape := large(task.shape)) is not None:
            generator = nn.Sequential(Up(inputs, shape, size.channels), ToPixels(size.channels, shape))
            judge = nn.Sequential(Down(shape, size.channels, FEATURES, condition=task.classes), nn.Linear(FEATURES, 1))
        else:
            generator = layers([inputs, *size.hidden, width])
            judge = layers([width + task.classes, *size.hidden, 1], lambda: nn.LeakyReLU(SLOPE))
    return he_initialised(generator, draws), he_initialised(judge, draws)


NEIGHBOURS = 5  # of SMOTE; fewer where a class has not that many


def random_oversampling(task: Task) -> Made:
    """Return copies of the rare rows, drawn with replacement."""
    at = []
    for label, count in task.lacking.items():
        own = task.train.positions(label)
        draws = torch_generator(task.seed, "random oversampling", label)
        at.append(own[torch.randint(len(own), (count,), generator=draws)])
    parents = torch.cat(at)
    return Made(task.train.take(parents), parents)


def smote(task: Task) -> Made:
    """Return points between a rare row and a near one of its class.

    A class of one row has no neighbour, and is given copies.

    Source: Chawla et al. 2002, doi:10.1613/jair.953.
    """
    return gathered(lambda label, count: torch.from_numpy(_between(task.train, label, count, task.seed)), task)


def _between(rows: Rows, label: int, count: int, seed: int) -> Array:
    own = rows.take(rows.positions(label)).scaled().numpy()
    if len(own) < 2:
        return np.repeat(own, count, axis=0)
    others = np.zeros((1, own.shape[1]), np.float32)  # a second class, which imbalanced-learn asks for; nothing is made of it
    near, start = min(NEIGHBOURS, len(own) - 1), derive(seed, "smote", label) % 2**31
    sampler = SMOTE(sampling_strategy={1: len(own) + count}, k_neighbors=near, random_state=start)
    grown, _ = sampler.fit_resample(np.vstack([own, others]), np.repeat([1, 0], [len(own), 1]))
    return np.asarray(grown, np.float32)[len(own) + 1 :]
