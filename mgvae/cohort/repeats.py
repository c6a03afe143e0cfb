"""Columns that name a patient or the like, found by what never changes within one of their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mgvae.arrays import BoolArray, FloatArray, IntArray

FEWEST = 20  # distinct values of a patient's column
CONSTANT = 0.98  # share of pairs of rows that must agree; records hold errors
SHARED = 0.5  # share of pairs from which rows of a key count as having a value in common
AGREEING = 0.9  # share of agreeing pairs by chance from which a column cannot tell
SURE = 1e-6  # probability that so many pairs agree by chance
SEVERAL, MOST_ROWS = (
    0.25,
    30,
)  # share of columns of few levels that never change, and rows of a patient, where no trait is known
RUNS = 3  # times its levels; a column cut into bands changes as often as it has levels along the values


@dataclass(frozen=True)
class Repeats:
    """A column whose values stand for patients that have several rows.

    Attributes:
        name: its name.
        patients: distinct values.
        rows: rows that have one.
        fixed: columns that never change within a value.
    """

    name: str
    patients: int
    rows: int
    fixed: tuple[str, ...]


def repeated_patients(
    candidates: Mapping[str, IntArray], traits: Mapping[str, IntArray], *, least: int = 1
) -> tuple[Repeats, ...]:
    """Return the candidates within which the traits never change, the fewest patients first.

    Args:
        candidates: name -> number of each row's value, ``(n,)``, in the order of the values; -1 for missing.
        traits: the same for columns that never change in a patient, such as sex.
        least: how many traits must be able to tell and never change; more where they are any columns of few levels.
    """
    found = []
    for name, codes in candidates.items():
        used = np.unique(codes[codes >= 0])
        rows = int((codes >= 0).sum())
        if not FEWEST <= len(used) < rows:
            continue
        judged = {trait: constant_within(codes, cells) for trait, cells in traits.items() if trait != name}
        telling = {trait: same for trait, same in judged.items() if same is not None}
        fixed = tuple(trait for trait, same in telling.items() if same)
        if _sure(len(fixed), len(telling), least, rows / len(used)):
            found.append(Repeats(name, len(used), rows, fixed))
    return tuple(sorted(found, key=lambda one: one.patients))


def _sure(fixed: int, telling: int, least: int, rows_each: float) -> bool:
    """Return whether enough columns never change: all of the traits, or several of any columns."""
    if least == 1:
        return 0 < fixed == telling
    return fixed >= least and fixed >= SEVERAL * telling and rows_each <= MOST_ROWS


def constant_within(key: IntArray, cells: IntArray) -> bool | None:
    """Return whether a column never changes within the values of a key.

    Neighbouring rows of one value are compared. None where that cannot tell: too few pairs, nearly one level only, or levels
    that are bands of the key.

    Args:
        key: ``(n,)``; -1 for missing.
        cells: ``(n,)``; -1 for missing.
    """
    known = (key >= 0) & (cells >= 0)
    order = np.argsort(key[known], kind="stable")
    keys, values = key[known][order], cells[known][order]
    same_key = keys[1:] == keys[:-1]
    pairs = int(same_key.sum())
    if not pairs:
        return None
    shares = np.bincount(values) / len(values)
    chance = float((shares**2).sum())
    if chance > AGREEING or chance**pairs > SURE or _in_bands(keys, values):
        return None
    agree = float((values[1:] == values[:-1])[same_key].mean())
    return agree >= CONSTANT and 1 - agree <= 0.1 * (1 - chance)


def shared_within(key: IntArray, cells: IntArray) -> bool:
    """Return whether a column mostly stays the same within the values of a key; false where each has one row."""
    known = (key >= 0) & (cells >= 0)
    order = np.argsort(key[known], kind="stable")
    same_key = np.diff(key[known][order]) == 0
    return bool(same_key.any() and (np.diff(cells[known][order]) == 0)[same_key].mean() >= SHARED)


def split_by(key: IntArray, group: IntArray) -> int:
    """Return how many values of a key lie in several groups.

    Args:
        key: ``(n,)``; -1 for missing.
        group: ``(n,)``.
    """
    known = key >= 0
    pairs = np.unique(np.column_stack([key[known], group[known]]), axis=0)
    return int((np.bincount(pairs[:, 0]) > 1).sum()) if len(pairs) else 0


def one_row_each(key: IntArray, event: FloatArray) -> BoolArray:
    """Return one row of each value of a key: its first with the event, else its first; rows without a key all stay.

    Args:
        key: ``(n,)``; -1 for missing.
        event: 1 with the event, 0 or NaN without, ``(n,)``.
    """
    order = np.lexsort((np.arange(len(key)), -np.nan_to_num(event), key))
    first = np.append(True, np.diff(key[order]) != 0)
    chosen = key < 0
    chosen[order[first & (key[order] >= 0)]] = True
    return chosen


def _in_bands(keys: IntArray, values: IntArray) -> bool:
    """Return whether the levels are intervals of the key, such as age groups of an age."""
    first: BoolArray = np.append(True, keys[1:] != keys[:-1])
    along = values[first]
    return bool((along[1:] != along[:-1]).sum() + 1 <= RUNS * len(np.unique(values)))
