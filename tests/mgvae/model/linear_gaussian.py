"""A model whose evidence is known: x = W z + noise, with W's columns orthogonal, so the posterior is diagonal."""

from __future__ import annotations

import math

import torch
from torch import nn

from mgvae.model.network import MGVAE
from mgvae.model.prior import log_gaussian
from mgvae.paper.models.pixel_likelihood import PixelLikelihood

NOISE = 0.7


class Exact(nn.Module):
    """The exact posterior of a standard-normal prior, or one moved away from it."""

    def __init__(self, weight, *, off=0.0):
        super().__init__()
        self.weight, self.off, self.inputs = weight, off, len(weight)

    def forward(self, rows):
        precision = 1 + self.weight.square().sum(0) / NOISE**2
        mean = rows @ self.weight / NOISE**2 / precision + self.off
        return mean, -precision.log().expand_as(mean) + self.off


class Linear(nn.Module):
    """p(x|z) = N(x; W z, NOISE^2 I)."""

    def __init__(self, weight):
        super().__init__()
        self.weight = weight

    def log_prob(self, rows, z):
        mean = z @ self.weight.T
        return log_gaussian(rows, mean, torch.full_like(mean, 2 * math.log(NOISE)))


def linear_gaussian(pixels=5, d=2, *, off=0.0):
    """Return an `MGVAE` in double precision whose parts are linear and Gaussian, and W, ``(P, D)``."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.linalg.qr(torch.randn(pixels, d, generator=generator, dtype=torch.double)).Q * torch.tensor([1.5, 0.6][:d])
    model = MGVAE(PixelLikelihood(pixels, 3), hidden=[3], latent_dim=d).double()
    model.encoder, model.decoder = Exact(weight, off=off), Linear(weight)
    return model, weight


def log_evidence(rows, weight, means, variance):
    """Return log p(x), ``(B,)``: a mixture of N(W mean_k, variance W W' + NOISE^2 I)."""
    cover = variance * weight @ weight.T + NOISE**2 * torch.eye(len(weight), dtype=weight.dtype)
    parts = torch.distributions.MultivariateNormal((means @ weight.T)[None], cover).log_prob(rows[:, None])
    return torch.logsumexp(parts, dim=1) - math.log(len(means))
