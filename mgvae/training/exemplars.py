"""Draw the majority rows that carry the prior."""

from __future__ import annotations

import torch
from torch import Tensor

from mgvae.config.sections import Training
from mgvae.model.network import MGVAE
from mgvae.model.prior import Exemplars
from mgvae.training.exemplar_weights import exemplar_log_weight


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
        means = model.exemplar_means(self.rows[carriers])
        return Exemplars(means, self.log_weight(model, means, model.exemplar_means(cases)))

    def renew(self, model: MGVAE, cases: Tensor, draws: torch.Generator, *, steps: int) -> Exemplars:
        """Draw the next epoch's exemplars; the last epoch had ``steps`` steps."""
        return self.draw(model, cases, draws)

    def log_weight(self, model: MGVAE, means: Tensor, case_means: Tensor) -> Tensor | None:
        """Return log weights ``(K,)`` for ``means (K, D)``; None if uniform."""
        return exemplar_log_weight(means, case_means, self.settings)


def draw_carriers(rows: Tensor, exemplars: int | str, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the prior's rows, ``(K,)``, and each row's place in it or -1, ``(n,)``."""
    n = len(rows)
    if exemplars == "all" or int(exemplars) >= n:
        everyone = torch.arange(n, device=rows.device)
        return everyone, everyone
    carriers = torch.randperm(n, generator=draws)[: int(exemplars)]
    position = torch.full((n,), -1)
    position[carriers] = torch.arange(len(carriers))
    return carriers.to(rows.device), position.to(rows.device)
