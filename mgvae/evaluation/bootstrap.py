"""The cluster bootstrap: whole groups drawn with replacement, alike for every arm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from mgvae.arrays import FloatArray, IntArray
from mgvae.cohort.follow_up import FollowUp
from mgvae.errors import OutcomeError
from mgvae.evaluation.measures.censoring import censoring_weights
from mgvae.evaluation.measures.weights import unit_weights
from mgvae.reproducibility import derive

CELLS = 2_000_000  # weights in memory at once, few enough for the processor's cache, where rows are few
FEWEST = 32  # resamples at once, of however many rows: what is sorted for each chunk takes longer than a resample
MOST_TRIES = 100


@dataclass(frozen=True)
class Resamples:
    """A plan of resamples over groups, drawn anew at each reading to save memory.

    Attributes:
        group: group number from 0 of each row, ``(N,)``.
        event: outcome in {0, 1}, ``(N,)``.
        follow_up: of the rows and of patients with an unknown outcome, groups numbered as ``group``; None: all are known.
        n: number of resamples.
        seed: the draws depend on it, on the number of groups and on nothing else.
        weight: how many patients each row stands for in every resample, ``(N,)``, where ``follow_up`` is not at hand to
            estimate it anew; None: one each.
    """

    group: IntArray
    event: IntArray
    n: int
    seed: int
    follow_up: FollowUp | None = None
    weight: FloatArray | None = None

    @property
    def whole(self) -> FloatArray:
        """Weights of the rows before any resample, ``(N, 1)``."""
        if self.follow_up is not None:
            return censoring_weights(self.follow_up)
        return unit_weights(len(self.group)) if self.weight is None else self.weight[:, None]

    def chunks(self) -> Iterator[FloatArray]:
        """Yield row weights ``(N, r)``, ``n`` columns in all.

        A draw without both classes is drawn again. Weights against censoring are estimated anew in each.
        """
        size = max(FEWEST, CELLS // max(len(self.group), 1))
        for start in range(0, self.n, size):
            counts = np.stack([self._draw(i)[0] for i in range(start, min(start + size, self.n))], axis=1)
            drawn = counts.astype(np.float64)[self.group]
            if self.follow_up is not None:
                drawn *= censoring_weights(self.follow_up, drawn, counts.astype(np.float64)[self.follow_up.lost_group])
            elif self.weight is not None:
                drawn *= self.weight[:, None]
            yield drawn

    @property
    def redrawn(self) -> int:
        """Number of draws without both classes, which were drawn again."""
        return sum(self._draw(i)[1] for i in range(self.n))

    @cached_property
    def _in_group(self) -> tuple[FloatArray, IntArray]:
        """Number of events and of rows in each group, also in those of patients with an unknown outcome alone."""
        groups = 1 + max(int(self.group.max()), -1 if self.follow_up is None else self.follow_up.lost_group.max(initial=-1))
        events = np.bincount(self.group, weights=self.event, minlength=groups)
        return np.asarray(events, dtype=np.float64), np.bincount(self.group, minlength=groups)

    def _draw(self, index: int) -> tuple[IntArray, int]:
        generator = np.random.default_rng(derive(self.seed, "bootstrap", index))
        events, rows = self._in_group
        groups = len(rows)
        for tries in range(MOST_TRIES):
            counts = np.bincount(generator.integers(groups, size=groups), minlength=groups)
            if 0 < counts @ events < counts @ rows:
                return counts, tries
        raise OutcomeError(
            f"The bootstrap needs groups with and without events; {MOST_TRIES} draws of {groups} groups lacked one class."
        )


def resamples(
    event: IntArray,
    group: IntArray,
    *,
    n: int,
    seed: int,
    follow_up: FollowUp | None = None,
    weight: FloatArray | None = None,
) -> Resamples:
    """Return the plan of ``n`` resamples of the groups of these rows.

    With ``follow_up``, its patients with an unknown outcome are drawn too; its groups are those of the rows. With ``weight``
    alone each row keeps its weight, so that limits do not hold what the estimate of weights adds.
    """
    if follow_up is None:
        _, number = np.unique(group, return_inverse=True)
        return Resamples(group=number.astype(np.int64), event=event, n=n, seed=seed, weight=weight)
    _, number = np.unique(np.concatenate([follow_up.group, follow_up.lost_group]), return_inverse=True)
    own, lost = np.split(number.astype(np.int64), [len(event)])
    return Resamples(group=own, event=event, n=n, seed=seed, follow_up=replace(follow_up, group=own, lost_group=lost))


def interval(values: FloatArray, *, level: float = 0.95) -> tuple[float, float]:
    """Return the percentile interval of bootstrap values ``(R,)``.

    Both limits are NaN where fewer than half of the values are defined.
    """
    defined = values[np.isfinite(values)]
    if len(defined) < max(2, len(values) / 2):
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
