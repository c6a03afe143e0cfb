"""Linear layers and their gradients, computed without a record of operations.

Parameters are views of one vector, and so are the places of their gradients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Places:
    """Where parameters and their gradients lie in two vectors.

    Attributes:
        values, gradients: ``(P,)``.
        at: each parameter's first position and its shape, by name, in the vectors' order.
    """

    values: Tensor
    gradients: Tensor
    at: Mapping[str, tuple[int, torch.Size]]

    def joined(self, names: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return values and gradients of parameters that lie one after another, joined along dimension 0."""
        start, shape = self.at[names[0]]
        length = sum(self.at[name][1][0] for name in names)
        end = start + length * shape[1:].numel()
        return self.values[start:end].view(length, *shape[1:]), self.gradients[start:end].view(length, *shape[1:])


class Linear:
    """A linear map, or several of the same features side by side, as one.

    Args:
        names: of the maps.
        places: of their weights, which lie one after another, and of their biases, which do too.
    """

    def __init__(self, names: Sequence[str], places: Places) -> None:
        self.weight, self._for_weight = places.joined([f"{name}.weight" for name in names])
        self.bias, self._for_bias = places.joined([f"{name}.bias" for name in names])
        self._turned = self.weight.t()

    def forward(self, features: Tensor) -> Tensor:
        """Return what the maps give of ``features (B, H)``, joined along dimension 1."""
        return torch.addmm(self.bias, features, self._turned)

    def backward(self, above: Tensor, features: Tensor, *, to_inputs: bool = True, squares: int = 0) -> Tensor:
        """Put the parameters' gradients in their places.

        Args:
            above: gradient of what `forward` gave.
            features: what it got.
            to_inputs: whether the features' gradient, ``(B, H)``, is returned, and not ``above``.
            squares: 0 for the sum over rows. Else so many rows that follow one another are codes of one patient: the square of
                their sum is added to what is in the places.
        """
        if squares:
            self._add_squares(above, features, squares)
        else:
            torch.mm(above.t(), features, out=self._for_weight)
            torch.sum(above, 0, out=self._for_bias)
        return above @ self.weight if to_inputs else above

    def _add_squares(self, above: Tensor, features: Tensor, codes: int) -> None:
        if codes == 1:  # the square of a product is the product of the squares
            self._for_weight.addmm_(above.square().t(), features.square())
        else:
            each = torch.bmm(by_row(above, codes).mT, by_row(features, codes))
            self._for_weight.add_(each.square_().sum(0))
        self._for_bias.add_(by_row(above, codes).sum(1).square_().sum(0))


def by_row(values: Tensor, codes: int) -> Tensor:
    """Return ``values (n * codes, ...)`` as ``(n, codes, ...)``."""
    return values.reshape(len(values) // codes, codes, *values.shape[1:])


class Perceptron:
    """Linear layers, each followed by max(0, x); takes the place of a network that `is_perceptron`."""

    def __init__(self, name: str, network: nn.Module, places: Places) -> None:
        parts = network.named_children()
        self._layers = [Linear([f"{name}.{part}"], places) for part, unit in parts if isinstance(unit, nn.Linear)]

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """Return ``inputs (B, N)`` and what each layer gives, ``(B, width)``."""
        features = [inputs]
        for layer in self._layers:
            features.append(layer.forward(features[-1]).relu_())
        return features

    def backward(self, above: Tensor, features: Sequence[Tensor], *, to_inputs: bool, squares: int = 0) -> Tensor:
        """Put the parameters' gradients in their places.

        Args:
            above: gradient of the last features.
            features: what `forward` gave.
            to_inputs, squares: see `Linear.backward`.
        """
        for at in reversed(range(len(self._layers))):
            above = torch.ops.aten.threshold_backward(above, features[at + 1], 0)
            above = self._layers[at].backward(above, features[at], to_inputs=at > 0 or to_inputs, squares=squares)
        return above


def is_perceptron(network: nn.Module) -> bool:
    """Return whether a network is linear layers, each followed by a ReLU."""
    parts = list(network.children())
    turns = (isinstance(one, nn.ReLU if at % 2 else nn.Linear) for at, one in enumerate(parts))
    return isinstance(network, nn.Sequential) and len(parts) % 2 == 0 and all(turns)
