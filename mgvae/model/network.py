"""q(z|x), the decoder and the exemplar prior in one module: `MGVAE`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from mgvae.model.chosen_rows import AnyRows, parts
from mgvae.model.likelihood import Likelihood
from mgvae.torch_runtime import to_device

AT_ONCE = 8192  # rows that pass at once where no gradient is kept
LOG_VAR = (-8.0, 2.0)  # bounds of the posterior's log variance: an unbounded one lets few rows collapse to points


class Encoder(nn.Module):
    """q(z|x) = N(z; z_mean, diag(exp(z_log_var))), an MLP for tables and small images.

    Args:
        inputs: P, slots of a row that are read.
        hidden: widths of the hidden layers.
        latent_dim: D.

    Attributes:
        body: network from rows ``(B, P)`` to features ``(B, hidden[-1])``; another one may take the MLP's place.
    """

    def __init__(self, inputs: int, hidden: Sequence[int], latent_dim: int) -> None:
        super().__init__()
        self.inputs = inputs
        self.body: nn.Module = mlp([inputs, *hidden])
        self.mean = nn.Linear(hidden[-1], latent_dim)
        self.log_var = nn.Linear(hidden[-1], latent_dim)
        nn.init.zeros_(self.log_var.weight)
        nn.init.constant_(self.log_var.bias, 0.0)

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``z_mean`` and ``z_log_var``, ``(B, D)``, of rows ``(B, W >= P)``."""
        features = self.body(rows[:, : self.inputs])
        low, high = LOG_VAR
        return self.mean(features), low + (high - low) * torch.sigmoid(self.log_var(features))


class Decoder(nn.Module):
    """p(x|z): an MLP whose last layer is the likelihood.

    Args:
        latent_dim: D.
        hidden: widths of the hidden layers, the encoder's reversed.
        likelihood: head over the last hidden layer.

    Attributes:
        body: network from codes ``(B, D)`` to what the likelihood takes; another one may take the MLP's place.
    """

    def __init__(self, latent_dim: int, hidden: Sequence[int], likelihood: Likelihood) -> None:
        super().__init__()
        self.body: nn.Module = mlp([latent_dim, *hidden])
        self.likelihood = likelihood

    def log_prob(self, rows: Tensor, z: Tensor) -> Tensor:
        """Return log p(x|z) in nats, ``(B,)``, of rows ``(B, W)`` at codes ``(B, D)``."""
        return self.likelihood.log_prob(self.body(z), rows)

    def plain_log_prob(self, rows: Tensor, z: Tensor) -> Tensor:
        """Return `log_prob` with each operation recorded, as `torch.func` needs."""
        return self.likelihood.plain_log_prob(self.body(z), rows)

    def sample(self, z: Tensor, generator: torch.Generator) -> Tensor:
        """Return rows drawn from p(x|z), ``(B, P)``."""
        return self.likelihood.sample(self.body(z), generator)


class MGVAE(nn.Module):
    """Encoder, decoder and the variance of the exemplar prior.

    The mean of exemplar k is the encoder's mean of that majority patient, r(z|x_k+) = N(z; z_mean(x_k+), exp(prior_log_var) I).

    Args:
        likelihood: head that fits the rows.
        hidden: widths of the encoder's hidden layers; the decoder mirrors them.
        latent_dim: D.
        tied: whether q(z|x) has the prior's variance, as in Norouzi et al. 2020, instead of one of its own for each row.

    Attributes:
        at_once: rows that pass at once where no gradient is kept, so that memory does not grow with the rows.
    Source: Ai et al. 2023, arXiv:2302.10910.
    """

    def __init__(
        self,
        likelihood: Likelihood,
        *,
        hidden: Sequence[int],
        latent_dim: int,
        tied: bool = False,
    ) -> None:
        super().__init__()
        self.latent_dim, self.hidden, self.tied = latent_dim, tuple(hidden), tied
        self.at_once = AT_ONCE
        self.encoder = Encoder(likelihood.inputs, hidden, latent_dim)
        self.decoder = Decoder(latent_dim, list(reversed(hidden)), likelihood)
        self.prior_log_var = nn.Parameter(torch.zeros(()))

    def posterior(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of q(z|x), each ``(B, D)``, of rows ``(B, W)``."""
        mean, log_var = self.encoder(rows)
        return mean, self.prior_log_var.expand_as(mean) if self.tied else log_var

    def exemplar_means(self, rows: AnyRows) -> Tensor:
        """Return exemplar means ``(K, D)`` of rows ``(K, W)``, without gradient."""
        with torch.no_grad():
            return torch.cat([self.encoder(part)[0] for part in parts(rows, self.at_once)])

    def decoded(self, z: Tensor, generator: torch.Generator) -> Tensor:
        """Draw a row ``(n, P)`` for each code ``(n, D)``, without gradient."""
        with torch.no_grad():
            parts = [self.decoder.sample(part, generator).T for part in torch.split(z, self.at_once)]
            return torch.cat(parts, dim=1).T if len(parts) > 1 else parts[0].T

    def noise(self, rows: int, generator: torch.Generator) -> Tensor:
        """Return standard-normal draws ``(rows, D)``, from the CPU's stream."""
        return to_device(torch.randn(rows, self.latent_dim, generator=generator), self.prior_log_var.device)

    def n_parameters(self) -> int:
        """Return the number of trained numbers."""
        return sum(parameter.numel() for parameter in self.parameters())


def initialised(model: MGVAE, generator: torch.Generator) -> MGVAE:
    """Draw all weights from ``generator``; torch would use the global stream."""
    with torch.no_grad():
        for module in model.modules():
            if not isinstance(module, nn.Linear | nn.Conv2d) or module is model.encoder.log_var or not module.weight.numel():
                continue
            outputs, inputs = module.weight.shape[:2]
            bound = (6.0 / ((inputs + outputs) * module.weight[0, 0].numel())) ** 0.5  # Glorot and Bengio 2010
            module.weight.copy_(torch.empty(module.weight.shape).uniform_(-bound, bound, generator=generator))
            if module.bias is not None:
                module.bias.zero_()
    return model


def mlp(widths: Sequence[int], unit: Callable[[], nn.Module] = nn.ReLU) -> nn.Sequential:
    """Return linear layers of these widths, each followed by a unit."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), unit()]
    return nn.Sequential(*layers)
