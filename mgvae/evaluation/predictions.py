"""Predictions of an evaluation: who only reads them needs no classifiers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mgvae.arrays import FloatArray, IntArray
from mgvae.config.sections import Arm, Classifier
from mgvae.evaluation.measures.weights import unit_weights
from mgvae.results.evaluation import Variant

Key = tuple[Arm, Classifier, Variant]


@dataclass(frozen=True)
class Predictions:
    """Probabilities of N real rows by models that never saw them or their groups.

    Attributes:
        event: outcome in {0, 1}, ``(N,)``.
        group: group of each row, ``(N,)``.
        fold: the fold in which a row was tested, ``(repeats, N)``.
        prevalence: share of events among the rows that the row's model was fitted on, ``(repeats, N)``.
        probability: by arm, classifier and variant, ``(repeats, N)``.
        unavailable: arm -> why it could not be run on some split; such an arm is not in ``probability``.
        remarks: what a reader must know of some split, in full sentences.
        weight: how many patients each row stands for, see `Rows`, ``(N,)``; None: one each.
    """

    event: IntArray
    group: IntArray
    fold: NDArray[np.int16]
    prevalence: FloatArray
    probability: dict[Key, FloatArray]
    unavailable: dict[Arm, str]
    remarks: tuple[str, ...] = ()
    weight: FloatArray | None = None

    @property
    def weights(self) -> FloatArray:
        """The weight of each row, ``(N, 1)``."""
        return unit_weights(len(self.event)) if self.weight is None else self.weight[:, None]

    @property
    def share(self) -> float:
        """Weighted share of events."""
        return float(np.average(self.event, weights=self.weight))

    @property
    def repeats(self) -> int:
        """How often each row was predicted."""
        return len(self.fold)
