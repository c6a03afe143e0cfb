"""The table of participants: predictors by outcome and by part, with standardised mean differences.

Numbers: difference of means over the root of the mean variance. Levels: Yang and Dalton 2012 (SAS Global Forum, paper 335), the
Mahalanobis distance between the shares of the levels. Both among the patients in whom the predictor is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mgvae.arrays import BoolArray, FloatArray, IntArray
from mgvae.cohort.build import Cohort
from mgvae.results.numbers import FEWEST_NAMED, number
from mgvae.results.participants import SIDES, Characteristic, Participants, Side, Spread
from mgvae.results.small_counts import suppressed_rows

MOST_LEVELS = 12  # further levels are counted together
OTHERS = "all other levels"
PAIRS: tuple[tuple[Side, Side], ...] = (("without_event", "with_event"), ("training", "test"))


def describe(
    cohort: Cohort, test: BoolArray, labels: Mapping[str, str], units: Mapping[str, str | None] | None = None
) -> Participants:
    """Return the cohort's predictors by outcome and by part.

    Args:
        cohort: n eligible subjects.
        test: the subjects of the test part, ``(n,)``.
        labels: of the predictors, by column.
        units: of the predictors, by column.
    """
    event, held = np.asarray(cohort.event, dtype=bool), np.asarray(test, dtype=bool)
    members: dict[Side, BoolArray] = dict(zip(SIDES, (~event, event, ~held, held), strict=True))
    rows = [
        _characteristic(cohort.features[name], members, labels.get(str(name), str(name)), (units or {}).get(str(name)))
        for name in cohort.features
    ]
    return Participants(n={side: int(member.sum()) for side, member in members.items()}, fewest=FEWEST_NAMED, rows=tuple(rows))


def _characteristic(values: pd.Series[Any], members: Mapping[Side, BoolArray], label: str, unit: str | None) -> Characteristic:
    absent = values.isna().to_numpy()
    two = np.stack([~absent, absent])
    missing: dict[Side, int | None] = {}
    differences: list[float | None] = []
    names, has = _levels(values) if isinstance(values.dtype, pd.CategoricalDtype) else ((), two[:0])
    spread: dict[Side, Spread] = {}
    counts: dict[Side, tuple[int | None, ...]] = {}
    for pair in PAIRS:
        sides = [members[side] for side in pair]
        for side, found in zip(pair, suppressed(_counts(two, sides)), strict=True):
            missing[side] = found[1]
        if names:
            counted = _counts(has, sides)
            shown = suppressed(np.vstack([counted, _counts(two[1:], sides)]))  # missing is a level like any other
            counts |= {side: found[:-1] for side, found in zip(pair, shown, strict=True)}
            missing |= {side: found[-1] for side, found in zip(pair, shown, strict=True)}
            hidden = any(one is None for found in shown for one in found)
            differences.append(None if hidden else number(levels_difference(*counted.T.astype(np.float64))))
        else:
            known = [values.to_numpy(np.float64)[member & ~absent] for member in sides]
            spread |= {side: _spread(one) for side, one in zip(pair, known, strict=True) if len(one) >= FEWEST_NAMED}
            enough = min(map(len, known)) >= FEWEST_NAMED
            differences.append(number(means_difference(*known)) if enough else None)
    return Characteristic(
        name=str(values.name),
        label=label,
        unit=unit,
        spread=spread,
        levels=names,
        counts=counts,
        missing=missing,
        by_event=differences[0],
        by_part=differences[1],
    )


def suppressed(counts: IntArray) -> tuple[tuple[int | None, ...], tuple[int | None, ...]]:
    """Return counts of both sides, ``(L, 2)``, with small ones as None, and enough others that no sum gives them away."""
    hidden = suppressed_rows(counts)
    first, second = (tuple(None if hide else int(count) for count, hide in zip(side, hidden, strict=True)) for side in counts.T)
    return first, second


def means_difference(first: FloatArray, second: FloatArray) -> float:
    """Return the mean of the second less that of the first, over the root of their mean variance; NaN where that is 0."""
    spread = np.sqrt((first.var(ddof=1) + second.var(ddof=1)) / 2)
    return float((second.mean() - first.mean()) / spread) if spread > 0 else float("nan")


def levels_difference(first: FloatArray, second: FloatArray) -> float:
    """Return the distance between two sides by their counts of the levels, ``(L,)`` each; NaN where one side is empty."""
    if not (first.sum() and second.sum()):
        return float("nan")
    shares = first / first.sum(), second / second.sum()
    spread = np.mean([np.diag(one) - np.outer(one, one) for one in shares], axis=0)[1:, 1:]
    gap = (shares[1] - shares[0])[1:]
    return float(np.sqrt(max(gap @ np.linalg.pinv(spread) @ gap, 0.0)))


def _levels(values: pd.Series[Any]) -> tuple[tuple[str, ...], BoolArray]:
    """Return the names of the levels and who has them, ``(L, n)``; the rarest are put together."""
    codes, names = values.cat.codes.to_numpy(), [str(level) for level in values.cat.categories]
    seen = np.bincount(codes[codes >= 0], minlength=len(names))
    kept = sorted(np.argsort(-seen, kind="stable")[: MOST_LEVELS if len(names) > MOST_LEVELS + 1 else len(names)].tolist())
    has = [codes == place for place in kept]
    if len(kept) < len(names):
        return (*(names[place] for place in kept), OTHERS), np.stack([*has, (codes >= 0) & ~np.isin(codes, kept)])
    return tuple(names), np.stack(has)


def _counts(has: BoolArray, sides: list[BoolArray]) -> IntArray:
    return np.stack([(has & side).sum(axis=1) for side in sides], axis=1)


def _spread(known: FloatArray) -> Spread:
    lower, median, upper = map(float, np.quantile(known, (0.25, 0.5, 0.75)))
    return Spread(mean=float(known.mean()), sd=float(known.std(ddof=1)), median=median, lower=lower, upper=upper)
