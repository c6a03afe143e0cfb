"""Relations between numbers that no row breaks: orders, sums, equal columns.

A relation is proposed if it would be broken by `LEAST_EXPECTED` rows or more, had the columns nothing to do with one another.
Zero breaks then mean that it is broken at most a tenth as often (the upper 95 % limit of no event in n trials is 3 / n), and of
all relations tried hardly one is due to chance: its probability is below exp(-30).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mgvae.arrays import BoolArray, FloatArray, IntArray
from mgvae.cohort.rules import ROUNDING
from mgvae.reproducibility import numpy_generator

LEAST_EXPECTED = 30.0
LEAST_ROWS = 50  # that decide a relation
SAMPLE = 2000  # rows from which most relations are refuted, and expected breaks estimated
REFUTING, MOST_VERIFIED = 200, 500  # rows that refute most sums; sums that are then tried on all rows, for each total
MOST_PARTS = 60  # candidates for the parts of a sum of three or more
MOST_NUMBERS, MOST_SUMMED = 1000, 200  # columns between which orders, and sums, are looked for


@dataclass(frozen=True)
class Relation:
    """``sum(columns at left) sign column at right``, in so many rows that have all of them."""

    left: tuple[int, ...]
    sign: str
    right: int
    rows: int


def relations(numbers: FloatArray, summed: BoolArray) -> list[Relation]:
    """Return the relations that all rows keep.

    Args:
        numbers: ``(n, columns)``, NaN for missing.
        summed: bool ``(columns,)``: those that may be parts of a sum alone, such as levels that are numbers.
    """
    ordered = [at for at in range(numbers.shape[1]) if not summed[at]][:MOST_NUMBERS]
    orders = list(_orders(numbers, ordered))
    pairs = {(one.left[0], one.right) for one in orders}
    equal = [Relation(one.left, "==", one.right, one.rows) for one in orders if one.left[0] < one.right and _back(one) in pairs]
    alias = {one.right for one in equal}
    single = [one for one in orders if not alias & {one.left[0], one.right}]
    own = np.array([at for at in range(numbers.shape[1]) if at not in alias], dtype=np.int64)
    low = _extreme(numbers, np.fmin)
    sums = list(_sums(numbers, own))
    sums += _long_sums(numbers, [int(at) for at in own if low[at] >= 0], {one.right for one in sums})
    parts = {(part, one.right) for one in sums for part in one.left if (low[list(set(one.left) - {part})] >= 0).all()}
    return [*equal, *(one for one in _reduced(single) if (one.left[0], one.right) not in parts), *sums]


def _back(one: Relation) -> tuple[int, int]:
    return one.right, one.left[0]


def _orders(numbers: FloatArray, columns: list[int]) -> Iterator[Relation]:
    some = numbers[sample_rows(len(numbers), 400)]
    low, high = (_extreme(numbers, of) for of in (np.fmin, np.fmax))
    for left in columns:
        with np.errstate(invalid="ignore"):
            kept = ~(some[:, [left]] > some[:, columns]).any(axis=0) & (high[left] >= low[columns])
        for right in np.array(columns)[kept]:
            relation = None if right == left else _order(numbers[:, left], numbers[:, right], left, int(right))
            if relation is not None:
                yield relation


def _order(x: FloatArray, y: FloatArray, left: int, right: int) -> Relation | None:
    with np.errstate(invalid="ignore"):
        if (x > y).any():
            return None
    both = ~(np.isnan(x) | np.isnan(y))
    rows = int(both.sum())
    if rows < LEAST_ROWS or _breaks_if_shuffled(x[both], y[both], strict=True) < LEAST_EXPECTED:
        return None
    return Relation((left,), "<=", right, rows)


def _breaks_if_shuffled(x: FloatArray, y: FloatArray, *, strict: bool) -> float:
    """Return in how many rows x > y (or, not strict, x != y) is to be expected of columns that are shuffled."""
    some, other = np.sort(x[sample_rows(len(x), SAMPLE)]), np.sort(y[sample_rows(len(y), SAMPLE)])
    below = np.searchsorted(other, some, side="left")
    broken = below if strict else below + len(other) - np.searchsorted(other, some, side="right")
    return float(broken.mean() / len(other) * len(x))


def _reduced(found: list[Relation]) -> list[Relation]:
    """Return orders without those that follow from two others."""
    above: dict[int, set[int]] = {}
    for one in found:
        above.setdefault(one.left[0], set()).add(one.right)
    return [one for one in found if not any(one.right in above.get(between, ()) for between in above[one.left[0]])]


def _sums(numbers: FloatArray, columns: IntArray) -> Iterator[Relation]:
    """Yield sums of two columns that equal a third."""
    present = (~np.isnan(numbers[:, columns])).sum(axis=0)
    columns = np.sort(columns[np.argsort(-present, kind="stable")[:MOST_SUMMED]])
    given = np.nan_to_num(numbers[:, columns] != 0).astype(np.float32) * ~np.isnan(numbers[:, columns])
    together = np.triu(given.T @ given >= LEAST_ROWS, 1)
    first, second = (columns[side] for side in np.nonzero(together))
    order = sample_rows(len(numbers), len(numbers))
    for total in columns:
        apart = (first != total) & (second != total)
        left, right = first[apart], second[apart]
        for row in order[~np.isnan(numbers[order, total])][:REFUTING]:
            kept = ~_differ(numbers[row, left] + numbers[row, right], numbers[row, total])
            left, right = left[kept], right[kept]
            if not len(left):
                break
        for a, b in list(zip(left.tolist(), right.tolist(), strict=True))[:MOST_VERIFIED]:
            relation = _sum(numbers, (a, b), int(total))
            if relation is not None:
                yield relation


def _long_sums(numbers: FloatArray, columns: list[int], done: set[int]) -> Iterator[Relation]:
    """Yield sums of three columns or more, none of them negative, such as a score and its items.

    No part exceeds its total, which leaves few candidates; least squares say which of them have weight 1 and which 0.
    """
    some = numbers[sample_rows(len(numbers), REFUTING)]
    for total in columns:
        with np.errstate(invalid="ignore"):
            below = np.asarray(~(some[:, columns] > some[:, [total]]).any(axis=0))
        parts = [at for at, is_below in zip(columns, below, strict=True) if is_below and at != total]
        if total in done or not 3 <= len(parts) <= MOST_PARTS:
            continue
        complete = numbers[~np.isnan(numbers[:, [*parts, total]]).any(axis=1)][:SAMPLE]
        if len(complete) < max(LEAST_ROWS, 2 * len(parts)):
            continue
        weight, _, rank, _ = np.linalg.lstsq(complete[:, parts], complete[:, total])
        if rank == len(parts) and np.isin(np.round(weight, 6), (0.0, 1.0)).all():
            used = tuple(part for part, one in zip(parts, weight, strict=True) if one > 0.5)
            relation = _sum(numbers, used, total) if len(used) > 2 else None
            if relation is not None:
                yield relation


def _sum(numbers: FloatArray, parts: tuple[int, ...], total: int) -> Relation | None:
    summed, z = numbers[:, list(parts)].sum(axis=1), numbers[:, total]
    known = ~np.isnan(summed + z)
    counting = known & (numbers[:, list(parts)] != 0).all(axis=1)
    if counting.sum() < LEAST_ROWS or _differ(summed, z).any():
        return None
    if _breaks_if_shuffled(summed[known], z[known], strict=False) < LEAST_EXPECTED:
        return None
    return Relation(parts, "==", total, int(known.sum()))


def _differ(left: FloatArray, right: FloatArray) -> BoolArray:
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(left - right) > ROUNDING * np.maximum(np.abs(left), np.abs(right)))


def _extreme(numbers: FloatArray, of: np.ufunc) -> FloatArray:
    return np.asarray(of.reduce(numbers, axis=0))


def sample_rows(rows: int, most: int) -> IntArray:
    """Return at most ``most`` positions in random order; the same for the same number of rows."""
    return numpy_generator(0, "relations").permutation(rows)[:most]
