"""Networks of the classifier, the GAN and the image models; one training step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from mgvae.model.network import MGVAE, mlp

Network = TypeVar("Network", bound=nn.Module)


def he_initialised(network: Network, generator: torch.Generator) -> Network:
    """Draw the weights of linear maps and convolutions anew (He et al. 2015)."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                spread = (2.0 / module.weight[0].numel()) ** 0.5
                module.weight.copy_(spread * torch.randn(module.weight.shape, generator=generator))
                if module.bias is not None:
                    module.bias.zero_()
    return network


def layers(widths: list[int], unit: Callable[[], nn.Module] = nn.ReLU) -> nn.Sequential:
    """Return linear maps of these widths with activations between them."""
    return nn.Sequential(*list(mlp(widths, unit))[:-1])


def with_bodies(model: MGVAE, encoder: nn.Module, decoder: nn.Module, *, condition: int = 0) -> MGVAE:
    """Put other networks in the place of the MLPs of ``model`` and return it.

    Args:
        model: not yet initialised.
        encoder: from rows ``(B, P + condition)`` to features ``(B, hidden[-1])``.
        decoder: from codes ``(B, D + condition)`` to what the likelihood takes.
        condition: numbers that the encoder sees after a row, and the decoder after a code: the class of a conditional VAE.
    """
    model.encoder.body, model.decoder.body = encoder, decoder
    model.encoder.inputs += condition
    return model


def descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """Take one step against the gradient of ``loss``, a scalar."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
