"""Anchor fine-tuning to the pre-trained parameters by their Fisher information."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import functional_call

from mgvae.config.sections import Training
from mgvae.model.ewc import MOST_ROWS, fisher_diagonal, normalised
from mgvae.model.exemplar_mixture import exemplar_mask
from mgvae.model.network import MGVAE
from mgvae.model.objective import row_elbo
from mgvae.torch_runtime import torch_generator
from mgvae.training.exemplars import LeftOut, draw_carriers

FISHER_ROWS = 2000  # majority rows behind the Fisher information: its error falls below the choice of lambda long before
DRAWS = 8  # codes of a row whose gradients are averaged before they are squared: of one code, noise doubles the encoder's share


@dataclass(frozen=True)
class Anchor:
    """Pre-trained parameters psi_+ and their normalised Fisher diagonal, by name."""

    parameters: Mapping[str, Tensor]
    fisher: Mapping[str, Tensor]


def anchor_at(model: MGVAE, rows: Tensor, settings: Training, *, seed: int, kin: Tensor | None = None) -> Anchor:
    """Return the anchor at rows ``(n, W)``; see `pretrain` for kin."""
    draws = torch_generator(seed, "fisher")
    carriers, position = draw_carriers(rows, settings.exemplars, draws)
    at = torch.randperm(len(rows), generator=draws)[:FISHER_ROWS].to(rows.device)
    means = model.exemplar_means(rows[carriers])
    parameters = {name: value.detach().clone() for name, value in model.named_parameters()}

    def objective(values: Mapping[str, Tensor], row: Tensor, noise: Tensor, own: Tensor) -> Tensor:
        named = {f"model.{name}": value for name, value in values.items()}
        scalar: Tensor = functional_call(_RowElbo(model), named, (row, means, noise, own))
        return scalar

    left_out = LeftOut(kin, carriers, position)(at) if settings.leave_one_out else torch.full_like(at, -1)
    own = exemplar_mask(left_out, len(carriers))
    noise = model.noise(DRAWS * len(at), draws).view(len(at), DRAWS, -1)
    chunk = max(1, min(MOST_ROWS, model.at_once) // DRAWS)
    fisher = fisher_diagonal(objective, parameters, rows[at], noise, own, chunk=chunk)
    return Anchor(parameters, normalised(fisher))


class _RowElbo(torch.nn.Module):
    """`row_elbo` as a module, which is what `functional_call` takes."""

    def __init__(self, model: MGVAE) -> None:
        super().__init__()
        self.model = model

    def forward(self, row: Tensor, means: Tensor, noise: Tensor, own: Tensor) -> Tensor:
        return row_elbo(self.model, row, means, noise, own)
