"""How well one column alone separates the outcome, and what is known for one outcome only.

Levels, and bands of numbers, are ordered by their share of events in the other half of the rows, so that a column of many rare
levels does not separate by chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mgvae.arrays import BoolArray, FloatArray, IntArray

LEAK, LEAST = 0.9, 0.85  # AUROC of one column, and its lower limit
CHANCE = 1e-6  # how improbable it must be that all known cells fall on one outcome
ONLY_ROWS, ONLY_PREVALENCE = 10, 0.3  # so many rows, all with an event that is that rare, are no chance
BANDS = 20
Z = 1.96


@dataclass(frozen=True)
class Separation:
    """One column's AUROC, and the lower limit of its 95 % interval."""

    auroc: float
    low: float

    @property
    def leaks(self) -> bool:
        """Whether it is too good for one column, and not by few events."""
        return self.auroc >= LEAK and self.low > LEAST


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of one column.

    Attributes:
        codes: number of each row's level or value, ``(n,)``; -1 for missing.
        numbers: the values where they have an order, NaN for missing, ``(n,)``; None for levels.
    """

    codes: IntArray
    numbers: FloatArray | None = None

    def take(self, rows: BoolArray) -> Cells:
        """Return the cells of some rows."""
        return Cells(self.codes[rows], None if self.numbers is None else self.numbers[rows])


def suspicion(cells: Cells, happened: BoolArray) -> str | None:
    """Return why a column seems to know the outcome, as a clause; None where it does not.

    Args:
        cells: of the rows whose outcome is known, ``(n,)``.
        happened: whether they have the event, ``(n,)``.
    """
    if not happened.any() or happened.all():
        return None
    only = known_for_one(cells.codes >= 0, happened)
    if only is not None:
        return f"is known only {only} the event"
    best = separation(cells, happened)
    if best.leaks:
        return f"separates the outcome by itself (AUROC {best.auroc:.3f}, at least {best.low:.2f})"
    if (cells.numbers is None or _distinct(cells.codes) <= BANDS) and only_with_event(cells.codes, happened):
        return "has a value that occurs with the event only"
    return None


def separation(cells: Cells, happened: BoolArray) -> Separation:
    """Return one column's AUROC: as ordered, either way, or by its levels or bands.

    Missing cells are put at either end of an order, and are a level of their own.
    """
    found = [_cross_fitted(_bands(cells), happened)]
    if cells.numbers is not None:
        codes = cells.codes + 1  # 0 is missing
        known = _values(codes, cells.numbers)[1:]
        events, others = _counted(codes, happened)
        found += _either_way(np.append(-np.inf, known), events, others)
        if (codes == 0).any():
            found += _either_way(np.append(known, np.inf), np.roll(events, -1), np.roll(others, -1))
    return max(found, key=lambda one: one.auroc)


def ranked(values: FloatArray, happened: BoolArray) -> Separation:
    """Return the AUROC of values without missing, and its lower limit.

    The limit is that of DeLong's standard error after one more event in the middle of the others: without it a column that
    separates three events perfectly would do so with certainty.

    Args:
        values: ``(n,)``, finite or infinite.
        happened: bool ``(n,)``, both values present.
    Source: DeLong et al. 1988, doi 10.2307/2531595.
    """
    distinct, codes = np.unique(values, return_inverse=True)
    return _placed(distinct, *_counted(codes, happened))


def _either_way(values: FloatArray, events: FloatArray, others: FloatArray) -> list[Separation]:
    return [_placed(values, events, others), _placed(-values, events, others)]


def _placed(values: FloatArray, events: FloatArray, others: FloatArray) -> Separation:
    """Return the AUROC of values that ``events`` rows with and ``others`` rows without the event have."""
    distinct, at = _ordered(values)
    with_event, without = (np.bincount(at, weights=rows, minlength=len(distinct)) for rows in (events, others))
    m, n = with_event.sum(), without.sum()
    of_events = (np.cumsum(without) - without / 2) / n
    of_others = (m - np.cumsum(with_event) + with_event / 2) / m
    auroc = float((with_event * of_events).sum() / m)
    middle = (m * auroc + 0.5) / (m + 1)
    spread = ((with_event * (of_events - middle) ** 2).sum() + (0.5 - middle) ** 2) / m
    spread_of_others = (without * (of_others - auroc) ** 2).sum() / max(n - 1, 1)
    return Separation(auroc, float(middle - Z * np.sqrt(spread / (m + 1) + spread_of_others / n)))


def _ordered(values: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return distinct values in ascending order, and where each lies among them; values in order are not sorted again."""
    places = np.arange(len(values))
    if (values[1:] > values[:-1]).all():
        return values, places
    if (values[1:] < values[:-1]).all():
        return values[::-1], places[::-1]
    distinct, at = np.unique(values, return_inverse=True)
    return distinct, at


def _values(codes: IntArray, numbers: FloatArray) -> FloatArray:
    """Return the number that each code stands for, 0 for a code of no row."""
    values = np.zeros(codes.max() + 1)
    values[codes] = numbers
    return values


def _distinct(codes: IntArray) -> int:
    return int(np.count_nonzero(np.bincount(codes + 1)))


def _counted(codes: IntArray, happened: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Return how many rows of each code have the event, and how many have not."""
    events = np.bincount(codes, weights=happened).astype(np.float64)
    return events, np.bincount(codes).astype(np.float64) - events


def known_for_one(known: BoolArray, happened: BoolArray) -> str | None:
    """Return "with" or "without" where a column is known for that outcome alone, and that is no chance."""
    count = int(known.sum())
    for label, rows in (("with", happened), ("without", ~happened)):
        if count and not known[~rows].any() and _chance(count, len(known), int(rows.sum())) < CHANCE:
            return label
    return None


def _chance(count: int, n: int, within: int) -> float:
    """Return the probability that ``count`` rows drawn of ``n`` are all among ``within`` of them."""
    from scipy.stats import hypergeom  # its import takes longer than most checks, and few tables have such a column

    return float(hypergeom.sf(count - 1, n, within, count))


def only_with_event(codes: IntArray, happened: BoolArray) -> bool:
    """Return whether a value recurs, and only with a rare event.

    Args:
        codes: ``(n,)``; -1 for missing.
        happened: bool ``(n,)``.
    """
    if happened.mean() > ONLY_PREVALENCE:
        return False
    rows, events = np.bincount(codes + 1), np.bincount(codes + 1, weights=happened)
    return bool(((rows >= ONLY_ROWS) & (rows == events)).any())


def _bands(cells: Cells) -> IntArray:
    """Return level numbers from 0, missing as one of them, and numbers in bands of about equal size."""
    codes = cells.codes + 1
    if cells.numbers is None or _distinct(cells.codes) <= BANDS:
        return codes
    values, rows = _values(codes, cells.numbers), np.bincount(codes)
    known = ~np.isnan(values) & (rows > 0)
    _, at = _ordered(values[known])
    ranks = np.cumsum(np.bincount(at, weights=rows[known]))[at]  # the highest rank among equal ones
    band = np.zeros(len(values), dtype=np.int64)
    band[known] = 1 + np.ceil(ranks / rows[known].sum() * BANDS).astype(np.int64)
    return band[codes]


def _cross_fitted(levels: IntArray, happened: BoolArray) -> Separation:
    """Return the AUROC of levels, ordered by their share of events in the other half of the rows."""
    half = np.zeros(len(levels), dtype=np.int64)
    for rows in (np.flatnonzero(happened), np.flatnonzero(~happened)):
        half[rows[::2]] = 1
    most = int(levels.max()) + 1
    codes = half * most + levels
    codes = np.append(codes, 2 * most - 1)  # a row of no weight, for the length
    events, others = _counted(codes, np.append(happened, False))
    others[-1] -= 1
    share = (events + happened.mean()) / (events + others + 1)
    return _placed(np.roll(share, most), events, others)
