"""p(x|z): one likelihood head per kind of column.

A likelihood owns the last layer of the decoder: it turns the hidden features of a row into a log-density, or into a drawn row.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from mgvae.model.coders import Level
from mgvae.model.encoding import Encoding

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

    def sample(self, hidden: Tensor, generator: torch.Generator) -> Tensor:
        """Return rows drawn from p(x|z), ``(B, P)``."""
        raise NotImplementedError

    def start_at(self, rows: Tensor) -> None:
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
    many_at: Tensor
    many_missing: Tensor
    missing_at: Tensor
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
        for name, places in (("scored", scored), ("binary", binary), ("many", many)):
            self.register_buffer(f"{name}_at", _index([place.start for place in places]), persistent=False)
            missing_at = [-1 if place.missing_at is None else place.missing_at for place in places]
            self.register_buffer(f"{name}_missing", _index(missing_at), persistent=False)
        self.register_buffer(
            "missing_at", _index([place.missing_at for place in missing if place.missing_at is not None]), persistent=False
        )
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
        total = self._scored(hidden, rows)
        if len(self.binary_at):
            target = rows[:, self.binary_at]
            density = -cross_entropy(self.binary(hidden), target, reduction="none")
            total = total + (density * _present(rows, self.binary_missing)).sum(1)
        if len(self.many_at):
            logits = self.level(hidden)
            chosen = (logits * rows[:, self.level_at]).sum(1)
            spread = _log_sum_by_owner(logits, self.level_owner, self.level_block)
            total = total + chosen - (spread * _present(rows, self.many_missing)).sum(1)
        if len(self.missing_at):
            target = rows[:, self.missing_at]
            total = total - cross_entropy(self.missing(hidden), target, reduction="none").sum(1)
        return total

    def _scored(self, hidden: Tensor, rows: Tensor) -> Tensor:
        if not len(self.scored_at):
            return rows.new_zeros(len(rows))
        sigma = self.log_sigma.exp()
        mean = self.mean(hidden)
        lower = (rows[:, self.inputs : self.inputs + self.n_scored] - mean) / sigma
        upper = (rows[:, self.inputs + self.n_scored : self.inputs + 2 * self.n_scored] - mean) / sigma
        atom = upper > lower
        interval = log_normal_interval(lower, torch.where(atom, upper, lower + 1.0))
        point = -0.5 * lower.square() - self.log_sigma - 0.5 * math.log(2 * math.pi)
        density = torch.where(atom, interval, point)
        return (density * _present(rows, self.scored_missing)).sum(1)

    def sample(self, hidden: Tensor, generator: torch.Generator) -> Tensor:
        """See `Likelihood.sample`."""
        out = hidden.new_zeros(len(hidden), self.inputs)
        if len(self.scored_at):
            noise = _normal(len(hidden), len(self.scored_at), generator).to(hidden)
            out[:, self.scored_at] = self.mean(hidden) + self.log_sigma.exp() * noise
        if len(self.binary_at):
            out[:, self.binary_at] = _bernoulli(self.binary(hidden), generator)
        logits, start = self.level(hidden), 0  # of all columns at once: for each by itself, time would grow with their square
        for width in self.widths:
            block = slice(start, start + width)
            uniform = torch.rand(len(hidden), 1, generator=generator).to(hidden)
            share = logits[:, block].softmax(1).cumsum(1)
            pick = (uniform > share).sum(1).clamp(max=width - 1)
            out[torch.arange(len(hidden), device=hidden.device), self.level_at[block][pick]] = 1.0
            start += width
        if len(self.missing_at):
            out[:, self.missing_at] = _bernoulli(self.missing(hidden), generator)
        return out

    def start_at(self, rows: Tensor) -> None:
        """Set the biases, see `Likelihood.start_at`; a level without rows has half a row."""
        with torch.no_grad():
            present = _present(rows, self.binary_missing).sum(0)
            self.binary.bias.copy_(torch.logit((rows[:, self.binary_at].sum(0) + 0.5) / (present + 1)))
            self.missing.bias.copy_(torch.logit((rows[:, self.missing_at].sum(0) + 0.5) / (len(rows) + 1)))
            self.level.bias.copy_(((rows[:, self.level_at].sum(0) + 0.5) / (len(rows) + 1)).log())


def log_normal_interval(lower: Tensor, upper: Tensor) -> Tensor:
    """Return log(Phi(upper) - Phi(lower)) for ``lower < upper``, stable in both tails."""
    flip = lower + upper > 0
    low, high = torch.where(flip, -upper, lower), torch.where(flip, -lower, upper)
    log_high = log_normal_cdf(high)
    gap = (log_normal_cdf(low) - log_high).clamp(max=-1e-6)
    small = gap > -math.log(2)
    log_rest = torch.where(small, torch.log(-torch.expm1(torch.where(small, gap, -1.0))), torch.log1p(-torch.exp(gap)))
    return log_high + log_rest


def log_normal_cdf(x: Tensor) -> Tensor:
    """Return log Phi(x), as `torch.special.log_ndtr`, batched by `vmap`."""
    tail = x < 0
    left = torch.where(tail, x, 0.0)
    right = torch.where(tail, 0.0, x)
    in_tail = torch.log(0.5 * torch.special.erfcx(left * -math.sqrt(0.5))) - 0.5 * left.square()
    return torch.where(tail, in_tail, torch.log1p(-0.5 * torch.erfc(right * math.sqrt(0.5))))


def _log_sum_by_owner(logits: Tensor, owner: Tensor, block: Tensor) -> Tensor:
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
    return torch.where(missing_at >= 0, 1.0 - rows[:, missing_at.clamp(min=0)], 1.0)


def _linear(inputs: int, outputs: int) -> nn.Linear:
    """Return a linear map, without torch's warning about empty weights."""
    if outputs:
        return nn.Linear(inputs, outputs)
    empty = nn.Linear(inputs, 1)
    empty.out_features, empty.weight, empty.bias = 0, nn.Parameter(torch.empty(0, inputs)), nn.Parameter(torch.empty(0))
    return empty


def _index(positions: list[int]) -> Tensor:
    return torch.tensor(positions, dtype=torch.long)


def _normal(rows: int, columns: int, generator: torch.Generator) -> Tensor:
    return torch.randn(rows, columns, generator=generator)


def _bernoulli(logits: Tensor, generator: torch.Generator) -> Tensor:
    return (torch.rand(logits.shape, generator=generator).to(logits) < torch.sigmoid(logits)).to(logits)
