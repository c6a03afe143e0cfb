"""How strongly EWC holds each rare class's model: as strongly as leaves its translations rare rows.

The more EWC, the more of its parent a translation keeps: first the style, in the end the class, and a majority row with a rare
label is worse than none. Where that happens moves with the data, the class and the few cases drawn. So each class is
fine-tuned with one lambda after the other, from the largest down, and the first is kept whose translations a judge takes for
their class often enough. The judge is a classifier of the real training rows and of translations made without EWC: it has
seen what the class can look like, and nothing that is held out for the test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from mgvae.model import MGVAE
from mgvae.paper.classifier import Fitting, fit, predict
from mgvae.paper.made import Task
from mgvae.paper.rows import Rows, joined
from mgvae.paper.translated import Plan, Start, class_model, class_models, translations
from mgvae.seeds import derive

LAMBDAS = (30.0, 10.0, 3.0, 1.0, 0.3)
PLAUSIBLE = 0.9  # share of translations that must be taken for their class
JUDGED = 1000  # translations of each class that are judged


@dataclass(frozen=True)
class Held:
    """A rare class's model and how strongly EWC held it.

    Attributes:
        model: fine-tuned.
        ewc_lambda: the lambda that was kept.
        plausible: share of translations that the judge takes for their class, by lambda tried.
    """

    model: MGVAE
    ewc_lambda: float
    plausible: Mapping[float, float]


def judge_of(task: Task, plan: Plan, start: Start, validation: Rows, fitting: Fitting) -> nn.Module:
    """Return a classifier of the training rows and of translations made without EWC.

    Args:
        task, plan, start: as in `class_model`.
        validation: rows by which the classifier's best step is chosen.
        fitting: of the classifier.
    """
    free = translations(task, plan, class_models(task, plan, start))
    train = joined(task.train, free.rows)
    return fit(train, validation, classes=task.classes, fitting=fitting, seed=derive(task.seed, "plausibility"))


def held_model(task: Task, plan: Plan, start: Start, label: int, judge: nn.Module) -> Held:
    """Return the model that translates into the rare class ``label``, held by the largest plausible lambda.

    Where none of `LAMBDAS` is plausible, the smallest is kept.
    """
    shares: dict[float, float] = {}
    for weight in LAMBDAS:
        model = class_model(task, plan, start, label, ewc_lambda=weight)
        rows = translations(task, plan, {label: model}, count=JUDGED).rows
        shares[weight] = float((predict(judge, rows) == label).double().mean())
        if shares[weight] >= PLAUSIBLE:
            break
    return Held(model, weight, shares)


def held_models(task: Task, plan: Plan, start: Start, validation: Rows, fitting: Fitting) -> dict[int, Held]:
    """Return the models of all rare classes; the arguments are those of `judge_of`."""
    judge = judge_of(task, plan, start, validation, fitting)
    return {label: held_model(task, plan, start, label, judge) for label in task.minority}
