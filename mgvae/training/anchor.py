"""Anchor fine-tuning to the pre-trained parameters by their Fisher information."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mgvae.config.sections import Training
from mgvae.model.chosen_rows import AnyRows
from mgvae.model.ewc import normalised
from mgvae.model.network import MGVAE
from mgvae.model.written_gradient import is_written
from mgvae.torch_runtime import torch_generator
from mgvae.training.exemplars import LeftOut, draw_carriers
from mgvae.training.fisher import recorded_fisher, written_fisher

FISHER_ROWS = 2000  # majority rows behind the Fisher information: its error falls below the choice of lambda long before
DRAWS = 8  # codes of a row whose gradients are averaged before they are squared: of one code, noise doubles the encoder's share


@dataclass(frozen=True)
class Anchor:
    """Pre-trained parameters psi_+ and their normalised Fisher diagonal, by name."""

    parameters: Mapping[str, Tensor]
    fisher: Mapping[str, Tensor]


def anchor_at(model: MGVAE, rows: AnyRows, settings: Training, *, seed: int, kin: Tensor | None = None) -> Anchor:
    """Return the anchor at rows ``(n, W)``; see `pretrain` for kin."""
    draws = torch_generator(seed, "fisher")
    carriers, position = draw_carriers(rows, settings.exemplars, draws)
    at = torch.randperm(len(rows), generator=draws)[:FISHER_ROWS].to(rows.device)
    means = model.exemplar_means(rows[carriers])
    parameters = {name: value.detach().clone() for name, value in model.named_parameters()}
    left_out = LeftOut(kin, carriers, position)(at) if settings.leave_one_out else torch.full_like(at, -1)
    noise = model.noise(DRAWS * len(at), draws).view(len(at), DRAWS, -1)
    fisher = written_fisher if is_written(model) else recorded_fisher
    return Anchor(parameters, normalised(fisher(model, rows.index_select(0, at), means, noise, left_out)))
