"""Translate one to one: each synthetic case has a majority patient as parent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mgvae.arrays import Array
from mgvae.errors import TrainingError
from mgvae.model.encoding import Encoding
from mgvae.model.network import MGVAE


@dataclass(frozen=True)
class RuleRecord:
    """What it took for rows to keep the rules.

    Attributes:
        made: rows that were made.
        redrawn: those that broke a rule at first, and were drawn again.
        calculated: those in which a number was calculated that a rule defines.
        kept: rows of them that were kept.
        borrowed: those of the kept that have the columns of a rule from another synthetic row.
        broken: those of the kept that still break a rule.
    """

    made: int
    redrawn: int
    calculated: int
    kept: int
    borrowed: int
    broken: int

    @property
    def remark(self) -> str:
        """A sentence with all counts."""
        return (
            f"Rules between columns: of {self.made:,} rows made, {self.redrawn:,} broke a rule at first and were drawn again, "
            f"and in {self.calculated:,} a number that a rule defines was calculated. Of the {self.kept:,} kept, "
            f"{self.borrowed:,} have the columns of a rule from another synthetic row, and {self.broken:,} still break one."
        )

    @property
    def warning(self) -> tuple[str, ...]:
        """A sentence without counts, the same for many fits, if redrawing was not enough; else none."""
        if not self.borrowed + self.broken:
            return ()
        return ("Translations kept the rules between columns too seldom: some were repaired from others, or still break one.",)


@dataclass(frozen=True)
class Synthetic:
    """Synthetic cases.

    Attributes:
        features: decoded rows, typed as the training features, ``(n, columns)``.
        parent: position of each row's parent among the majority rows, ``(n,)``; -1 where a plain VAE made the row.
        remarks: what a reader must know of how they were made, in full sentences.
        rules: what it took to keep rules between columns; None without rules.
    """

    features: pd.DataFrame
    parent: Array
    remarks: tuple[str, ...] = ()
    rules: RuleRecord | None = None

    @property
    def all_remarks(self) -> tuple[str, ...]:
        """The remarks, and what it took to keep rules."""
        return self.remarks if self.rules is None else (*self.remarks, self.rules.remark)


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
    return encoding.decode(rows.cpu().numpy().astype(np.float64))
