"""The gates on drift, each with a limit that warns and a limit that fails."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from mgvae.errors import first_few
from mgvae.results.drift import DriftColumns
from mgvae.results.gates import RANK, Gate, Verdict, worst
from validation.intervals import Interval, numbers
from validation.joint_drift import Evidence

LABELS = {
    "rows": "Rows of the extract, as a ratio to those before",
    "prevalence": "Prevalence of the outcome, as a ratio to that before",
    "missing": "Largest change in a column's share of missing cells",
    "psi": "Largest population stability index of a column, less its value by chance",
    "ks": "Largest Kolmogorov-Smirnov distance of a numeric column",
    "joint": "AUROC, above 0.5, of a classifier of the earlier patients and the new ones",
    "dependence": "The same of a classifier that sees changed dependence between columns",
    "relation": "Change in the AUROC of a model of the earlier extract",
    "revised": "Share of the earlier events that are events no more",
    "tails": "Largest share of rows, beyond what is expected, far out in a numeric column",
}


def judged(found: Interval | None, *, warn: float, fail: float) -> Verdict:
    """Judge a change in either direction, on evidence only.

    Args:
        found: the change with its limits, 0 for no change; None where it cannot be measured, which passes.
        warn, fail: how large it may be.
    """
    if found is None:
        return "pass"
    nearest = found.low if found.value >= 0 else -found.high
    if abs(found.value) > fail and nearest > warn:
        return "fail"
    return "warn" if abs(found.value) > warn and nearest > 0 else "pass"


def ratio_gate(name: str, found: Interval | None, *, warn: float, fail: float, detail: str) -> Gate:
    """Judge whether a ratio is near 1; one that cannot be measured warns.

    ``warn`` and ``fail`` are factors up or down.
    """
    verdict: Verdict = "warn"
    if found is not None:
        logs = Interval(*(math.log(part) if part > 0 else -math.inf for part in (found.value, found.low, found.high)))
        verdict = judged(logs, warn=math.log(warn), fail=math.log(fail))
    return Gate(
        name=f"drift_{name}",
        label=LABELS[name],
        **numbers(found),
        threshold=(1 / warn, warn),
        rule=f"at most {warn:g} times as many or as few; fails beyond {fail:g} times",
        verdict=verdict,
        detail=detail if found else f"Cannot be judged: there was nothing before. {detail}",
    )


def column_gate(name: str, found: Mapping[str, Interval], *, warn: float, fail: float) -> Gate:
    """Judge whether any column drifted, in either direction.

    The value is that of the column which drifted most; the detail names more.
    """
    verdicts = {column: judged(change, warn=warn, fail=fail) for column, change in found.items()}
    order = sorted(found, key=lambda column: (-RANK[verdicts[column]], -abs(found[column].value)))
    top = _size(found[order[0]]) if order else None
    drifted = [f"{column} {found[column]}" for column in order if verdicts[column] != "pass"]
    detail = f"None of {len(order)} columns; the largest is {order[0]}." if order else "There is no such column."
    return Gate(
        name=f"drift_{name}",
        label=LABELS[name],
        **numbers(top),
        threshold=warn,
        rule=f"at most {warn:g}, unless by chance; fails beyond {fail:g} when the interval lies beyond {warn:g}",
        verdict=worst(verdicts.values()),
        detail=f"{len(drifted)} of {len(found)} columns: {first_few(drifted, separator='; ')}." if drifted else detail,
    )


def evidence_gate(name: str, found: Evidence | None, *, level: float, warn: float, fail: float) -> Gate:
    """Judge a measure by its size and its p-value; one that cannot be taken passes.

    Args:
        name: of the gate.
        found: the measure; None where it cannot be taken.
        level: largest p-value of drift.
        warn, fail: largest sizes.
    """
    verdict: Verdict = "pass"
    if found is not None and found.p <= level and abs(found.value) > warn:
        verdict = "fail" if abs(found.value) > fail else "warn"
    return Gate(
        name=f"drift_{name}",
        label=LABELS[name],
        value=None if found is None else found.value,
        low=None,
        high=None,
        threshold=(-warn, warn) if name == "relation" else warn,
        rule=f"at most {warn:g}, unless p is above {level:.2g}; fails beyond {fail:g}",
        verdict=verdict,
        detail="Too few patients or events to measure it." if found is None else f"{found.detail} p = {found.p:.2g}.",
    )


def columns_gate(columns: DriftColumns, *, used: Collection[str]) -> Gate:
    """Judge whether the columns are the same.

    Any change warns; a missing column that the study uses fails.
    """
    kinds = [f"{column.name} ({column.before} before, {column.after} now)" for column in columns.changed]
    changes = {"Added": columns.came, "Removed": columns.went, "Stored as another kind": kinds}
    parts = [f"{change}: {first_few(names)}" for change, names in changes.items() if names]
    count = sum(map(len, changes.values()))
    return Gate(
        name="drift_columns",
        label="Columns added, removed or stored as another kind",
        value=float(count),
        low=None,
        high=None,
        threshold=0.0,
        rule="none should; fails where a column that the study uses is missing",
        verdict="fail" if set(columns.went) & set(used) else "warn" if count else "pass",
        detail=f"{'. '.join(parts)}." if parts else "The same columns, stored as the same kinds.",
    )


def _size(found: Interval) -> Interval:
    """Return the size of a change, whatever its direction."""
    low, high = (found.low, found.high) if found.value >= 0 else (-found.high, -found.low)
    return Interval(abs(found.value), max(low, 0.0), high)
