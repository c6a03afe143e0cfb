"""Translate one to one: each synthetic case has a majority patient as parent."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from mgvae.arrays import IntArray
from mgvae.errors import TrainingError
from mgvae.model.encoding import Encoding
from mgvae.model.network import MGVAE


def draw_parents(majority: int, n: int, generator: torch.Generator, *, log_weight: Tensor | None = None) -> Tensor:
    """Return ``n`` positions below ``majority``, in random order.

    Without weights each patient is drawn once before any is drawn again. With weights w_k a patient is drawn n w_k times,
    rounded up or down (systematic sampling), so the draw adds no more chance than it must.

    Raises:
        TrainingError: there is nobody to draw from.
    """
    if majority < 1:
        raise TrainingError("Translation needs at least one majority patient; got none.")
    if log_weight is None:
        rounds = [torch.randperm(majority, generator=generator) for _ in range(-(-n // majority))]
        return torch.cat(rounds)[:n] if rounds else torch.empty(0, dtype=torch.long)
    order = torch.randperm(majority, generator=generator)
    share = log_weight.detach().cpu().double()[order].exp().cumsum(0)
    points = (
        (torch.arange(n, dtype=torch.double) + torch.rand(1, generator=generator, dtype=torch.double)) / max(n, 1) * share[-1]
    )
    drawn = order[torch.searchsorted(share, points).clamp(max=majority - 1)]
    return drawn[torch.randperm(n, generator=generator)]


def translate(model: MGVAE, parents: Tensor, generator: torch.Generator) -> Tensor:
    """Return one row per parent: z ~ r(z|x+), then x ~ p(x|z).

    Args:
        model: the fine-tuned model.
        parents: encoded majority rows, ``(n, W)``.
        generator: CPU stream of all draws.
    Returns:
        Encoded synthetic rows, ``(n, P)``.
    """
    spread = torch.exp(0.5 * model.prior_log_var.detach())
    out = []
    for part in torch.split(parents, model.at_once):
        mean = model.exemplar_means(part)
        noise = torch.randn(mean.shape, generator=generator).to(mean)
        out.append(model.decoded(mean + spread * noise, generator))
    return torch.cat(out)


def sample_prior(model: MGVAE, n: int, generator: torch.Generator) -> Tensor:
    """Return ``n`` rows of a plain VAE, ``(n, P)``: z ~ N(0, I), x ~ p(x|z)."""
    return model.decoded(model.noise(n, generator), generator)


def decode(encoding: Encoding, rows: Tensor) -> pd.DataFrame:
    """Return synthetic rows ``(n, P)`` as a table typed like the training features."""
    return encoding.decode(rows.cpu().numpy())


@dataclass(frozen=True)
class DecodedRows:
    """Encoded rows ``(n, W)`` of which those are decoded that are taken: of many patients few are looked at."""

    encoding: Encoding
    rows: Tensor

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, at: IntArray) -> pd.DataFrame:
        """Return the rows at ``at``, typed like the training features."""
        return decode(self.encoding, self.rows[torch.from_numpy(at).to(self.rows.device)])
