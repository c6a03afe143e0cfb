"""One model per rare class, all from one pre-training on the majority, and the rows that each class is given.

The majority is the largest class; with three classes or more, also every class with at least half as many rows, so that of five
large classes and five rare ones (as in the paper's digits) all five large ones are learned from. A rare class is fine-tuned and
filled up with translations of majority rows. A class of the majority that is to grow is filled up from its own rows, by the
pre-trained model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from torch import Tensor

from mgvae.config.dictionary import Column
from mgvae.config.sections import Training
from mgvae.errors import TableError
from mgvae.generator.resampling import Translator, translator
from mgvae.generator.synthesis import Pretrained, encoded, finetune_cases, new_model, pretrain_majority, synthesise
from mgvae.generator.translation import Synthetic
from mgvae.model.encoding import Array, Encoding, fit_encoding
from mgvae.reproducibility import derive
from mgvae.training.loops import History

LARGE = 0.5  # share of the largest class's rows from which a class, of three or more, is part of the majority
Told = Callable[[str], Callable[[int, int, float], None] | None]  # phase -> what hears of its epochs


@dataclass(frozen=True)
class Classes:
    """Rows by class.

    Attributes:
        label: class of each row, ``(N,)``, numbered from 0.
        group: what early stopping and cross-fitting keep together, ``(N,)``.
        wanted: how many rows each class is to be given.
    """

    label: Array
    group: Array
    wanted: Mapping[int, int]

    @property
    def majority(self) -> tuple[int, ...]:
        """The classes that pre-training learns from, the largest first."""
        count = np.bincount(self.label)
        order = np.argsort(-count, kind="stable")
        large = count[order] >= LARGE * count.max() if len(count) > 2 else order == order[0]
        return tuple(order[large].tolist())

    def rows_of(self, *labels: int) -> Array:
        """Return the positions of these classes' rows."""
        return np.flatnonzero(np.isin(self.label, labels))


@dataclass(frozen=True)
class Grown:
    """What was made.

    Attributes:
        made: rows of each class, their parents as positions in the whole table.
        translators: what can make more rows of each class.
        encoding: of the table.
        pretrained: how pre-training went; None without it.
        finetuned: how fine-tuning went, and its lambda, by class.
    """

    made: Mapping[int, Synthetic]
    translators: Mapping[int, Translator]
    encoding: Encoding
    pretrained: History | None
    finetuned: Mapping[int, tuple[History, float]]


def grow(
    features: pd.DataFrame,
    columns: Mapping[str, Column],
    classes: Classes,
    settings: Training,
    *,
    pretraining: bool,
    seed: int,
    told: Told,
) -> Grown:
    """Return the rows that ``classes.wanted`` asks for.

    Args:
        features: typed table, ``(N, P)``.
        columns: its data dictionary.
        classes: who belongs where.
        settings: how to train.
        pretraining: whether rare classes start from a model of the majority; False is an ablation.
        seed: the seed.
        told: what hears of the epochs of each phase.
    Raises:
        TrainingError: training is impossible.
    """
    encoding = fit_encoding(features, columns)
    rows = encoded(encoding, features, settings)
    majority = classes.rows_of(*classes.majority)
    wanted = {one: n for one, n in classes.wanted.items() if n > 0}
    shared = None
    if wanted and (pretraining or any(one in classes.majority for one in wanted)):
        group = classes.group[majority]
        _require_two(group)
        shared = pretrain_majority(encoding, rows[majority], group, settings, seed=seed, on_epoch=told("pretrain"))
    made, translators, finetuned = {}, {}, {}
    for one, n in wanted.items():
        part = _Part(encoding, rows, classes, settings, derive(seed, "class", one))
        if one in classes.majority and shared is not None:
            made[one], translators[one] = part.topped_up(shared, one, n)
        else:
            start = shared if pretraining else None
            made[one], translators[one], finetuned[one] = part.translated(start, one, n, majority, told(f"class {one}"))
    return Grown(made, translators, encoding, None if shared is None else shared.history, finetuned)


@dataclass(frozen=True)
class _Part:
    """What all classes share when one is filled up, and that class's seed."""

    encoding: Encoding
    rows: Tensor
    classes: Classes
    settings: Training
    seed: int

    def topped_up(self, shared: Pretrained, one: int, n: int) -> tuple[Synthetic, Translator]:
        """Return rows of a class of the majority, from its own rows."""
        own = self.classes.rows_of(one)
        plain = self.settings.model_copy(update={"exemplar_weights": "uniform", "plausibility": "none"})
        made = synthesise(self.encoding, shared.model, self.rows[own], self.rows[own], plain, n=n, seed=self.seed)
        return self._placed(made, own), Translator(shared.model, None, None)

    def translated(
        self, shared: Pretrained | None, one: int, n: int, majority: Array, on_epoch: Callable[[int, int, float], None] | None
    ) -> tuple[Synthetic, Translator, tuple[History, float]]:
        """Return rows of a rare class, translated from the majority."""
        own = self.classes.rows_of(one)
        cases, exemplars = self.rows[own], self.rows[majority]
        start = new_model(self.encoding, cases, self.settings, seed=self.seed) if shared is None else shared.model
        anchor = None if shared is None or self.settings.ewc_lambda == 0 else shared.anchor
        group = self.classes.group
        tuned = finetune_cases(start, anchor, cases, exemplars, group[own], self.settings, seed=self.seed, on_epoch=on_epoch)
        codes = np.concatenate([group[majority], group[own]])
        made = synthesise(self.encoding, tuned.model, exemplars, cases, self.settings, n=n, seed=self.seed, group=codes)
        more = translator(self.encoding, tuned.model, exemplars, cases, made, self.settings, seed=derive(self.seed, "more"))
        return self._placed(made, majority), more, (tuned.history, tuned.ewc_lambda)

    @staticmethod
    def _placed(made: Synthetic, rows: Array) -> Synthetic:
        return replace(made, parent=rows[made.parent])


def _require_two(group: Array) -> None:
    """Raise TableError unless part of the majority, whose groups these are, can be held out for early stopping."""
    count = len(np.unique(group))
    if count < 2:
        raise TableError(f"The majority must have rows of at least two groups; got {len(group)} rows of {count} group(s).")
