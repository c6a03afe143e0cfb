"""The Fisher information of a pre-trained model: mean squared gradients of rows' ELBO."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.func import functional_call

from mgvae.model.ewc import MOST_NUMBERS, MOST_ROWS, fisher_diagonal
from mgvae.model.exemplar_mixture import Exemplars, exemplar_mask
from mgvae.model.network import MGVAE
from mgvae.model.objective import row_elbo
from mgvae.model.written_gradient import WrittenGradient, parameter_order


def written_fisher(model: MGVAE, rows: Tensor, means: Tensor, noise: Tensor, left_out: Tensor) -> dict[str, Tensor]:
    """Return the Fisher diagonal at rows ``(n, W)`` by written gradients.

    Args:
        model: see `mgvae.model.written_gradient.is_written`.
        rows: ``(n, W)``.
        means: exemplar means, ``(K, D)``.
        noise: of each row's codes, ``(n, R, D)``.
        left_out: positions of the exemplars that a row does without, ``(n,)`` or ``(n, M)``, -1 for none.
    """
    named = {name: model.get_parameter(name).detach() for name in parameter_order(model)}
    gradient = WrittenGradient(model, torch.cat([one.flatten() for one in named.values()]))
    prior, chunk = Exemplars(means), min(_chunk(model, noise), max(1, MOST_NUMBERS // len(gradient.vector)))
    for part in zip(*(torch.split(each, chunk) for each in (rows, noise, left_out)), strict=True):
        gradient.add_squares(part[0], prior, part[1], part[2])
    parts = torch.split(gradient.vector / len(rows), [one.numel() for one in named.values()])
    return {name: part.view_as(one) for part, (name, one) in zip(parts, named.items(), strict=True)}


def recorded_fisher(model: MGVAE, rows: Tensor, means: Tensor, noise: Tensor, left_out: Tensor) -> dict[str, Tensor]:
    """Return `written_fisher` of any model, by `torch.func`."""
    parameters = {name: value.detach() for name, value in model.named_parameters()}

    def objective(values: Mapping[str, Tensor], row: Tensor, noise: Tensor, own: Tensor) -> Tensor:
        named = {f"model.{name}": value for name, value in values.items()}
        scalar: Tensor = functional_call(_RowElbo(model), named, (row, means, noise, own))
        return scalar

    own = exemplar_mask(left_out, len(means))
    return fisher_diagonal(objective, parameters, rows, noise, own, chunk=_chunk(model, noise))


def _chunk(model: MGVAE, noise: Tensor) -> int:
    """Return the most rows whose gradients are held at once."""
    return max(1, min(MOST_ROWS, model.at_once) // noise.shape[1])


class _RowElbo(torch.nn.Module):
    """`row_elbo` as a module, which is what `functional_call` takes."""

    def __init__(self, model: MGVAE) -> None:
        super().__init__()
        self.model = model

    def forward(self, row: Tensor, means: Tensor, noise: Tensor, own: Tensor) -> Tensor:
        return row_elbo(self.model, row, means, noise, own)
