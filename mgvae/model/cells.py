"""log p(x|z) of a table's cells and its gradient in what the heads give, written out."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from mgvae.model.likelihood import LOG_SIGMA, TableLikelihood, log_sum_by_owner
from mgvae.model.scores import HALF_LOG_2PI, log_mass


class CellGradient(NamedTuple):
    """The log density of some rows, and its gradients.

    Attributes:
        log_prob: sum over rows, a scalar, in nats.
        for_heads: in what mean, binary, missing and level give, side by side, ``(B, S + E + L)``.
        for_raw_log_sigma: of each row, ``(B, S)``.
    """

    log_prob: Tensor
    for_heads: Tensor
    for_raw_log_sigma: Tensor


class Cells:
    """The cells of a table, as `TableLikelihood` lays them out."""

    def __init__(self, likelihood: TableLikelihood) -> None:
        self.likelihood = likelihood
        missing = torch.cat([likelihood.scored_missing, likelihood.bernoulli_missing, likelihood.many_missing])
        self._indicator, self._has_one = missing.clamp(min=0), (missing >= 0).to(torch.float32)
        self.widths = [likelihood.n_scored, len(likelihood.bernoulli_at), len(likelihood.level_at)]
        self._kinds = [likelihood.n_scored, len(likelihood.bernoulli_at), len(likelihood.widths)]

    def gradient(self, heads: Tensor, rows: Tensor) -> CellGradient:
        """Return the gradient at ``heads (B, S + E + L)`` of rows ``(B, W)``."""
        indicators = rows.index_select(1, self._indicator).mul_(self._has_one)
        scored, bernoulli, many = (1 - indicators).split_with_sizes(self._kinds, 1)
        mean, logits, level = heads.split_with_sizes(self.widths, 1)
        out = torch.empty_like(heads)
        for_mean, for_logits, for_level = out.split_with_sizes(self.widths, 1)
        total, for_raw = heads.new_zeros(()), for_mean
        if self.widths[0]:
            added, for_raw = self._scored(mean, rows, scored, for_mean)
            total = total + added
        if self.widths[1]:
            value = rows.index_select(1, self.likelihood.bernoulli_at)
            torch.sub(value, torch.sigmoid(logits), out=for_logits).mul_(bernoulli)
            total = total - cross_entropy(logits, value, weight=bernoulli, reduction="sum")
        if self.widths[2]:
            total = total + self._levels(level, rows, many, for_level)
        return CellGradient(total, out, for_raw)

    def _levels(self, level: Tensor, rows: Tensor, present: Tensor, into: Tensor) -> Tensor:
        """Put the gradient in the logits in its place; return the log density."""
        one, owner = self.likelihood, self.likelihood.level_owner
        chosen, spread = rows.index_select(1, one.level_at), log_sum_by_owner(level, owner, one.level_block)
        share = (level - spread.index_select(1, owner)).exp_()
        torch.sub(chosen, share.mul_(present.index_select(1, owner)), out=into)
        return (level * chosen).sum() - (spread * present).sum()

    def _scored(self, mean: Tensor, rows: Tensor, present: Tensor, into: Tensor) -> tuple[Tensor, Tensor]:
        """Put the gradient in the means in its place; return the log density, and its gradient in raw_log_sigma."""
        (least, most), share = LOG_SIGMA, torch.sigmoid(self.likelihood.raw_log_sigma)
        log_sigma = least + (most - least) * share
        precision = torch.exp(-log_sigma)
        lower, upper = rows[:, self.likelihood.inputs :].chunk(2, 1)
        low = (lower - mean).mul_(precision)
        square = low.square()
        density, for_log_sigma = torch.add(log_sigma + HALF_LOG_2PI, square, alpha=0.5).neg_(), square.sub_(1)
        atom = torch.nonzero((upper > lower).view(-1))[:, 0]
        if atom.shape[0]:
            at_low, at_high = low.take(atom), (upper - mean).mul_(precision).take(atom)
            mass, for_at, for_spread = _atoms(at_low, at_high)
            density.put_(atom, mass)
            low.put_(atom, for_at)
            for_log_sigma.put_(atom, for_spread)
        torch.mul(low.mul_(precision), present, out=into)
        for_raw = for_log_sigma.mul_(present).mul_((most - least) * share * (1 - share))
        return (density * present).sum(), for_raw


def _atoms(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return log(Phi(high) - Phi(low)), minus its change as both ends move, and its change as both spread, each ``(M,)``."""
    mass = log_mass(low, high)
    level = mass + HALF_LOG_2PI
    at_low, at_high = (torch.add(level, end.square(), alpha=0.5).neg_().exp_() for end in (low, high))
    return mass, at_low - at_high, low * at_low - high * at_high
