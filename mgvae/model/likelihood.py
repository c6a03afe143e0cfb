"""p(x|z): one likelihood head per kind of column.

A likelihood owns the last layer of the decoder: it turns the hidden features of a row into a log-density, or into a drawn row.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from mgvae.model.chosen_rows import AnyRows, parts
from mgvae.model.coders import Level
from mgvae.model.encoding import Encoding
from mgvae.model.scores import plain_score_log_density, score_log_density

COUNTED = 1 << 14  # rows that are counted at once
# bounds of the residual spread of a score: no density spike, no more than the marginal
LOG_SIGMA = (math.log(0.1), math.log(1.5))


class Likelihood(nn.Module):
    """Interface of a likelihood head.

    Attributes:
        inputs: P, the slots of a row that the encoder network reads.
    """

    inputs: int

    def log_prob(self, hidden: Tensor, rows: Tensor) -> Tensor:
        """Return log p(x|z) in nats, ``(B,)``, of rows ``(B, W)`` at ``(B, H)``."""
        raise NotImplementedError

    def plain_log_prob(self, hidden: Tensor, rows: Tensor) -> Tensor:
        """Return `log_prob` with each operation recorded, as `torch.func` needs."""
        return self.log_prob(hidden, rows)

    def sample(self, hidden: Tensor, generator: torch.Generator) -> Tensor:
        """Return rows drawn from p(x|z), ``(B, P)``."""
        raise NotImplementedError

    def start_at(self, rows: AnyRows) -> None:
        """Set the biases to the base rates of ``rows``, ``(n, W)``."""
        raise NotImplementedError


class TableLikelihood(Likelihood):
    """Heads of a mixed table: scored, binary, categorical and missing cells.

    A missing value contributes only the probability of being missing. Each group of heads is one linear map, so the cost does
    not grow with the number of kinds.

    Args:
        encoding: the fitted encoding, whose slots the heads follow.
        hidden: H, width of the decoder features.
    """

    scored_at: Tensor
    scored_missing: Tensor
    binary_at: Tensor
    binary_missing: Tensor
    many_missing: Tensor
    missing_at: Tensor
    bernoulli_at: Tensor
    bernoulli_missing: Tensor
    level_at: Tensor
    level_owner: Tensor
    level_block: Tensor

    def __init__(self, encoding: Encoding, hidden: int) -> None:
        super().__init__()
        slots = encoding.slots
        scored = [place for place in slots if place.bound_at is not None]
        binary = [place for place in slots if isinstance(place.coder, Level) and place.coder.binary]
        many = [place for place in slots if isinstance(place.coder, Level) and not place.coder.binary]
        missing = [place for place in slots if place.missing_at is not None]
        self.inputs, self.n_scored = encoding.inputs, encoding.n_scored
        self.register_buffer("scored_at", _index([place.start for place in scored]), persistent=False)
        self.register_buffer("binary_at", _index([place.start for place in binary]), persistent=False)
        for name, places in (("scored", scored), ("binary", binary), ("many", many)):
            missing_at = [-1 if place.missing_at is None else place.missing_at for place in places]
            self.register_buffer(f"{name}_missing", _index(missing_at), persistent=False)
        self.register_buffer(
            "missing_at", _index([place.missing_at for place in missing if place.missing_at is not None]), persistent=False
        )
        self.register_buffer("bernoulli_at", torch.cat([self.binary_at, self.missing_at]), persistent=False)
        always = torch.full_like(self.missing_at, -1)
        self.register_buffer("bernoulli_missing", torch.cat([self.binary_missing, always]), persistent=False)
        widths = [place.coder.width for place in many]
        offsets = [slot for place in many for slot in range(place.start, place.start + place.coder.width)]
        owner = [at for at, width in enumerate(widths) for _ in range(width)]
        self.register_buffer("level_at", _index(offsets), persistent=False)
        self.register_buffer("level_owner", _index(owner), persistent=False)
        self.register_buffer("level_block", _blocks(widths), persistent=False)
        self.widths = widths
        self.mean = _linear(hidden, len(scored))
        self.raw_log_sigma = nn.Parameter(torch.zeros(len(scored)))
        self.binary = _linear(hidden, len(binary))
        self.level = _linear(hidden, len(offsets))
        self.missing = _linear(hidden, len(missing))

    @property
    def log_sigma(self) -> Tensor:
        """Log residual spread of each scored column, within its bounds."""
        low, high = LOG_SIGMA
        return low + (high - low) * torch.sigmoid(self.raw_log_sigma)

    def log_prob(self, hidden: Tensor, rows: Tensor) -> Tensor:
        """See `Likelihood.log_prob`."""
        joint = nn.functional.linear(hidden, *self._joint())
        mean, logits, level = torch.split(joint, [self.n_scored, len(self.bernoulli_at), len(self.level_at)], dim=1)
        return self._log_prob(rows, mean, logits, level, score_log_density)

    def _joint(self) -> tuple[Tensor, Tensor]:
        """Return weight and bias of all heads as one linear map."""
        heads = (self.mean, self.binary, self.missing, self.level)
        return torch.cat([one.weight for one in heads]), torch.cat([one.bias for one in heads])

    def plain_log_prob(self, hidden: Tensor, rows: Tensor) -> Tensor:
        """See `Likelihood.plain_log_prob`."""
        logits = torch.cat([self.binary(hidden), self.missing(hidden)], dim=1)
        return self._log_prob(rows, self.mean(hidden), logits, self.level(hidden), plain_score_log_density)

    def _log_prob(
        self, rows: Tensor, mean: Tensor, logits: Tensor, level: Tensor, log_density: Callable[..., Tensor]
    ) -> Tensor:
        """Return log p(x|z) by what the heads give; binary values and missing cells have one Bernoulli density."""
        total = rows.new_zeros(len(rows))
        if self.n_scored:
            lower, upper = torch.split(rows[:, self.inputs :], self.n_scored, dim=1)
            density = log_density(mean, self.log_sigma, lower, upper)
            total = total + (density * _present(rows, self.scored_missing)).sum(1)
        if len(self.bernoulli_at):
            density = cross_entropy(logits, rows.index_select(1, self.bernoulli_at), reduction="none")
            total = total - (density * _present(rows, self.bernoulli_missing)).sum(1)
        if len(self.level_at):
            chosen = (level * rows.index_select(1, self.level_at)).sum(1)
            spread = log_sum_by_owner(level, self.level_owner, self.level_block)
            total = total + chosen - (spread * _present(rows, self.many_missing)).sum(1)
        return total

    def sample(self, hidden: Tensor, generator: torch.Generator) -> Tensor:
        """See `Likelihood.sample`; a column's cells lie side by side, as they are drawn and decoded."""
        out = hidden.new_zeros(self.inputs, len(hidden))
        weight, bias = self._joint()
        outputs = [self.n_scored, len(self.binary_at), len(self.missing_at), len(self.level_at)]
        mean, binary, missing, level = torch.split(torch.addmm(bias[:, None], weight, hidden.T), outputs)
        if len(self.scored_at):
            noise = _by_column(torch.randn(mean.T.shape, generator=generator)).to(hidden)
            out[self.scored_at] = torch.addcmul(mean, self.log_sigma.exp()[:, None], noise)
        if len(self.binary_at):
            out[self.binary_at] = _bernoulli(binary, generator)
        row = torch.arange(len(hidden), device=hidden.device)
        for logits, at in zip(torch.split(level, self.widths), torch.split(self.level_at, self.widths), strict=True):
            share = hidden.new_ones(len(at), len(at)).tril() @ logits.softmax(0)  # torch's cumsum takes six times as long
            uniform = torch.rand(len(hidden), generator=generator).to(hidden)
            out[at[(uniform > share).sum(0).clamp(max=len(at) - 1)], row] = 1.0
        if len(self.missing_at):
            out[self.missing_at] = _bernoulli(missing, generator)
        return out.T

    def start_at(self, rows: AnyRows) -> None:
        """Set the biases, see `Likelihood.start_at`; a level without rows has half a row."""
        with torch.no_grad():
            counts = [self._counts(part.to(self.level_at.device)) for part in parts(rows, COUNTED)]
            present, binary, missing, level = (torch.stack(each).sum(0).float() for each in zip(*counts, strict=True))
            self.binary.bias.copy_(torch.logit((binary + 0.5) / (present + 1)))
            self.missing.bias.copy_(torch.logit((missing + 0.5) / (len(rows) + 1)))
            self.level.bias.copy_(((level + 0.5) / (len(rows) + 1)).log())

    def _counts(self, rows: Tensor) -> tuple[Tensor, ...]:
        """Return of how many rows binary values are present, then which of the indicators are 1, as doubles."""
        ones = (rows.index_select(1, at) for at in (self.binary_at, self.missing_at, self.level_at))
        return tuple(cells.sum(0, dtype=torch.double) for cells in (_present(rows, self.binary_missing), *ones))


def log_sum_by_owner(logits: Tensor, owner: Tensor, block: Tensor) -> Tensor:
    """Return the log-sum-exp of each owner's logits, ``(B, owners)``."""
    top = logits.detach()[:, block].amax(2)
    total = torch.zeros_like(top).index_add(1, owner, (logits - top[:, owner]).exp())
    return total.log() + top


def _blocks(widths: list[int]) -> Tensor:
    """Return positions of logits, ``(owners, widest)``, padded by the first."""
    widest = max(widths, default=0)
    rows, start = [], 0
    for width in widths:
        rows.append([start + (slot if slot < width else 0) for slot in range(widest)])
        start += width
    return torch.tensor(rows, dtype=torch.long).reshape(len(widths), widest)


def _present(rows: Tensor, missing_at: Tensor) -> Tensor:
    """Return 1 where present, else 0, ``(B, columns)``; -1 is no indicator."""
    return 1.0 - rows.index_select(1, missing_at.clamp(min=0)) * (missing_at >= 0)


def _linear(inputs: int, outputs: int) -> nn.Linear:
    """Return a linear map, without torch's warning about empty weights."""
    if outputs:
        return nn.Linear(inputs, outputs)
    empty = nn.Linear(inputs, 1)
    empty.out_features, empty.weight, empty.bias = 0, nn.Parameter(torch.empty(0, inputs)), nn.Parameter(torch.empty(0))
    return empty


def _index(positions: list[int]) -> Tensor:
    return torch.tensor(positions, dtype=torch.long)


def _bernoulli(logits: Tensor, generator: torch.Generator) -> Tensor:
    uniform = _by_column(torch.rand(logits.T.shape, generator=generator)).to(logits)
    return (uniform < torch.sigmoid(logits)).to(logits)


def _by_column(drawn: Tensor) -> Tensor:
    """Return numbers drawn a row after the other, as saved samplers expect, a column after the other."""
    return drawn.T.contiguous()
