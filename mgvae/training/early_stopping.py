"""Watch the held-out ELBO: what each epoch recorded, and when to stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from mgvae.model.chosen_rows import AnyRows, parts
from mgvae.model.exemplar_mixture import Exemplars
from mgvae.model.network import MGVAE
from mgvae.model.objective import elbo
from mgvae.torch_runtime import torch_generator

HELDOUT_DRAWS, HELDOUT_CODES = 4, 1024  # codes drawn per held-out row, and in all where rows are many: less is noise
OnEpoch = Callable[[int, int, float], None]  # epoch, most epochs, held-out ELBO


@dataclass(frozen=True)
class Epoch:
    """Mean ELBO in nats per row, training and held out, at the end of an epoch."""

    epoch: int
    train_elbo: float
    heldout_elbo: float | None


@dataclass(frozen=True)
class History:
    """How a training went.

    Attributes:
        epochs: every pass, in order.
        best_epoch: the pass whose parameters were kept; 0 is the start.
        heldout_elbo: mean held-out ELBO at ``best_epoch``, nats per row; None where nothing was held out.
        seconds: wall-clock time.
        remarks: what a reader must know, in full sentences: how far groups could not be kept whole.
    """

    epochs: tuple[Epoch, ...]
    best_epoch: int
    heldout_elbo: float | None
    seconds: float
    remarks: tuple[str, ...] = ()


class BestEpoch:
    """Keep the best parameters seen and count the epochs since."""

    def __init__(self, model: MGVAE, start: float) -> None:
        self.model, self.start = model, start
        self.records: list[Epoch] = []
        self.best: Epoch | None = None
        self.state: dict[str, Tensor] = {}

    def record(self, epoch: Epoch, *, eligible: bool) -> None:
        """Record an epoch; before the KL term has its full weight no epoch is a candidate."""
        self.records.append(epoch)
        score, best = epoch.heldout_elbo, self.best
        if eligible and score is not None and (best is None or best.heldout_elbo is None or score > best.heldout_elbo):
            self.best = epoch
            self.state = {name: value.detach().clone() for name, value in self.model.state_dict().items()}

    @property
    def since_best(self) -> int:
        """Epochs since the best one; 0 while there is none."""
        return 0 if self.best is None else self.records[-1].epoch - self.best.epoch

    def restored(self) -> History:
        """Put the best parameters back and return the history."""
        best = self.best or self.records[-1]
        if self.state:
            self.model.load_state_dict(self.state)
        return History(tuple(self.records), best.epoch, best.heldout_elbo, time.perf_counter() - self.start)


def heldout_elbo(model: MGVAE, rows: AnyRows, means: Tensor | Exemplars | None, *, seed: int) -> float:
    """Return the mean ELBO of rows, nats per row, with the same noise each call."""
    draws = torch_generator(seed, "heldout")
    repeats = min(max(HELDOUT_CODES // max(len(rows), 1), 1), HELDOUT_DRAWS)
    every = rows if repeats == 1 else rows[torch.arange(len(rows), device=rows.device).repeat(repeats)]
    size = min(HELDOUT_CODES, model.at_once)
    with torch.no_grad():
        sums = [elbo(model, part, means, model.noise(len(part), draws)).total.sum() for part in parts(every, size)]
    return float(torch.stack(sums).double().sum()) / len(every)


def is_worsening(records: list[Epoch], patience: int) -> bool:
    """Return whether the last ``patience`` epochs brought no better held-out ELBO."""
    scores = [record.heldout_elbo for record in records if record.heldout_elbo is not None]
    return len(scores) > patience and max(scores[-patience:]) <= max(scores[:-patience])
