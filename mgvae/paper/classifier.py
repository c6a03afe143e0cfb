"""The classifier of the paper, an MLP of widths d-256-128-C, and its losses.

Every arm gets the same number of steps, so that an arm with more rows is not trained longer. At each check balanced accuracy
on validation rows is taken, and the best parameters are kept; of several that are equally good, the last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear, normalize, one_hot

from mgvae.classifiers.losses import BETA, GAMMA, MARGIN, SCALE, class_balanced, focal_terms, inverse_frequency, ldam_margins
from mgvae.errors import ConfigError, ShapeError, TrainingError
from mgvae.paper.datasets.rows import Rows
from mgvae.paper.models.networks import descend, he_initialised, layers
from mgvae.torch_runtime import own_stream, torch_generator

HIDDEN = (256, 128)
BATCH, LEARNING_RATE = 128, 1e-3  # rows in a step; the rate falls from there


@dataclass(frozen=True)
class Fitting:
    """How the classifier is trained.

    Attributes:
        steps: of Adam, with a cosine schedule.
        check_every: steps between looks at the validation rows.
    """

    steps: int = 3000
    check_every: int = 100


class Cosines(nn.Linear):
    """Last layer of LDAM: cosines between features and class vectors."""

    def forward(self, features: Tensor) -> Tensor:
        """Return cosines, ``(B, C)``."""
        return linear(normalize(features, dim=1), normalize(self.weight, dim=1))


def mlp(inputs: int, classes: int, *, generator: torch.Generator, cosines: bool = False) -> nn.Sequential:
    """Return an MLP ``inputs``-256-128-``classes``, initialised as in He et al. 2015."""
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
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=how.steps)
    best, state = -1.0, {}
    for step in range(1, how.steps + 1):
        batch = train.take(torch.randint(len(train), (BATCH,), generator=draws))
        value = lost(model(batch.scaled()), batch.labels)
        descend(optimizer, value)
        schedule.step()
        if step % how.check_every == 0 or step == how.steps:
            if not bool(value.detach().isfinite()):
                raise TrainingError("The classifier's loss is no longer finite. Lower its learning rate.")
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


LossName = Literal["cross_entropy", "reweighted", "class_balanced", "focal", "ldam"]
Loss = Callable[[Tensor, Tensor], Tensor]


def loss_called(name: LossName, counts: Sequence[int]) -> Loss:
    """Return a loss, set up for classes with ``counts`` training rows.

    Raises:
        ConfigError: there is no such loss, or a class has no row.
    """
    if name not in get_args(LossName):
        raise ConfigError(f"A loss must be one of {', '.join(get_args(LossName))}; got {name!r}.")
    if min(counts) < 1:
        raise ConfigError(f"Each class must have a training row; got counts {tuple(counts)}.")
    made: dict[str, Loss] = {
        "cross_entropy": lambda logits, labels: cross_entropy(logits, labels),
        "reweighted": weighted(inverse_frequency(counts)),
        "class_balanced": weighted(class_balanced(counts, beta=BETA)),
        "focal": lambda logits, labels: focal(logits, labels, gamma=GAMMA),
        "ldam": lambda logits, labels: ldam(logits, labels, ldam_margins(counts, largest=MARGIN), scale=SCALE),
    }
    return made[name]


def weighted(weight: Tensor) -> Loss:
    """Return the cross-entropy with class weights ``(C,)``, normalised by their sum."""
    return lambda logits, labels: cross_entropy(logits, labels, weight=weight.to(logits))


def focal(logits: Tensor, labels: Tensor, *, gamma: float) -> Tensor:
    """Return the focal loss, the mean of -(1 - p_y)^gamma log p_y.

    Source: Lin et al. 2017, arXiv:1708.02002.
    """
    return focal_terms(logits.log_softmax(1).gather(1, labels[:, None])[:, 0], gamma=gamma).mean()


def ldam(logits: Tensor, labels: Tensor, margins: Tensor, *, scale: float) -> Tensor:
    """Return the LDAM loss: scaled logits, the true class's less its margin.

    Args:
        logits: cosines, ``(B, C)``, of a classifier whose last layer is normalised.
        labels: ``(B,)``.
        margins: of each class, ``(C,)``.
        scale: s.
    Source: Cao et al. 2019, arXiv:1906.07413.
    """
    less = one_hot(labels, logits.shape[1]).to(logits) * margins.to(logits)
    return cross_entropy(scale * (logits - less), labels)


MEASURES = ("balanced_accuracy", "g_mean", "minority_recall", "majority_recall")


def recalls(labels: Tensor, predicted: Tensor, classes: int) -> Tensor:
    """Return the recall of each class, ``(C,)``; NaN for a class without rows.

    Raises:
        ShapeError: labels and predictions disagree in number.
    """
    if labels.shape != predicted.shape:
        raise ShapeError(f"labels and predicted must agree; got {tuple(labels.shape)} and {tuple(predicted.shape)}.")
    right = torch.bincount(labels[labels == predicted], minlength=classes).double()
    return right / torch.bincount(labels, minlength=classes)


def measures(labels: Tensor, predicted: Tensor, *, classes: int, minority: Sequence[int]) -> dict[str, float]:
    """Return the measures of `MEASURES`.

    Balanced accuracy is the mean recall over classes, which the literature on images calls ACSA; the G-mean is their
    geometric mean; the recalls of minority and majority are means over their classes.

    Args:
        labels, predicted: classes, ``(n,)``.
        classes: C.
        minority: the rare classes.
    Raises:
        ShapeError: labels and predictions disagree in number.
    """
    recall = recalls(labels, predicted, classes)
    rare = torch.zeros(classes, dtype=torch.bool)
    rare[list(minority)] = True
    values = recall.mean(), recall.log().mean().exp(), recall[rare].mean(), recall[~rare].mean()
    return dict(zip(MEASURES, (float(value) for value in values), strict=True))
