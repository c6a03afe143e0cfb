"""The classifier that all ways of treating the imbalance are compared by: an MLP of widths d-256-128-C, as published.

Every arm gets the same number of steps, so that an arm with more rows is not trained longer. At each check balanced accuracy
on validation rows is taken, and the best parameters are kept; of several that are equally good, the last.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, normalize

from mgvae.errors import TrainingError
from mgvae.paper.losses import LossName, loss_called
from mgvae.paper.measures import recalls
from mgvae.paper.networks import descend, he_initialised, layers
from mgvae.paper.rows import Rows
from mgvae.seeds import own_stream, torch_generator

HIDDEN = (256, 128)


@dataclass(frozen=True)
class Fitting:
    """How the classifier is trained.

    Attributes:
        steps: of Adam, with a cosine schedule.
        batch_size: rows in a step.
        learning_rate: at the start.
        check_every: steps between looks at the validation rows.
    """

    steps: int = 3000
    batch_size: int = 128
    learning_rate: float = 1e-3
    check_every: int = 100


class Cosines(nn.Linear):
    """A last layer whose outputs are cosines between features and class vectors, as LDAM needs."""

    def forward(self, features: Tensor) -> Tensor:
        """Return cosines, ``(B, C)``."""
        return linear(normalize(features, dim=1), normalize(self.weight, dim=1))


def mlp(inputs: int, classes: int, *, generator: torch.Generator, cosines: bool = False) -> nn.Sequential:
    """Return an MLP of widths ``inputs``-256-128-``classes`` with weights drawn from ``generator`` (He et al. 2015)."""
    with own_stream():
        made = layers([inputs, *HIDDEN, classes])
        if cosines:
            made[-1] = Cosines(HIDDEN[-1], classes, bias=False)
    return he_initialised(made, generator)


def fit(
    train: Rows, validation: Rows, *, classes: int, loss: LossName = "cross_entropy", fitting: Fitting | None = None, seed: int
) -> nn.Sequential:
    """Return a trained classifier.

    Args:
        train: rows to learn from.
        validation: rows by which the best step is chosen.
        classes: C.
        loss: what is minimised; its weights and margins come from the classes' counts in ``train``.
        fitting: how to train.
        seed: of initialisation and batches.
    Raises:
        TrainingError: there are no rows, or the loss is no longer finite.
    """
    how = fitting or Fitting()
    if not len(train) or not len(validation):
        raise TrainingError(f"A classifier needs training and validation rows; got {len(train)} and {len(validation)}.")
    draws = torch_generator(seed, "classifier")
    model = mlp(train.values.shape[1], classes, generator=draws, cosines=loss == "ldam")
    lost = loss_called(loss, train.counts(classes))
    optimizer = torch.optim.Adam(model.parameters(), lr=how.learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=how.steps)
    best, state = -1.0, {}
    for step in range(1, how.steps + 1):
        batch = train.take(torch.randint(len(train), (how.batch_size,), generator=draws))
        value = lost(model(batch.scaled()), batch.labels)
        descend(optimizer, value)
        schedule.step()
        if step % how.check_every == 0 or step == how.steps:
            _require_finite(value)
            score = float(recalls(validation.labels, predict(model, validation), classes).nanmean())
            if score >= best:
                best, state = score, {name: one.detach().clone() for name, one in model.state_dict().items()}
    model.load_state_dict(state)
    return model


def predict(model: nn.Module, rows: Rows, *, chunk: int = 8192) -> Tensor:
    """Return the likeliest class of each row, ``(n,)``."""
    with torch.no_grad():
        parts = torch.split(torch.arange(len(rows)), chunk)
        return torch.cat([model(rows.take(part).scaled()).argmax(1) for part in parts])


def _require_finite(value: Tensor) -> None:
    if not bool(value.detach().isfinite()):
        raise TrainingError("The classifier's loss is no longer finite. Lower its learning rate.")
