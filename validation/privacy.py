"""Measures of copying: exact copies, closeness to parents and training cases.

Passing their gates shows no obvious copying. It does not show anonymity: see Yao et al. 2025, arXiv:2505.01524 ("The DCR
Delusion").
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from mgvae.cohort.embedding import Floats, nearest_other, numbers
from mgvae.reproducibility import numpy_generator
from validation.intervals import Interval, share

MOST_PARENTS = 4000  # pairs judged; the interval is below one percentage point wide then
MOST_QUERIES = 1000  # synthetic rows and reference rows in the comparison of distances
DRAWS = 200
CHUNK = 10_000  # rows compared at a time


@dataclass(frozen=True)
class Copies:
    """Exact copies among synthetic cases.

    Attributes:
        rate: share of synthetic cases that equal, in all features, a training case and no other real patient.
        count: how many.
        shared: synthetic cases that equal a training case whose row other patients have too; they identify nobody.
        reference: share of real cases that equal one other patient, a training case, by coincidence.
        excess: whether the rate is above the reference by more than chance explains.
    """

    rate: Interval
    count: int
    shared: int
    reference: float
    excess: bool


@dataclass(frozen=True)
class ParentCloseness:
    """How near synthetic cases lie to the majority patient they were translated from.

    Attributes:
        share: of synthetic cases nearer to the parent than the parent's nearest other majority patient.
        median_distance: median distance to the parent.
        median_neighbour: median distance from the parent to that nearest patient.
    """

    share: Interval
    median_distance: float
    median_neighbour: float


def exact_copies(
    synthetic: pd.DataFrame, cases: pd.DataFrame, holdout: pd.DataFrame, *, majority: Iterable[pd.DataFrame]
) -> Copies:
    """Count the synthetic cases, and the real cases, that equal a training case.

    Missing equals missing; numbers are compared in single precision, in which the generator works. A row that several patients
    have (a young man, nothing measured) identifies nobody and does not count. The reference counts hold-out and training cases
    alike. Where it is zero, one copy is an excess; else the excess must be significant (Fisher's exact test, one-sided, 2.5 %).

    Args:
        synthetic: synthetic cases.
        cases, holdout: real cases of the training part and held out.
        majority: tables of real majority patients.
    """
    known = Counter(_keys(cases))
    patients = known + Counter(key for frame in (holdout, *majority) for key in _keys(frame) if key in known)
    equal = [key for key in _keys(synthetic) if key in known]
    copies = sum(patients[key] == 1 for key in equal)
    pairs = sum(patients[key] == 2 for key in _keys(holdout)) + sum(n for key, n in known.items() if n == patients[key] == 2)
    real = len(cases) + len(holdout)
    table = [[copies, len(synthetic) - copies], [pairs, real - pairs]]
    excess = copies > 0 and (pairs == 0 or float(stats.fisher_exact(table, alternative="greater").pvalue) < 0.025)
    return Copies(share(copies, len(synthetic)), copies, len(equal) - copies, pairs / real, excess=excess)


def majority_copies(
    synthetic: pd.DataFrame, majority: pd.DataFrame, holdout: pd.DataFrame, *, cases: Iterable[pd.DataFrame]
) -> Copies:
    """Count the synthetic cases that equal a majority training patient.

    As ``exact_copies``; but cases lie where majority patients are rare, and in tables of few columns may meet one of them more
    often than majority patients meet each other. They then meet those held out as well. So where they do, it is an excess only
    if more of the patients met were trained on than their share among all explains (hypergeometric, one-sided, 0.5 %).

    Args:
        synthetic: synthetic cases.
        majority, holdout: majority patients of the training part and held out.
        cases: tables of real cases, none of whom is a majority patient.
    """
    found = exact_copies(synthetic, majority, holdout, majority=cases)
    known = Counter(key for frame in (majority, holdout) for key in _keys(frame))
    trained = set(_keys(majority))
    met = {key for key in _keys(synthetic) if known[key] == 1}
    if not found.excess or met <= trained:
        return found
    chance = float(stats.hypergeom.sf(len(met & trained) - 1, len(majority) + len(holdout), len(majority), len(met)))
    return replace(found, excess=chance < 0.005)


def parent_closeness(synthetic: Floats, parents: Floats, majority: Floats, *, seed: int) -> ParentCloseness | None:
    """Return how often a synthetic case is nearer to its parent than any patient.

    One synthetic case for each parent is judged, of at most ``MOST_PARENTS``. Parents with an exact twin among the majority are
    left out: nothing can be nearer than the twin.

    Args:
        synthetic: embedded rows, ``(S, P)``.
        parents: position of each row's parent in ``majority``, ``(S,)``.
        majority: embedded majority training rows, ``(N, P)``.
        seed: of the subsample.

    Returns:
        The share; None if no parent can be judged.
    """
    if len(majority) < 2 or len(synthetic) == 0:
        return None
    order = numpy_generator(seed, "parents").permutation(len(synthetic))
    own, first = np.unique(parents[order], return_index=True)
    rows = order[first]
    if len(rows) > MOST_PARENTS:
        chosen = np.sort(numpy_generator(seed, "chosen parents").permutation(len(rows))[:MOST_PARENTS])
        own, rows = own[chosen], rows[chosen]
    neighbour = np.linalg.norm(majority[own] - majority[nearest_other(majority, own)], axis=1)
    distance = np.linalg.norm(synthetic[rows] - majority[own], axis=1)
    judged = neighbour > 0
    if not judged.any():
        return None
    near = int((distance[judged] < neighbour[judged]).sum())
    medians = float(np.median(distance[judged])), float(np.median(neighbour[judged]))
    return ParentCloseness(share(near, int(judged.sum())), *medians)


def closer_to_training(synthetic: Floats, cases: Floats, holdout: Floats, *, seed: int) -> Interval | None:
    """Return the share of synthetic cases closer to training than to hold-out cases.

    Ties count half. Both reference sets have the size of the smaller; the larger is subsampled ``DRAWS`` times. Without copying
    the share is 0.5 on average, but with few cases it varies, as all synthetic cases are compared with the same few patients.
    So the interval comes from reference sets halved at random (as for the delete-half jackknife, Shao and Tu 1995), together
    with resampled synthetic rows.

    Args:
        synthetic: embedded rows, ``(S, P)``; at most ``MOST_QUERIES`` are used.
        cases, holdout: embedded real cases of the training part and held out.
        seed: of all draws.

    Returns:
        The share; None with fewer than four cases in either set.
    """
    draw = numpy_generator(seed, "closer to training")
    synthetic, cases, holdout = (rows[draw.permutation(len(rows))[:MOST_QUERIES]] for rows in (synthetic, cases, holdout))
    size = min(len(cases), len(holdout))
    if size < 4 or len(synthetic) == 0:
        return None
    near, far = _distances(synthetic, cases), _distances(synthetic, holdout)
    values, halves = np.empty(DRAWS), np.empty(DRAWS)
    for index in range(DRAWS):
        a, b = draw.permutation(near.shape[1])[:size], draw.permutation(far.shape[1])[:size]
        values[index] = _share_closer(near[:, a], far[:, b]).mean()
        rows = draw.integers(len(synthetic), size=len(synthetic))
        halves[index] = _share_closer(near[:, a[: size // 2]], far[:, b[: size // 2]])[rows].mean()
    value, reach = float(values.mean()), 1.96 * float(halves.std(ddof=1))
    return Interval(value, max(value - reach, 0.0), min(value + reach, 1.0))


def _keys(frame: pd.DataFrame) -> Iterator[bytes]:
    """Yield each row as bytes that are equal where rows are."""
    for start in range(0, len(frame), CHUNK):
        part = frame.iloc[start : start + CHUNK]
        cells = np.stack([numbers(part[name]) for name in part.columns], axis=1).astype(np.float32)
        cells = np.where(np.isnan(cells), np.float32(np.nan), cells + np.float32(0))  # one NaN, no negative zero
        yield from (row.tobytes() for row in cells)


def _distances(queries: Floats, reference: Floats) -> Floats:
    return np.stack([np.linalg.norm(queries - row, axis=1) for row in reference], axis=1)


def _share_closer(near: Floats, far: Floats) -> Floats:
    a, b = near.min(axis=1), far.min(axis=1)
    return np.asarray((a < b) + 0.5 * (a == b))
