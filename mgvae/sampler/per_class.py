"""One model per rare class, all from one pre-training on the majority.

The majority is the largest class; with three classes or more, also every class with at least half as many rows, so that of five
large classes and five rare ones (as in the paper's digits) all five large ones are learned from. A rare class is fine-tuned and
filled up with translations of majority rows. A class of the majority that is to grow is filled up from its own rows, by the
pre-trained model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from mgvae.arrays import Array
from mgvae.cohort.rules import NO_RULES, RowRules
from mgvae.config.dictionary import Column
from mgvae.config.sections import Training
from mgvae.errors import TableError
from mgvae.generator.resampling import PortableGenerator, portable_generator
from mgvae.generator.synthesis import Pretrained, encoded, new_model, pretrain_majority, synthesise
from mgvae.generator.synthetic import Synthetic
from mgvae.model.encoding import Encoding, fit_encoding
from mgvae.reproducibility import derive
from mgvae.threads import one_thread
from mgvae.torch_runtime import own_stream
from mgvae.training.early_stopping import History, OnEpoch
from mgvae.training.inputs import GeneratorInputs
from mgvae.training.tuning import finetune_cases

LARGE = 0.5  # share of the largest class's rows from which a class, of three or more, is part of the majority
ProgressCallback = Callable[[str], OnEpoch | None]  # phase -> what is called after each of its epochs


@dataclass(frozen=True)
class Classes:
    """Rows by class.

    Attributes:
        label: class of each row, ``(N,)``, numbered from 0.
        group: group code of each row, ``(N,)``; early stopping and cross-fitting divide no group.
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
class Oversampled:
    """The rows made, by class, and how.

    Attributes:
        made: rows of each class, their parents as positions in the whole table.
        translators: by class, the one with most rows made first, what makes further rows; on the CPU.
        encoding: of the table.
        pretrained: the history of pre-training in plain values; None without it.
        finetuned: by class, the history of fine-tuning and its ``ewc_lambda``.
    """

    made: Mapping[int, Synthetic]
    translators: Mapping[int, PortableGenerator]
    encoding: Encoding
    pretrained: dict[str, Any] | None
    finetuned: Mapping[int, dict[str, Any]]

    def classes_and_parents(self) -> tuple[Array, Array]:
        """Return the class and the parent of each row made, ``(n_made,)`` each."""
        at = np.repeat(list(self.made), [len(rows.parent) for rows in self.made.values()])
        parents = np.concatenate([np.empty(0, dtype=np.int64), *(rows.parent for rows in self.made.values())])
        return at.astype(np.int64), parents.astype(np.int64)


def oversample_classes(
    features: pd.DataFrame,
    columns: Mapping[str, Column],
    classes: Classes,
    settings: Training,
    *,
    pretraining: bool,
    seed: int,
    progress: ProgressCallback,
    rules: RowRules = NO_RULES,
) -> Oversampled:
    """Return the rows that ``classes.wanted`` asks for, made on one thread.

    Args:
        features: typed table, ``(N, P)``.
        columns: its data dictionary.
        classes: class and group of each row.
        settings: how to train.
        pretraining: whether rare classes start from a model of the majority; False is an ablation.
        seed: the seed.
        progress: called at the start of each phase.
        rules: between the columns; the rows made keep them.
    Raises:
        TableError: the majority has one group only.
        TrainingError: training is impossible.
    """
    with one_thread(), own_stream():
        encoding = fit_encoding(features, columns)
        rows = encoded(encoding, features, settings)
        majority = classes.rows_of(*classes.majority)
        wanted = {label: n for label, n in classes.wanted.items() if n > 0}
        shared = None
        if wanted and (pretraining or any(label in classes.majority for label in wanted)):
            group = classes.group[majority]
            _require_two_groups(group)
            shared = pretrain_majority(encoding, rows[majority], group, settings, seed=seed, on_epoch=progress("pretrain"))
        made, translators, finetuned = {}, {}, {}
        for label, n in wanted.items():
            task = _ClassTask(encoding, rows, classes, settings, label, derive(seed, "class", label), rules)
            if label in classes.majority and shared is not None:
                made[label], translators[label] = task.resample(shared, n)
            else:
                start = shared if pretraining else None
                made[label], translators[label], finetuned[label] = task.translate(
                    start, n, majority, progress(f"class {label}")
                )
        for translator in translators.values():
            translator.model.cpu()  # further rows are made there, on whichever device training was
    ordered = {label: translators[label] for label in sorted(translators, key=lambda label: -wanted[label])}
    return Oversampled(made, ordered, encoding, None if shared is None else _summary(shared.history), finetuned)


def make_further_rows(
    translator: PortableGenerator, encoding: Encoding, features: pd.DataFrame, n: int, *, seed: int, rules: RowRules = NO_RULES
) -> Synthetic:
    """Return ``n`` rows translated from typed majority rows, on one thread of the CPU."""
    with one_thread():
        return translator.make(encoding, encoded(encoding, features, Training(device="cpu")), n, seed=seed, rules=rules)


@dataclass(frozen=True)
class _ClassTask:
    """The table, and one class of it that is to be filled up."""

    encoding: Encoding
    rows: Tensor
    classes: Classes
    settings: Training
    label: int
    seed: int
    rules: RowRules

    def resample(self, shared: Pretrained, n: int) -> tuple[Synthetic, PortableGenerator]:
        """Return rows of a class of the majority, from its own rows."""
        own = self.classes.rows_of(self.label)
        plain = self.settings.model_copy(update={"exemplar_weights": "uniform", "plausibility": "none"})
        made = synthesise(self._inputs(own, own), shared.model, plain, n=n, seed=self.seed, rules=self.rules)
        return _in_table(made, own), PortableGenerator(shared.model, None, None)

    def translate(
        self, shared: Pretrained | None, n: int, majority: Array, on_epoch: OnEpoch | None
    ) -> tuple[Synthetic, PortableGenerator, dict[str, Any]]:
        """Return rows of a rare class, translated from the majority."""
        own = self.classes.rows_of(self.label)
        inputs = self._inputs(majority, own)
        start = new_model(self.encoding, inputs.cases, self.settings, seed=self.seed) if shared is None else shared.model
        anchor = None if shared is None or self.settings.ewc_lambda == 0 else shared.anchor
        tuned = finetune_cases(start, anchor, inputs, self.settings, seed=self.seed, on_epoch=on_epoch)
        made = synthesise(inputs, tuned.model, self.settings, n=n, seed=self.seed, rules=self.rules)
        more = derive(self.seed, "more")
        further = portable_generator(inputs, tuned.model, made, self.settings, seed=more, rules=self.rules)
        said = (*made.remarks, *((made.rules.sentence,) if made.rules else ()))
        past = {**_summary(tuned.history, *said), "ewc_lambda": tuned.ewc_lambda}
        return _in_table(made, majority), further, past

    def _inputs(self, majority: Array, cases: Array) -> GeneratorInputs:
        group = self.classes.group
        return GeneratorInputs(self.encoding, self.rows[majority], self.rows[cases], group[majority], group[cases])


def _in_table(made: Synthetic, rows: Array) -> Synthetic:
    """Return ``made`` with parents as positions in the table, not in ``rows`` of it."""
    return replace(made, parent=rows[made.parent])


def _summary(history: History, *remarks: str) -> dict[str, Any]:
    epochs = [vars(epoch) for epoch in history.epochs]
    return {**vars(history), "epochs": epochs, "remarks": [*history.remarks, *remarks]}


def _require_two_groups(group: Array) -> None:
    """Raise TableError unless early stopping can hold out some of the groups."""
    count = len(np.unique(group))
    if count < 2:
        raise TableError(f"The majority must have rows of at least two groups; got {len(group)} rows of {count} group(s).")
