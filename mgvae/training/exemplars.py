"""Draw the majority rows that carry the prior, and say which of them a row must do without."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from mgvae.arrays import Array, IntArray
from mgvae.config.sections import Training
from mgvae.model.chosen_rows import AnyRows, ChosenRows
from mgvae.model.exemplar_mixture import Exemplars
from mgvae.model.network import MGVAE
from mgvae.training.exemplar_weights import exemplar_log_weight

# share of rows equal to another up to which equal rows are copies; where there are more, patients are alike by chance
COPIES = 0.1
DIGESTED = 1 << 14  # rows copied at once to be digested
MOST_KIN = 0.5  # share of the exemplars that a row does without: a group of more is no family


class ExemplarSchedule:
    """Weighed majority rows as fine-tuning's prior, fixed until drawn anew.

    Args:
        rows: encoded majority rows, ``(K, W)``.
        settings: how many carry the prior, and how they are weighed.
    """

    def __init__(self, rows: Tensor, settings: Training) -> None:
        self.rows, self.settings = rows, settings

    def draw(self, model: MGVAE, cases: Tensor, draws: torch.Generator) -> Exemplars:
        """Draw exemplars and weigh them for ``cases``, encoded rows ``(n, W)``."""
        carriers, _ = draw_carriers(self.rows, self.settings.exemplars, draws)
        means = model.exemplar_means(ChosenRows(self.rows, carriers))
        return Exemplars(means, self.log_weight(model, means, model.exemplar_means(cases)))

    def renew(self, model: MGVAE, cases: Tensor, draws: torch.Generator, *, steps: int) -> Exemplars:
        """Draw the next epoch's exemplars; the last epoch had ``steps`` steps."""
        return self.draw(model, cases, draws)

    def log_weight(self, model: MGVAE, means: Tensor, case_means: Tensor) -> Tensor | None:
        """Return log weights ``(K,)`` for ``means (K, D)``; None if uniform."""
        return exemplar_log_weight(means, case_means, self.settings)


def draw_carriers(rows: AnyRows, exemplars: int | str, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the prior's rows, ``(K,)``, and each row's place in it or -1, ``(n,)``."""
    n = len(rows)
    if exemplars == "all" or int(exemplars) >= n:
        everyone = torch.arange(n, device=rows.device)
        return everyone, everyone
    carriers = torch.randperm(n, generator=draws)[: int(exemplars)]
    position = torch.full((n,), -1)
    position[carriers] = torch.arange(len(carriers))
    return carriers.to(rows.device), position.to(rows.device)


def kin(rows: Tensor, group: Array) -> IntArray:
    """Return a code that rows share which are no independent patients, ``(n,)``.

    They are of one group, or copies: equal in every column, in a table where hardly any rows are.

    Args:
        rows: encoded, ``(n, W)``.
        group: code of each row's group, ``(n,)``.
    """
    n = len(rows)
    _, copy, count = np.unique(_digests(rows), return_inverse=True, return_counts=True)
    if (count[copy] > 1).mean() > COPIES:
        copy = np.arange(n)
    _, family = np.unique(group, return_inverse=True)
    ends = np.concatenate([n + family, n + family.max(initial=0) + 1 + copy])
    graph = csr_array((np.ones(2 * n), (np.tile(np.arange(n), 2), ends)), shape=(4 * n, 4 * n))
    return np.asarray(connected_components(graph, directed=False)[1][:n], dtype=np.int64)


def _digests(rows: Tensor) -> Array:
    """Return a digest of each row, ``(n,)``: two rows share one only if they are equal. A row itself may be wide."""
    parts = (np.ascontiguousarray(part.cpu().numpy() + 0.0) for part in torch.split(rows, DIGESTED))  # -0 is 0
    return np.frombuffer(b"".join(blake2b(row, digest_size=16).digest() for part in parts for row in part), dtype="V16")


class LeftOut:
    """The exemplars that rows do without: themselves and their kin.

    Args:
        codes: of kin, ``(n,)``; None where nobody has any.
        carriers, position: see `draw_carriers`.
    """

    def __init__(self, codes: Tensor | None, carriers: Tensor, position: Tensor) -> None:
        self.position = position
        self._kin = None if codes is None else (codes, *torch.sort(codes[carriers], stable=True))  # the exemplars', and whose

    def __call__(self, at: Tensor) -> Tensor:
        """Return the exemplars left out for rows ``at (B,)``, -1 for none: positions ``(B,)``, or ``(B, M)`` with kin."""
        own = self.position[at]
        if self._kin is None:
            return own
        codes, carried, exemplar = self._kin
        first = torch.searchsorted(carried, codes[at])
        count = torch.searchsorted(carried, codes[at], right=True) - first
        alone = count > MOST_KIN * len(exemplar)
        slot = torch.arange(max(1, int(torch.where(alone, 0, count).max())), device=at.device)
        places = exemplar[(first[:, None] + slot).clamp(max=len(exemplar) - 1)]
        kin = torch.where(slot < count[:, None], places, -1)
        return torch.where(alone[:, None], torch.where(slot == 0, own[:, None], -1), kin)
