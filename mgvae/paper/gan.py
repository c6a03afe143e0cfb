"""A conditional GAN: generator and discriminator are told the class, and learn from all classes at once.

Source: Goodfellow et al. 2014, arXiv:1406.2661; Mirza and Osindero 2014, arXiv:1411.1784.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from mgvae.convolution import Down, ToPixels, Up
from mgvae.paper.conditional import Effort, balanced_batch, told
from mgvae.paper.made import Made, Task, gathered
from mgvae.paper.networks import descend, he_initialised, layers
from mgvae.paper.pixels import Size, large
from mgvae.seeds import own_stream, torch_generator

NOISE = 32  # numbers that the generator starts from
SLOPE = 0.2  # of the leaky units of an MLP that discriminates
FEATURES = 256  # that the last layer of a convolutional discriminator sees
AT_ONCE = 128  # rows that are made at once


def gan(task: Task, size: Size, effort: Effort) -> Made:
    """Return rows of a generator that was trained against a discriminator; convolutional ones where the MGVAE's would be."""
    draws = torch_generator(task.seed, "gan")
    generator, judge = _networks(task, size, draws)
    pair = [torch.optim.Adam(one.parameters(), lr=effort.learning_rate / 2, betas=(0.5, 0.999)) for one in (generator, judge)]
    for _ in range(effort.steps):
        rows, classes = balanced_batch(task, draws)
        fake = torch.sigmoid(generator(torch.cat([torch.randn(len(rows), NOISE, generator=draws), classes], 1)))
        real = judge(torch.cat([rows, classes], 1))
        seen = judge(torch.cat([fake.detach(), classes], 1))
        smooth = torch.full_like(real, 0.9)  # one-sided label smoothing, Salimans et al. 2016
        descend(pair[1], binary_cross_entropy_with_logits(real, smooth) + softplus(seen).mean())
        descend(pair[0], softplus(-judge(torch.cat([fake, classes], 1))).mean())

    def make(label: int, count: int) -> Tensor:
        inputs = torch.cat([torch.randn(count, NOISE, generator=draws), told(label, count, task.classes)], 1)
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
