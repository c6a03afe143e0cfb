"""The gates on drift: each measure against a limit that warns and one that fails."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from mgvae.results.drift import DriftColumns
from mgvae.results.gates import RANK, Gate, Verdict, worst
from validation.intervals import Interval

NAMED = 5  # columns that a gate's detail names
LABELS = {
    "rows": "Rows of the extract, as a ratio to those before",
    "prevalence": "Prevalence of the outcome, as a ratio to that before",
    "missing": "Largest change in a column's share of missing cells",
    "psi": "Largest population stability index of a column, less what chance makes of it",
    "ks": "Largest Kolmogorov-Smirnov distance of a numeric column",
}


def judged(found: Interval | None, *, warn: float, fail: float) -> Verdict:
    """Return the verdict on a change whose absence is 0; in either direction, and on evidence only.

    Args:
        found: the change with its limits; None where it cannot be measured, which passes.
        warn, fail: how large it may be.
    """
    if found is None:
        return "pass"
    nearest = found.low if found.value >= 0 else -found.high
    if abs(found.value) > fail and nearest > warn:
        return "fail"
    return "warn" if abs(found.value) > warn and nearest > 0 else "pass"


def ratio_gate(name: str, found: Interval | None, *, warn: float, fail: float, detail: str) -> Gate:
    """Is a ratio near 1? ``warn`` and ``fail`` are factors up or down; what cannot be measured warns."""
    verdict: Verdict = "warn"
    if found is not None:
        logs = Interval(*(math.log(part) if part > 0 else -math.inf for part in (found.value, found.low, found.high)))
        verdict = judged(logs, warn=math.log(warn), fail=math.log(fail))
    return Gate(
        name=f"drift_{name}",
        label=LABELS[name],
        value=found.value if found else None,
        low=found.low if found else None,
        high=found.high if found and math.isfinite(found.high) else None,
        threshold=(1 / warn, warn),
        rule=f"at most {warn:g} times as many or as few; fails beyond {fail:g} times",
        verdict=verdict,
        detail=detail if found else f"Cannot be judged: there was nothing before. {detail}",
    )


def column_gate(name: str, found: Mapping[str, Interval], *, warn: float, fail: float) -> Gate:
    """Has any column moved? The value is that of the column which moved most, in either direction; the detail names more."""
    verdicts = {column: judged(one, warn=warn, fail=fail) for column, one in found.items()}
    order = sorted(found, key=lambda column: (-RANK[verdicts[column]], -abs(found[column].value)))
    top = _size(found[order[0]]) if order else None
    moved = [column for column in order if verdicts[column] != "pass"]
    said = [f"{column} {_shown(found[column])}" for column in moved[:NAMED]]
    more = f"; and {len(moved) - NAMED} more" if len(moved) > NAMED else ""
    return Gate(
        name=f"drift_{name}",
        label=LABELS[name],
        value=top.value if top else None,
        low=top.low if top else None,
        high=top.high if top else None,
        threshold=warn,
        rule=f"at most {warn:g}, unless by chance; fails beyond {fail:g} when the interval lies beyond {warn:g}",
        verdict=worst(verdicts.values()),
        detail=f"{len(moved)} of {len(found)} columns: {'; '.join(said)}{more}." if moved else _calm(order),
    )


def columns_gate(columns: DriftColumns, *, used: Collection[str]) -> Gate:
    """Are the columns the same? Any change warns; one that the study uses and that is gone fails."""
    came, went = columns.came, columns.went
    kinds = [f"{column.name} ({column.before} before, {column.after} now)" for column in columns.changed]
    parts = [f"{what}: {_some(names)}" for what, names in (("New", came), ("Gone", went), ("Stored otherwise", kinds)) if names]
    count = len(came) + len(went) + len(kinds)
    return Gate(
        name="drift_columns",
        label="Columns that came, went or are stored as another kind",
        value=float(count),
        low=None,
        high=None,
        threshold=0.0,
        rule="none should; fails where a column that the study uses is gone",
        verdict="fail" if set(went) & set(used) else "warn" if count else "pass",
        detail=f"{'. '.join(parts)}." if parts else "The same columns, stored as the same kinds.",
    )


def _size(found: Interval) -> Interval:
    """Return how large a change is, in whichever direction."""
    low, high = (found.low, found.high) if found.value >= 0 else (-found.high, -found.low)
    return Interval(abs(found.value), max(low, 0.0), high)


def _calm(order: Sequence[str]) -> str:
    return f"None of {len(order)} columns; the largest is {order[0]}." if order else "There is no such column."


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"


def _shown(found: Interval) -> str:
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"
