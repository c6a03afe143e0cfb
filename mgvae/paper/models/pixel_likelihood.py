"""Likelihoods of images: independent pixels, Bernoulli or Gaussian."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from mgvae.model.chosen_rows import AnyRows, parts
from mgvae.model.likelihood import Likelihood


class PixelLayer(nn.Module):
    """Layer from decoder features to pixel logits, ``(B, P)``, with one bias a pixel."""

    bias: nn.Parameter


class PixelLikelihood(Likelihood):
    """Independent pixels in [0, 1]: Bernoulli, or Gaussian with one learned spread.

    Args:
        pixels: P.
        hidden: H, width of the decoder features.
        kind: bernoulli or gaussian.
        layer: from decoder features to logits, in the place of one linear map.
    """

    def __init__(self, pixels: int, hidden: int, *, kind: str = "bernoulli", layer: PixelLayer | None = None) -> None:
        super().__init__()
        if kind not in ("bernoulli", "gaussian"):
            raise ValueError(f"kind must be bernoulli or gaussian; got {kind!r}.")
        self.inputs, self.kind = pixels, kind
        self.logit = nn.Linear(hidden, pixels) if layer is None else layer
        self.raw_log_sigma = nn.Parameter(torch.zeros(1))

    def log_prob(self, hidden: Tensor, rows: Tensor) -> Tensor:
        """See `Likelihood.log_prob`."""
        if self.kind == "bernoulli":
            return -cross_entropy(self.logit(hidden), rows, reduction="none").sum(1)
        log_sigma = self._log_sigma()
        scaled = (rows - torch.sigmoid(self.logit(hidden))) / log_sigma.exp()
        return (-0.5 * scaled.square() - log_sigma - 0.5 * math.log(2 * math.pi)).sum(1)

    def sample(self, hidden: Tensor, generator: torch.Generator) -> Tensor:
        """Return the mean image, without pixel noise, as image models do."""
        return torch.sigmoid(self.logit(hidden))

    def start_at(self, rows: AnyRows) -> None:
        """See `Likelihood.start_at`."""
        (whole,) = parts(rows, len(rows))
        with torch.no_grad():
            self.logit.bias.copy_(torch.logit(whole.mean(0).clamp(0.01, 0.99)))

    def _log_sigma(self) -> Tensor:
        low, high = math.log(0.02), math.log(0.5)
        return low + (high - low) * torch.sigmoid(self.raw_log_sigma)
