"""Models of rows in [0, 1]: pixels, and columns scaled to their range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from mgvae.model.network import MGVAE, initialised, mlp
from mgvae.paper.models.convolution import convolutional
from mgvae.paper.models.networks import with_bodies
from mgvae.paper.models.pixel_likelihood import PixelLikelihood
from mgvae.paper.oversamplers.task import Task
from mgvae.torch_runtime import own_stream

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


def pixel_model(task: Task, size: Size, *, generator: torch.Generator, condition: int = 0) -> MGVAE:
    """Return an untrained model, convolutional for images from 32 x 32 on.

    Pixels of one colour are Bernoulli; colours and the columns of tables are Gaussian.

    Args:
        task: whose rows are modelled.
        size: of the model.
        generator: draws the weights.
        condition: see `mgvae.paper.models.networks.with_bodies`.
    """
    kind: Literal["bernoulli", "gaussian"] = "bernoulli" if task.shape is not None and task.shape[0] == 1 else "gaussian"
    latent_dim, tied = size.latent_dim, size.tied
    with own_stream():
        if (shape := large(task.shape)) is not None:
            model = convolutional(
                shape, latent_dim=latent_dim, channels=size.channels, kind=kind, tied=tied, condition=condition
            )
        else:
            likelihood = PixelLikelihood(task.train.values.shape[1], size.hidden[0], kind=kind)
            model = MGVAE(likelihood, hidden=size.hidden, latent_dim=latent_dim, tied=tied)
            if condition:
                bodies = mlp([likelihood.inputs + condition, *size.hidden]), mlp([latent_dim + condition, *size.hidden[::-1]])
                model = with_bodies(model, *bodies, condition=condition)
    return initialised(model, generator)


def large(shape: tuple[int, int, int] | None) -> tuple[int, int, int] | None:
    """Return the shape of images that are convolved; None for other rows."""
    return shape if shape is not None and shape[-1] >= LARGE else None
