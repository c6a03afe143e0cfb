"""Ranges of numbers: of the quantity where the name tells it, else from quantiles.

A range lets new patients in and catches a change of unit or a code such as 9999.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

import numpy as np

from mgvae.arrays import FloatArray, IntArray
from mgvae.config.dictionary import NUMERIC_KINDS
from mgvae.draft.columns import numbers_of, present, with_missing
from mgvae.draft.entry import Bounds, Drafted
from mgvae.draft.names import words
from mgvae.draft.scan import Seen
from mgvae.draft.values import plain, rounded

TAILS = (0.01, 0.5, 0.99)
LEAST_FACTOR = 1.25  # beyond the outer quantiles, at least
BEYOND = 2.0  # times the distance of an outer quantile from the median, where values are not all positive
FURTHER = (1.1, 0.25)  # beyond the extremes: a factor, a share of their distance from the median
SMALL = 10  # a count that goes down to this may go down to 0
CODE = re.compile(r"-1|-?(9+|8+|7+)")  # numbers that stand for "missing" where no such value can be
MOST_CODES = 3
FEW_BEYOND = 0.05  # share of rows from which values are in another unit rather than errors


@dataclass(frozen=True)
class Quantity:
    """A quantity with limits that no living patient passes, in each unit that is in use.

    Attributes:
        name: for notes.
        names: words of a column's name, joined by blanks; one of them must be found in it.
        limits: lowest and highest value and the unit.
        whole: whether the name must be nothing else.
    """

    name: str
    names: tuple[str, ...]
    limits: tuple[tuple[float, float, str], ...]
    whole: bool = False


QUANTITIES = (
    Quantity("an age in years", ("age",), ((0, 120, "years"),)),
    Quantity("a pH", ("ph",), ((6.5, 8, ""),)),
    Quantity("a temperature", ("temp", "temperature"), ((25, 45, "°C"), (77, 113, "°F"))),
    Quantity("a height", ("height", "ht"), ((30, 260, "cm"), (0.3, 2.6, "m"), (12, 102, "inches"))),
    Quantity("a systolic blood pressure", ("sbp", "sysbp", "systolic"), ((30, 320, "mmHg"),)),
    Quantity("a diastolic blood pressure", ("dbp", "diabp", "diastolic"), ((10, 220, "mmHg"),)),
    Quantity("a heart rate", ("hr", "heart rate", "heartrate", "pulse"), ((0, 350, "/min"),), whole=True),
    Quantity("a respiratory rate", ("rr", "resp rate", "respiratory rate", "resprate"), ((0, 120, "/min"),), whole=True),
    Quantity("an oxygen saturation", ("spo2", "sao2", "saturation"), ((0, 100, "%"),)),
    Quantity("a body mass index", ("bmi",), ((5, 120, "kg/m2"),)),
    Quantity("a Glasgow coma score", ("gcs", "gcs total", "glasgow coma score", "glasgow"), ((3, 15, ""),), whole=True),
    Quantity("a calendar year", ("year", "yob"), ((1850, 2150, ""),)),
    Quantity("an Apgar score", ("apgar",), ((0, 10, ""),)),
)
OTHER_UNITS = frozenset(
    ("months", "month", "mo", "days", "weeks", "hours", "group", "grp", "band", "cat", "z", "score", "change")
)


def with_range(seen: Seen, drafted: Drafted) -> Drafted:
    """Return the entry of numbers with a range that the column's own values keep."""
    if drafted.kind not in NUMERIC_KINDS or "identifier" in drafted.role:
        return drafted
    keep = present(seen, drafted)
    values, counts = numbers_of(seen.values, drafted.format)[keep], seen.counts[keep]
    order = np.argsort(values, kind="stable")
    values, counts = values[order], counts[order]
    known = quantity(seen.name)
    if known is None:
        return replace(drafted, range=from_quantiles(values, counts, count=drafted.kind == "count"))
    shares = [float(counts[(values < low) | (values > high)].sum() / counts.sum()) for low, high, _ in known.limits]
    best = int(np.argmin(shares))
    low, high, unit = known.limits[best]
    if shares[best] == 0:
        return replace(drafted, range=(low, high))
    codes = values[(values < low) | (values > high)]
    if len(codes) <= MOST_CODES and all(CODE.fullmatch(f"{value:.12g}") for value in codes):
        return with_missing(seen, replace(drafted.coded([plain(value) for value in codes]), range=(low, high)))
    limits = f"{low:g} to {high:g} {unit}".strip()
    cause = "another unit?" if shares[best] > FEW_BEYOND else "errors, or codes for missing?"
    beyond = int(counts[(values < low) | (values > high)].sum())
    note = f"by its name {known.name}, but {beyond:,} rows lie beyond {limits}: {cause} Set range to what can be"
    return replace(drafted, range=from_quantiles(values, counts, count=drafted.kind == "count")).note(note)


def quantity(name: str) -> Quantity | None:
    """Return the quantity that a column's name tells; None where it tells none."""
    found = words(name)
    if OTHER_UNITS & set(found):
        return None
    text = f" {' '.join(found)} "
    for known in QUANTITIES:
        if any(text == f" {word} " if known.whole else f" {word} " in text for word in known.names):
            return known
    return None


def from_quantiles(values: FloatArray, counts: IntArray, *, count: bool = False) -> Bounds | None:
    """Return a range around the values' quantiles, rounded outwards to two digits; None for no bound.

    Positive numbers are widened by the factor that lies between the median and the outer 1 %, but at least a quarter; others by
    twice that distance, from 0 where nothing is negative.

    Args:
        values: distinct numbers in ascending order, ``(n,)``.
        counts: rows that hold each, ``(n,)``.
        count: whether they are whole numbers from 0.
    """
    at = np.searchsorted(np.cumsum(counts) / counts.sum(), TAILS)
    q_low, middle, q_high = (float(value) for value in values[np.minimum(at, len(values) - 1)])
    least, most = float(values[0]), float(values[-1])
    factor, share = FURTHER
    with np.errstate(over="ignore"):
        upper = max(q_high + BEYOND * (q_high - middle), most + share * (most - middle))
        lower = min(q_low - BEYOND * (middle - q_low), least - share * (middle - least))
    if upper <= most:
        upper = most + (most - least)
    if least > 0:
        upper = max(q_high * max(q_high / middle, LEAST_FACTOR), most * factor)
        lower = min(q_low / max(middle / q_low, LEAST_FACTOR), least / factor)
    if least >= 0 and (least == 0 or (count and least <= SMALL)):
        lower = 0.0
    bounds = (_outwards(lower, down=True), _outwards(upper, down=False))
    return bounds if bounds != (None, None) and (None in bounds or lower < upper) else None


def _outwards(bound: float, *, down: bool) -> float | None:
    """Return a bound rounded away from the values; None beyond all numbers."""
    if not math.isfinite(bound):
        return None
    if bound < 0:
        return -rounded(-bound, math.ceil if down else math.floor)
    return rounded(bound, math.floor if down else math.ceil) if bound else 0.0
