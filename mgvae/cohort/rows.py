"""Rows of a cohort that belong together: predictors, outcome and group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mgvae.arrays import FloatArray, IntArray
from mgvae.errors import OutcomeError, ShapeError

BLOCK = 1 << 16  # rows that are predicted at once


class Labelled:
    """Rows with outcome, group and weight; see `Rows`."""

    event: IntArray
    group: IntArray
    weight: FloatArray | None

    def __len__(self) -> int:
        return len(self.event)

    @property
    def weights(self) -> FloatArray:
        """The weight of each row, ``(N,)``."""
        return np.ones(len(self)) if self.weight is None else self.weight

    @property
    def prevalence(self) -> float:
        """Share of rows with the event, weighted."""
        return self.share(np.arange(len(self)))

    @property
    def labels(self) -> Rows:
        """The same rows without predictors: what splits and measures need."""
        return Rows(pd.DataFrame(index=pd.RangeIndex(len(self))), self.event, self.group, self.weight)

    def share(self, positions: IntArray) -> float:
        """Return the weighted share of events among the rows at ``positions``."""
        return float(np.average(self.event[positions], weights=self.weights[positions]))


@dataclass(frozen=True)
class Rows(Labelled):
    """N rows.

    Attributes:
        features: typed table (see ``CONTRIBUTING.md``), ``(N, P)``.
        event: outcome in {0, 1}, ``(N,)``.
        group: what a split must not separate, ``(N,)``.
        weight: how many patients each row stands for where others have an unknown outcome, ``(N,)``; None: one each.
    Raises:
        ShapeError: they disagree on N.
    """

    features: pd.DataFrame
    event: IntArray
    group: IntArray
    weight: FloatArray | None = None

    def __post_init__(self) -> None:
        if not len(self.features) == len(self.event) == len(self.group):
            raise ShapeError(
                "features, event and group must have one entry per subject; "
                f"got {len(self.features)}, {len(self.event)} and {len(self.group)}."
            )

    def take(self, positions: IntArray | NDArray[np.bool_]) -> Rows:
        """Return the rows at ``positions`` (integers or a mask), renumbered from 0."""
        features = self.features.iloc[positions].reset_index(drop=True)
        weight = None if self.weight is None else self.weight[positions]
        return Rows(features=features, event=self.event[positions], group=self.group[positions], weight=weight)

    def part(self, positions: IntArray) -> Rows:
        """Return the rows at ``positions``, as `take`."""
        return self.take(positions)

    def blocks(self) -> Iterator[pd.DataFrame]:
        """Yield the predictors, some rows at a time; at least one block."""
        if len(self) <= BLOCK:
            yield self.features
            return
        for start in range(0, len(self), BLOCK):
            yield self.features.iloc[start : start + BLOCK]

    def columns(self) -> Iterator[pd.DataFrame]:
        """Yield each predictor as a table of one column."""
        for name in self.features:
            yield self.features[[name]]

    def require_both_classes(self, purpose: str) -> None:
        """Raise unless there is an event and a non-event.

        Raises:
            OutcomeError: one class only.
        """
        events = int(self.event.sum())
        if not 0 < events < len(self):
            raise OutcomeError(
                f"{purpose} needs rows with and without the event; got {events} events in {len(self)} rows. "
                "Use fewer folds, or more data."
            )


def cases_to_add(event: NDArray[Any], prevalence: float) -> int:
    """Return how many more cases bring their share nearest to ``prevalence``.

    Args:
        event: outcome in {0, 1} or bool, ``(N,)``.
        prevalence: the asked share, below 1.

    Returns:
        0 where the share is that high already. The arithmetic is exact.
    """
    cases = int(event.sum())
    others, asked = len(event) - cases, Fraction(prevalence)
    if not others:
        return 0
    below = floor(asked * others / (1 - asked))
    nearest = min((below, below + 1), key=lambda count: abs(Fraction(count, count + others) - asked))
    return max(0, nearest - cases)


def rows(features: pd.DataFrame, event: object, group: object, weight: FloatArray | None = None) -> Rows:
    """Return `Rows` from array-likes; groups may be of any type and are numbered."""
    _, number = np.unique(np.asarray(group), return_inverse=True)
    return Rows(
        features=features.reset_index(drop=True),
        event=np.asarray(event).astype(np.int64),
        group=number.astype(np.int64),
        weight=weight,
    )
