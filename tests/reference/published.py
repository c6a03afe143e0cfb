"""The published objective written out plainly: exemplars drawn and re-encoded at each step, distances by broadcasting.

Source: Ai et al. 2023, arXiv:2302.10910, with the leave-one-out mask of Norouzi et al. 2020, arXiv:2004.04795. Nothing is
cached, fused or written in place, and gradients reach every exemplar. Encoder, decoder and likelihood heads are those of
`mgvae.model.network`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from mgvae.model.network import MGVAE


def log_prior(z: Tensor, means: Tensor, log_var: Tensor, own: Tensor) -> Tensor:
    """Return log r(z | X+), ``(B,)``, through a tensor of shape ``(B, K, D)``; ``own`` is bool ``(B, K)``."""
    squared = (z[:, None, :] - means[None, :, :]) ** 2 / torch.exp(log_var)
    log_density = (-0.5 * (squared + log_var + math.log(2 * math.pi))).sum(2)
    log_density = log_density.masked_fill(own, -math.inf)
    return torch.logsumexp(log_density, dim=1) - torch.log((~own).sum(1).to(z.dtype))


def objective(model: MGVAE, rows: Tensor, at: Tensor, carriers: Tensor, noise: Tensor) -> Tensor:
    """Return O(Psi, X+; x), ``(B,)``, of the rows at ``at``; the exemplars at ``carriers`` are encoded with gradient."""
    batch, means = rows[at], model.encoder(rows[carriers])[0]
    z_mean, z_log_var = model.encoder(batch)
    z = z_mean + torch.exp(0.5 * z_log_var) * noise
    log_q = (-0.5 * (math.log(2 * math.pi) + z_log_var + (z - z_mean) ** 2 / torch.exp(z_log_var))).sum(1)
    log_r = log_prior(z, means, model.prior_log_var, at[:, None] == carriers[None, :])
    return model.decoder.log_prob(batch, z) - log_q + log_r


def step(
    model: MGVAE, optimizer: torch.optim.Optimizer, rows: Tensor, at: Tensor, exemplars: int, generator: torch.Generator
) -> None:
    """Make one step on the rows at ``at`` with exemplars drawn for it."""
    carriers = torch.randperm(len(rows), generator=generator)[:exemplars]
    noise = torch.randn(len(at), model.latent_dim, generator=generator)
    optimizer.zero_grad()
    (-objective(model, rows, at, carriers, noise).mean()).backward()
    optimizer.step()


def train(
    model: MGVAE,
    rows: Tensor,
    *,
    exemplars: int,
    batch: int,
    learning_rate: float,
    epochs: int,
    generator: torch.Generator,
    on_epoch: Callable[[], object],
) -> None:
    """Train in place with Adam; ``on_epoch`` is called after each epoch."""
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    for _ in range(epochs):
        for at in torch.randperm(len(rows), generator=generator).split(batch):
            step(model, optimizer, rows, at, exemplars, generator)
        on_epoch()
