"""The objective O(Psi, X+; x): reconstruction less the code's cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from mgvae.model.exemplar_mixture import Exemplars
from mgvae.model.network import MGVAE
from mgvae.model.prior import log_gaussian, log_mixture, plain_log_mixture


class Elbo(NamedTuple):
    """The two parts of the objective per row, in nats, and the code's mean.

    Attributes:
        reconstruction: log p(x|z), ``(B,)``.
        kl: log q(z|x) - log r(z|X+), one-sample estimate, ``(B,)``.
        z_mean: ``(B, D)``.
    """

    reconstruction: Tensor
    kl: Tensor
    z_mean: Tensor

    @property
    def total(self) -> Tensor:
        """The ELBO per row, ``(B,)``."""
        return self.reconstruction - self.kl


def elbo(
    model: MGVAE,
    rows: Tensor,
    means: Tensor | Exemplars | None,
    noise: Tensor,
    *,
    own: Tensor | None = None,
) -> Elbo:
    """Return E_q[log p(x|z)] and KL(q || r) of each row, with one draw of z.

    Args:
        model: the model.
        rows: ``(B, W)``.
        means: exemplar means, ``(K, D)``, that weigh alike, or `Exemplars`; None for the plain VAE's standard-normal prior.
        noise: standard-normal draws, ``(B, D)``.
        own: the exemplar that a row itself is; see `log_mixture`.
    Source: Ai et al. 2023, arXiv:2302.10910, equation of O(Psi, X+; x).
    """
    z_mean, z_log_var = model.posterior(rows)
    z = z_mean + torch.exp(0.5 * z_log_var) * noise
    log_q = log_gaussian(z, z_mean, z_log_var)
    log_r = _standard(z) if means is None else log_mixture(z, means, model.prior_log_var, own=own)
    return Elbo(model.decoder.log_prob(rows, z), log_q - log_r, z_mean)


def elbo_with_own_means(
    model: MGVAE,
    rows: Tensor,
    cache: Exemplars,
    at: Tensor,
    noise: Tensor,
    *,
    own: Tensor | None,
    gathered: Callable[[Tensor], Tensor] | None = None,
) -> Elbo:
    """Return `elbo` of rows some of which are exemplars, with their means' gradient.

    All other means come from ``cache``, where theirs are renewed: a step costs one encoding of the batch and one matrix
    product, whatever K is.

    Args:
        model: the model.
        rows: ``(B, W)``.
        cache: exemplar means, ``(K, D)``; changed in place. With a spare row no number of rows depends on data.
        at: position of each row among the exemplars, ``(B,)``; -1 for none.
        noise: standard-normal draws, ``(B, D)``.
        own: the exemplars that a row does without; see `log_mixture`.
        gathered: gives, for the rows' code means, those of all rows of a shared step, to which ``at`` then belongs.
    """
    z_mean, z_log_var = model.posterior(rows)
    z = z_mean + torch.exp(0.5 * z_log_var) * noise
    means = z_mean if gathered is None else gathered(z_mean)
    if cache.spare:
        fresh = torch.where(at < 0, len(cache), at), means
    else:
        inside = at >= 0
        fresh = at[inside], means[inside]
    log_r = log_mixture(z, cache, model.prior_log_var, own=own, fresh=fresh)
    return Elbo(model.decoder.log_prob(rows, z), log_gaussian(z, z_mean, z_log_var) - log_r, z_mean)


def row_elbo(model: MGVAE, row: Tensor, means: Tensor, noise: Tensor, own: Tensor) -> Tensor:
    """Return the mean ELBO of a row's codes, a scalar, for `torch.func.vmap`.

    Args:
        model: the model.
        row: ``(W,)``.
        means: exemplar means, ``(K, D)``, held fixed.
        noise: of each code, ``(R, D)``.
        own: bool ``(K,)``; no true entry where the row is no exemplar.
    """
    z_mean, z_log_var = model.posterior(row[None])
    z = z_mean + torch.exp(0.5 * z_log_var) * noise
    log_r = plain_log_mixture(z, means, model.prior_log_var, own=own.expand(len(z), -1))
    rows = row.expand(len(z), -1)
    return (model.decoder.plain_log_prob(rows, z) - log_gaussian(z, z_mean, z_log_var) + log_r).mean()


def _standard(z: Tensor) -> Tensor:
    zero = torch.zeros_like(z)
    return log_gaussian(z, zero, zero)
