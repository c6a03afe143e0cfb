"""Translation at several strengths of EWC, filtered by a judge of the class.

The more EWC, the more of its parent a translation keeps: first the style, in the end the class, and a majority row with a rare
label is worse than none. Where that happens moves with the data, the class, the cases drawn and the parent. So a class has a
model for each lambda, all of them translate, and a judge looks at each translation. The judge is a classifier of the real
training rows and of translations made without EWC: it has seen what the class can look like, and nothing that is held out
for the test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mgvae.generator.translation import draw_parents, translate
from mgvae.model.network import MGVAE
from mgvae.paper.classifier import Fitting, fit, predict
from mgvae.paper.datasets.rows import Rows, joined
from mgvae.paper.oversamplers.fine_tuning import Plan, Start, class_model, log_responsibility
from mgvae.paper.oversamplers.task import Made, Task, stored
from mgvae.reproducibility import derive
from mgvae.torch_runtime import torch_generator

ROUNDS = 20  # of translation before a class whose translations are mostly turned down is filled up without EWC


@dataclass(frozen=True)
class Translator:
    """What translates into one rare class.

    Attributes:
        label: the class.
        models: fine-tuned, by lambda, the smallest first.
        before: the pre-trained model by which translations keep their parents' details; None where they do not.
        judge: turns down what it does not take for the class; None takes everything.
    """

    label: int
    models: Mapping[float, MGVAE]
    before: MGVAE | None = None
    judge: nn.Module | None = None

    def translated(self, model: MGVAE, parents: Tensor, generator: torch.Generator) -> Tensor:
        """Translate each parent by one of the models, ``(n, P)``, without judging."""
        made = translate(model, parents, generator)
        return made if self.before is None else made + details(self.before, parents)

    def taken(self, rows: Tensor) -> Tensor:
        """Return which stored rows the judge takes for the class, bool ``(n,)``."""
        if self.judge is None:
            return torch.ones(len(rows), dtype=torch.bool)
        labels = torch.full((len(rows),), self.label)
        return predict(self.judge, Rows(rows, labels)) == labels

    def one_each(self, parents: Rows, generator: torch.Generator) -> Tensor:
        """Return one accepted translation of each parent at random, ``(n, P)``.

        Where none is, it is that of the first model. All models are given the same noise.
        """
        values, state = parents.scaled(), generator.get_state()
        made = []
        for model in self.models.values():
            generator.set_state(state)
            made.append(stored(self.translated(model, values, generator), parents.values.dtype))
        taken = torch.stack([self.taken(rows) for rows in made])
        taken[0] |= ~taken.any(0)
        chosen = torch.multinomial(taken.T.double(), 1, generator=generator)[:, 0]
        return torch.stack(made)[chosen, torch.arange(len(parents))]


def free(task: Task, plan: Plan, start: Start | None, *, keep_details: bool = True) -> dict[int, Translator]:
    """Return a translator without EWC for each rare class."""
    before = start.model if start is not None and keep_details else None
    return {label: Translator(label, {0.0: class_model(task, plan, start, label)}, before) for label in task.minority}


def anchored(
    task: Task, plan: Plan, start: Start, validation: Rows, fitting: Fitting, *, keep_details: bool = True
) -> dict[int, Translator]:
    """Return a translator for each rare class, at every lambda of the plan and none.

    Args:
        task: whose rare classes they are.
        plan: how they are fine-tuned.
        start: the shared pre-trained model.
        validation: rows by which the judge's best step is chosen.
        fitting: of the judge.
        keep_details: whether translations keep their parents' details, see `mgvae.paper.oversamplers.judged_translation`.
    """
    without = free(task, plan, start, keep_details=keep_details)
    train = joined(task.train, translations(task, without).rows)
    judge = fit(train, validation, classes=task.classes, fitting=fitting, seed=derive(task.seed, "plausibility"))
    translators = {}
    for label, one in without.items():
        models = {weight: class_model(task, plan, start, label, ewc_lambda=weight) for weight in sorted(plan.lambdas)}
        translators[label] = Translator(label, {**one.models, **models}, one.before, judge)
    return translators


def translations(task: Task, translators: Mapping[int, Translator], *, count: int | None = None) -> Made:
    """Translate majority rows into the rare classes, with parents and lambdas.

    All models of a class are tried equally often, and what is taken for the class is kept.

    Args:
        task: whose rare classes they are.
        translators: by rare class.
        count: rows of each class; as many as it lacks to be as large as the largest if None.
    """
    wanted = {label: task.lacking[label] if count is None else count for label in translators}
    return _together([_filled(task, one, wanted[label]) for label, one in translators.items()])


def _filled(task: Task, translator: Translator, count: int) -> Made:
    """Return ``count`` translations into a class.

    What is lacking after `ROUNDS` is made by the first model, and not judged.
    """
    places = task.of_majority
    majority, cases = (task.train.take(at).scaled() for at in (places, task.train.positions(translator.label)))
    draws = torch_generator(derive(task.seed, "class", translator.label), "translate")
    weights = {
        one: log_responsibility(model.exemplar_means(majority), model.exemplar_means(cases), model.prior_log_var)
        for one, model in translator.models.items()
    }

    def tried(ewc_lambda: float, tries: int, *, judged: bool = True) -> Made:
        at = draw_parents(len(majority), tries, draws, log_weight=weights[ewc_lambda])
        values = translator.translated(translator.models[ewc_lambda], majority[at], draws)
        rows = Rows(stored(values, task.train.values.dtype), torch.full((tries,), translator.label))
        made = Made(rows, places[at], torch.full((tries,), ewc_lambda, dtype=torch.double))
        return made.take(torch.nonzero(translator.taken(rows.values))[:, 0]) if judged else made

    parts: list[Made] = []
    short = count
    for _ in range(ROUNDS):
        parts += [tried(ewc_lambda, -(-short // len(weights))) for ewc_lambda in weights]
        short = count - sum(len(part.rows) for part in parts)
        if short <= 0:
            break
    else:
        parts.append(tried(next(iter(weights)), short, judged=False))
    made = _together(parts)
    return made.take(torch.randperm(len(made.rows), generator=draws)[:count])


def _together(parts: Sequence[Made]) -> Made:
    lambdas = [part.ewc_lambda for part in parts if part.ewc_lambda is not None]
    return Made(joined(*(part.rows for part in parts)), torch.cat([part.parents for part in parts]), torch.cat(lambdas))


def details(model: MGVAE, rows: Tensor) -> Tensor:
    """Return rows ``(n, P)`` less the decoder's mean at their codes' means."""
    unused = torch.Generator()  # pixels are decoded to their mean, of which nothing is drawn
    return rows - model.decoded(model.exemplar_means(rows), unused)
