"""Adam on all parameters of a model as one vector."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.optim.adam import adam

BETAS, EPSILON = (0.9, 0.999), 1e-8  # Adam's usual values
MAX_GRADIENT = 5.0


class Descent:
    """Adam with clipped gradients; the parameters become views of one vector.

    A small network spends more time on its dozen tensors than on their numbers: gradients are clipped, held to an anchor,
    shared among processes and followed as one vector.

    Args:
        model: its parameters are trained in place; those that a loss does not reach keep still.
        rate: the learning rate.
        names: all its parameters, in the order of the vector; the model's own order if None.
    Source: Kingma and Ba 2015, arXiv:1412.6980.
    """

    def __init__(self, model: torch.nn.Module, rate: float, names: Sequence[str] | None = None) -> None:
        named = dict(model.named_parameters())
        self.names = list(named if names is None else names)
        self.parameters = [named[name] for name in self.names]
        self.values = self.flat(named).detach()
        for one, part in zip(self.parameters, torch.split(self.values, [one.numel() for one in self.parameters]), strict=True):
            one.data = part.view_as(one)
        self.base, on_gpu = rate, self.values.is_cuda
        self._rate = self.values.new_tensor(rate) if on_gpu else rate  # a recorded step reads it anew
        self._mean, self._square = torch.zeros_like(self.values), torch.zeros_like(self.values)
        self._count = torch.zeros((), device=self.values.device)

    def gradient(self, loss: Tensor) -> Tensor:
        """Return the gradient of ``loss``, a scalar, ``(P,)``."""
        found = torch.autograd.grad(loss, self.parameters, allow_unused=True, materialize_grads=True)
        return torch.cat([one.flatten() for one in found])

    def step(self, gradient: Tensor) -> None:
        """Take a step against ``gradient (P,)``, no longer than `MAX_GRADIENT`; it is changed."""
        gradient *= (MAX_GRADIENT / (gradient.norm() + 1e-6)).clamp(max=1.0)
        adam(
            [self.values],
            [gradient],
            [self._mean],
            [self._square],
            [],
            [self._count],
            fused=True,
            capturable=self.values.is_cuda,
            amsgrad=False,
            beta1=BETAS[0],
            beta2=BETAS[1],
            lr=self._rate,
            weight_decay=0.0,
            eps=EPSILON,
            maximize=False,
        )

    def anneal(self, share: float) -> None:
        """Set the learning rate for when ``share`` of all steps are done: half a cosine, from its start to 0."""
        rate = self.base * 0.5 * (1 + math.cos(math.pi * share))
        if isinstance(self._rate, Tensor):
            self._rate.fill_(rate)
        else:
            self._rate = rate

    def flat(self, named: Mapping[str, Tensor]) -> Tensor:
        """Return tensors that are shaped as the parameters and named alike as one vector, ``(P,)``."""
        return torch.cat([named[name].flatten() for name in self.names])
