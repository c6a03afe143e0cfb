"""Images translated into each rare class by three arms, from few rows to many.

The majority is pre-trained on once: its rows are the same whatever number of rows the rare classes keep.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

import torch
from torch import Tensor

from mgvae.model.network import MGVAE
from mgvae.paper.datasets.load import Imbalanced
from mgvae.paper.datasets.rows import Rows
from mgvae.paper.experiment import Settings
from mgvae.paper.oversamplers.fine_tuning import Start, pretrained
from mgvae.paper.oversamplers.judged_translation import Translator, anchored, free, translations
from mgvae.paper.oversamplers.task import Made, Task
from mgvae.paper.pictures.fidelity import Faithfulness, Yardstick, faithfulness, yardstick
from mgvae.threads import one_thread
from mgvae.torch_runtime import torch_generator

PicturedArm = Literal["mgvae_no_pretraining", "mgvae_no_ewc", "mgvae"]
PICTURED_ARMS: tuple[PicturedArm, ...] = ("mgvae_no_pretraining", "mgvae_no_ewc", "mgvae")
SIZES, FEW_SIZES = (10, 50, 200), (10, 25, 50)  # rows of a rare class; digits have about 90 in all
REFERENCES = 10  # majority images in a grid, as many of each class
MADE = 1000  # translations into a class that are judged, however many the class lacks


@dataclass(frozen=True)
class Translators:
    """What one arm translates with, and what came of it.

    Attributes:
        task: what it was trained on.
        by_class: by rare class.
        made: rows as generation makes them.
        numbers: by rare class.
    """

    task: Task
    by_class: dict[int, Translator]
    made: Made
    numbers: dict[int, Faithfulness]

    def of(self, label: int) -> tuple[Rows, Rows]:
        """Return the rows made for a class, and the parent of each."""
        at = self.made.rows.positions(label)
        return self.made.rows.take(at), self.task.train.take(self.made.parents[at])

    def mean(self) -> dict[str, float | None]:
        """Return the means of the known numbers over the rare classes."""
        return {
            field.name: _mean([getattr(one, field.name) for one in self.numbers.values()]) for field in fields(Faithfulness)
        }


@dataclass(frozen=True)
class Gallery:
    """All that the pictures show.

    Attributes:
        data: the data set with the rows that its rho leaves to the rare classes.
        model: the pre-trained one.
        cases: rows of a rare class in ``data``; of CelebA, the most that one has.
        references: majority images at random, as many of each class.
        yardstick: what synthetic rows were compared with.
        arms: by rows of a rare class, then by arm.
    """

    data: Imbalanced
    model: MGVAE
    cases: int
    references: Rows
    yardstick: Yardstick
    arms: dict[int, dict[PicturedArm, Translators]]

    @property
    def own(self) -> dict[PicturedArm, Translators]:
        """The arms on ``data`` itself."""
        return self.arms[self.cases]

    def translated(self, arm: Translators, references: Rows, label: int) -> Tensor:
        """Translate references into a class, ``(n, P)``, with equal noise for every arm.

        Each is one of those that generation would keep, at random.
        """
        draws = torch_generator(self.yardstick.seed, "picture", label)
        rows = arm.by_class[label].one_each(references, draws)
        return Rows(rows, torch.full((len(rows),), label)).scaled()


def sizes_of(name: str) -> tuple[int, ...]:
    """Return how many rows the rare classes of a data set keep in the ablation."""
    return FEW_SIZES if name == "digits" else SIZES


def gallery(
    data: Imbalanced,
    data_with: Callable[[int], Imbalanced],
    settings: Settings,
    *,
    seed: int,
    on_start: Callable[[int, int, str], None] | None = None,
) -> Gallery:
    """Train what the pictures show, and measure it.

    Args:
        data: the data set as its rho has it.
        data_with: gives it with another number of rows of each rare class.
        settings: of the models and of the judge.
        seed: of everything.
        on_start: hears of each arm before it is trained: how many are done, how many there are, which.
    Raises:
        ShapeError: the data set is a table.
        TrainingError: a training left the finite numbers.
    """
    with one_thread():
        judged = yardstick(data, settings.fitting, seed=seed)
        cases = max(data.train.counts(len(data.classes))[label] for label in data.minority)
        wanted = sorted({cases, *sizes_of(data.name)})
        jobs = [(size, arm) for size in wanted for arm in PICTURED_ARMS]
        start = pretrained(_task(data, seed), settings.plan)
        arms: dict[int, dict[PicturedArm, Translators]] = {size: {} for size in wanted}
        sets = {size: data if size == cases else data_with(size) for size in wanted}
        for done, (size, arm) in enumerate(jobs):
            if on_start is not None:
                on_start(done, len(jobs), f"{arm}, {size} cases")
            arms[size][arm] = _translators(sets[size], settings, start, arm, judged)
        return Gallery(data, start.model, cases, references(data, seed), judged, arms)


def references(data: Imbalanced, seed: int) -> Rows:
    """Return random majority images, equally many of each class, ordered by class."""
    each = REFERENCES // len(data.majority)
    at = []
    for label in data.majority:
        there = data.train.positions(label)
        at.append(there[torch.randperm(len(there), generator=torch_generator(seed, "references", label))[:each]])
    return data.train.take(torch.cat(at))


def numbers(pictured: Gallery) -> dict[str, Any]:
    """Return every number under the pictures, for JSON."""
    arms = {
        str(size): {
            name: {"mean": arm.mean(), "classes": {str(label): asdict(one) for label, one in arm.numbers.items()}}
            for name, arm in by_arm.items()
        }
        for size, by_arm in pictured.arms.items()
    }
    names = "precision", "recall"
    real = {str(label): dict(zip(names, pair, strict=True)) for label, pair in pictured.yardstick.real.items()}
    return {
        "cases": pictured.cases,
        "judge_recall": pictured.yardstick.judge_recall,
        "real_against_real": real,
        "by_cases": arms,
    }


def _translators(data: Imbalanced, settings: Settings, start: Start, arm: PicturedArm, judged: Yardstick) -> Translators:
    task, plan = _task(data, judged.seed), settings.plan
    if arm == "mgvae":
        found = anchored(task, plan, start, data.validation, settings.fitting)
    else:
        found = free(task, plan, start if arm == "mgvae_no_ewc" else None)
    trained = Translators(task, found, translations(task, found, count=MADE), {})
    return replace(trained, numbers={label: faithfulness(*trained.of(label), label, judged) for label in found})


def _task(data: Imbalanced, seed: int) -> Task:
    return Task(data.train, len(data.classes), data.majority, data.minority, seed, data.shape)


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
