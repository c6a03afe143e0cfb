"""Treat fitting rows by an arm, which never sees calibration or test rows.

Rows that an arm adds, or weighs more, are no new patients. Left alone they would count as such: a penalty of fixed size would
shrink a weighted or oversampled model 12 to 25 times less than the uncorrected one at a prevalence of 2 %, and arms would be
compared by their penalties. So every arm's weights are scaled until its rows carry as much information as the real ones, see
`information_weight`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd

from mgvae.arrays import FloatArray, IntArray
from mgvae.classifiers.design import information
from mgvae.cohort.rows import Rows, cases_to_add
from mgvae.cohort.rules import NO_RULES, RowRules
from mgvae.config.dictionary import Column
from mgvae.config.sections import Arm, Training
from mgvae.errors import ConfigError
from mgvae.evaluation.arm_kinds import GENERATIVE, SAME_FIT
from mgvae.reproducibility import derive, numpy_generator

Made = tuple[pd.DataFrame, tuple[str, ...]]  # cases, and what a reader must know of how they were made


@dataclass(frozen=True)
class Recipe:
    """What the arms need besides rows.

    Attributes:
        columns: data dictionary entries of the features, by name.
        training: how a generator is trained.
        prevalence: (weighted) share of cases that an arm brings about; it never lowers the share.
        rules: between the features, which generated cases keep; SMOTE and repeated cases are left as they are.
        repair: which generated cases are dropped, see `mgvae.generator.repair`; None for none.
    """

    columns: Mapping[str, Column]
    training: Training
    prevalence: float = 0.5
    rules: RowRules = NO_RULES
    repair: float | None = None


@dataclass(frozen=True)
class Treated:
    """What a classifier is fitted on.

    Attributes:
        features, event: the rows, the real ones first and unchanged.
        weights: row weights, ``(N,)``; None where no arm changed anything and each row counts 1.
        n_real: number of real rows.
        remarks: what a reader must know of how cases were made, in full sentences.
        guided: whether the classifier is averaged with the majority-guided score.
    """

    features: pd.DataFrame
    event: IntArray
    weights: FloatArray | None
    n_real: int
    remarks: tuple[str, ...] = ()
    guided: bool = False

    @property
    def share(self) -> float:
        """The (weighted) share of events that the classifier is fitted on."""
        return float(np.average(self.event, weights=self.weights))

    @property
    def uneven(self) -> bool:
        """Whether weights differ between rows, so that a classifier must know of them."""
        return self.weights is not None and bool(np.ptp(self.weights) > 0)


def treat(arm: Arm, rows: Rows, recipe: Recipe, *, seed: int) -> Treated:
    """Return the fitting rows as ``arm`` treats them.

    Args:
        arm: a name in `mgvae.config.sections.Arm`.
        rows: fitting rows with at least one event and one non-event.
        recipe: dictionary, generator settings, share of cases.
        seed: the arm's own seed.
    Raises:
        ConfigError: the arm is unknown.
        OutcomeError: one class only, or too few cases for this arm.
        TrainingError: a generator could not be trained.
    """
    rows.require_both_classes(f"Arm '{arm}'")
    if arm in ("none", *SAME_FIT):
        return Treated(rows.features, rows.event, None, len(rows))
    if arm == "guided":
        return Treated(rows.features, rows.event, None, len(rows), guided=True)
    if arm == "class_weight":
        weights = class_weights(rows.event, recipe.prevalence)
        return Treated(rows.features, rows.event, weights * information_weight(rows.event, rows.event, weights), len(rows))
    make = _maker(arm)
    n = cases_to_add(rows.event, recipe.prevalence)
    if n == 0:
        return Treated(rows.features, rows.event, None, len(rows))
    return with_cases(rows, *make(rows, recipe, n, derive(seed, arm)))


def class_weights(event: IntArray, prevalence: float) -> FloatArray:
    """Return weights ``(N,)``, mean 1, that bring the cases to ``prevalence``.

    At 0.5 they are scikit-learn's "balanced" weights. A share that is higher already stays.
    """
    share = float(event.mean())
    target = max(share, prevalence)
    return np.where(event == 1, target / share, (1 - target) / (1 - share))


def information_weight(real: IntArray, event: IntArray, weights: FloatArray | None = None) -> float:
    """Return the weight at which rows carry as much information as the real ones.

    It multiplies ``weights``. A row of weight w carries w s (1 - s), the Fisher information on the log odds at the rows' share
    s of events. Ridge's C, boosting's L2 and every limit on sums of information then mean the same in each arm.

    Args:
        real: outcome of the real fitting rows in {0, 1}, ``(N,)``.
        event: outcome of the rows that a classifier is fitted on, ``(M,)``.
        weights: theirs, ``(M,)``; None for 1 each.
    """
    return information(real) / information(event, weights)


def with_cases(rows: Rows, cases: pd.DataFrame, remarks: tuple[str, ...]) -> Treated:
    """Return fitting rows with cases below them, in the dtypes of the rows, all of one weight."""
    features = pd.concat([rows.features, cases[list(rows.features.columns)]], ignore_index=True)
    changed = rows.features.dtypes[features.dtypes != rows.features.dtypes].to_dict()
    features = features.astype(changed) if changed else features
    event = np.concatenate([rows.event, np.ones(len(cases), dtype=np.int64)])
    weights = np.full(len(event), information_weight(rows.event, event))
    return Treated(features, event, weights, len(rows), remarks)


def _maker(arm: Arm) -> Callable[[Rows, Recipe, int, int], Made]:
    if arm == "random_oversampling":
        return _repeated
    if arm == "smote":
        return _interpolated
    if arm in GENERATIVE:
        return lambda rows, recipe, n, seed: _generated(rows, recipe, n, seed, arm)
    raise ConfigError(f"Arm must be one of those listed in mgvae.config.sections.Arm; got '{arm}'.")


def _repeated(rows: Rows, recipe: Recipe, n: int, seed: int) -> Made:
    cases = np.flatnonzero(rows.event == 1)
    drawn = numpy_generator(seed, "draw").choice(cases, size=n, replace=True)
    return rows.features.iloc[drawn], ()


# a worker that needs neither SMOTE nor a generator spares the time of their libraries, which is longer than that of many fits
def _interpolated(rows: Rows, recipe: Recipe, n: int, seed: int) -> Made:
    from mgvae.evaluation.smote import smote_cases

    return smote_cases(rows.features, rows.event, n=n, seed=seed), ()


def _generated(rows: Rows, recipe: Recipe, n: int, seed: int, variant: str) -> Made:
    from mgvae.generator.synthesis import Variant, synthetic_cases

    kind, rules, repair = cast(Variant, variant), recipe.rules, recipe.repair
    made = synthetic_cases(rows, recipe.columns, recipe.training, n=n, seed=seed, variant=kind, rules=rules, repair=repair)
    return made.features, made.remarks
