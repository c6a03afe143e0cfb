"""Models of rows in [0, 1]: pixels, and columns scaled to their range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from mgvae.convolution import convolutional
from mgvae.likelihood import PixelLikelihood
from mgvae.model import MGVAE, initialised, mlp
from mgvae.paper.made import Task
from mgvae.seeds import own_stream

LARGE = 32  # side from which an image is convolved


@dataclass(frozen=True)
class Size:
    """How large a model is.

    Attributes:
        latent_dim: D.
        hidden: widths of an MLP.
        channels: of a convolutional model's largest feature map.
        tied: whether codes have the prior's variance, see `MGVAE`.
    """

    latent_dim: int = 10
    hidden: tuple[int, ...] = (300, 300)
    channels: int = 32
    tied: bool = False


def pixel_model(task: Task, size: Size, *, generator: torch.Generator, extra: int = 0) -> MGVAE:
    """Return an untrained model of the task's rows: convolutional for images from 32 x 32 on, else an MLP.

    Pixels of one colour are Bernoulli; colours and the columns of tables are Gaussian.

    Args:
        task: whose rows are modelled.
        size: of the model.
        generator: draws the weights.
        extra: further inputs of encoder and decoder, which makes an MLP of any image: the class that a conditional VAE is told.
    """
    kind: Literal["bernoulli", "gaussian"] = "bernoulli" if task.shape is not None and task.shape[0] == 1 else "gaussian"
    with own_stream():
        if task.shape is not None and task.shape[-1] >= LARGE and not extra:
            made = convolutional(task.shape, latent_dim=size.latent_dim, channels=size.channels, kind=kind, tied=size.tied)
        else:
            made = _mlp(task.train.values.shape[1], size, kind, extra)
    return initialised(made, generator)


def _mlp(width: int, size: Size, kind: str, extra: int) -> MGVAE:
    if not extra:
        likelihood = PixelLikelihood(width, size.hidden[0], kind=kind)
        return MGVAE(likelihood, hidden=size.hidden, latent_dim=size.latent_dim, tied=size.tied)
    likelihood = PixelLikelihood(width, size.hidden[0], kind=kind)
    bodies = mlp([width + extra, *size.hidden]), mlp([size.latent_dim + extra, *reversed(size.hidden)])
    made = MGVAE(likelihood, hidden=size.hidden, latent_dim=size.latent_dim, bodies=bodies)
    made.encoder.inputs = width + extra
    return made
