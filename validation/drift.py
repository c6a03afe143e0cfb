"""The drift of an extract from the last accepted one.

A gate of drift fails on evidence, as those on synthetic cases do: the measure lies beyond the limit that fails, and its
interval wholly beyond the limit that warns. It warns where the measure lies beyond that and chance does not explain it. With
hundreds of columns some stand out by chance, so all intervals hold at once: half of the false alarms of a night,
`mgvae.config.drift.Drift.false_alarms`, is divided by their number. The other half belongs to the checks of the joint table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from mgvae.config.dictionary import LEVEL_KINDS, Column, canonical
from mgvae.config.study import CohortConfig
from mgvae.errors import ShapeError
from mgvae.results.drift import ChangedColumn, DriftColumns, DriftFeature, DriftResult, DriftRows
from mgvae.results.gates import Gate, worst
from validation.drift_gates import column_gate, columns_gate, evidence_gate, judged, ratio_gate
from validation.intervals import Interval, difference, rate_ratio
from validation.joint_drift import dependence, joint, newcomers, relation, revised, samples
from validation.stability import binned, distance, noise, stability
from validation.tail_drift import far_out

SEED = 0  # of halves and trees: the answer does not depend on the study's seed


@dataclass(frozen=True)
class Table:
    """An extract as read.

    Attributes:
        frame: as `mgvae.extract.read.Extract.frame`.
        stored: how the files store each of their columns, also those that the study does not read; empty if unknown.
    """

    frame: pd.DataFrame
    stored: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ColumnDrift:
    """The drift of a column, with the limits of each measure.

    Attributes:
        feature: the column in the report.
        psi: population stability index less its value by chance.
        ks: Kolmogorov-Smirnov distance; None unless numeric.
        missing: change in the share of missing cells.
    """

    feature: DriftFeature
    psi: Interval
    ks: Interval | None
    missing: Interval


def drift(before: Table, after: Table, config: CohortConfig) -> DriftResult:
    """Measure how ``after`` differs from ``before``; the order of rows has no effect.

    Args:
        before: the last accepted extract.
        after: the extract to judge.
        config: the study; ``config.drift`` holds the thresholds.
    Raises:
        ShapeError: a table has no row.
    """
    if not len(before.frame) or not len(after.frame):
        raise ShapeError("Drift needs at least one row in each extract; one of them has none.")
    series = {name: pair for name, pair in _pairs(before.frame, after.frame, config).items() if _class(*pair)}
    numeric = sum(pd.api.types.is_numeric_dtype(pair[0]) for pair in series.values())
    tail = config.drift.false_alarms / 4 / (2 * len(series) + numeric + 2)
    entries = judged_columns(config)
    drifts = tuple(_column(name, pair, entries[name], config, tail=tail) for name, pair in series.items())
    columns = _columns(before, after, config)
    gates = (
        columns_gate(columns, used=_used(config)),
        _rows_gate(len(before.frame), len(after.frame), config, tail=tail),
        _prevalence_gate(_events(before, config), _events(after, config), config, tail=tail),
        *_column_gates(drifts, config),
        *_joint_gates(before.frame, after.frame, config),
    )
    return DriftResult(
        rows=DriftRows(before=len(before.frame), after=len(after.frame)),
        gates=gates,
        features=tuple(drift.feature for drift in drifts),
        columns=columns,
    )


def _joint_gates(before: pd.DataFrame, after: pd.DataFrame, config: CohortConfig) -> Iterable[Gate]:
    """Yield the gates that judge rows, not columns; all have half of the false alarms, with those on slow drift."""
    limits, level = config.drift, config.drift.false_alarms / 12
    old, now, new = samples(before, after, config)
    found = joint(old, new, seed=SEED)
    yield evidence_gate("joint", found, level=level, warn=limits.joint_warn, fail=limits.joint_fail)
    found = dependence(old, new, seed=SEED)
    yield evidence_gate("dependence", found, level=level, warn=limits.joint_warn, fail=limits.joint_fail)
    changed = relation(old, now, seed=SEED)
    yield evidence_gate("relation", changed, level=level, warn=limits.relation_warn, fail=limits.relation_fail)
    undone = revised(before, after, config)
    yield evidence_gate("revised", undone, level=level, warn=limits.revised_warn, fail=limits.revised_fail)
    both = [name for name in config.columns.features if name in before and name in after]
    plain = [name for name in both if config.columns[name].kind not in LEVEL_KINDS]
    numeric = [name for name in plain if _class(before[name], after[name]) == "number"]
    far = far_out(before, after, newcomers(before, after, config), numeric)
    yield evidence_gate("tails", far, level=level, warn=limits.tails_warn, fail=limits.tails_fail)


def judged_columns(config: CohortConfig) -> dict[str, Column | None]:
    """Return the columns to compare: the outcome, predictors and subgroups.

    The outcome may have no entry in the dictionary.
    """
    own = config.outcome.column
    first = {own: config.columns.columns.get(own)}
    return {**first, **dict(config.columns.with_role("feature", "subgroup"))}


def _pairs(before: pd.DataFrame, after: pd.DataFrame, config: CohortConfig) -> dict[str, tuple[pd.Series, pd.Series]]:
    """Return each judged column of both tables, dates as days from the index date."""
    found = {}
    for name in judged_columns(config):
        if name in before and name in after:
            found[name] = (_since_index(before, name, config), _since_index(after, name, config))
    return found


def _since_index(frame: pd.DataFrame, name: str, config: CohortConfig) -> pd.Series:
    index = config.index_date
    dated = index is not None and index in frame and all(_class_of(frame[date]) == "date" for date in (name, index))
    return (frame[name] - frame[index]).dt.days.astype(float) if dated else frame[name]


def _class_of(cells: pd.Series) -> str:
    if pd.api.types.is_datetime64_any_dtype(cells):
        return "date"
    return "number" if pd.api.types.is_numeric_dtype(cells) else "text"


def _class(before: pd.Series, after: pd.Series) -> str:
    """Return the class of both columns; empty where they cannot be compared.

    That is so where the classes differ, and for dates without an index date.
    """
    first, second = _class_of(before), _class_of(after)
    return first if first == second != "date" else ""


def _column(
    name: str, pair: tuple[pd.Series, pd.Series], entry: Column | None, config: CohortConfig, *, tail: float
) -> ColumnDrift:
    limits, counted = config.drift, binned(*pair)
    numeric = entry is not None and entry.kind not in LEVEL_KINDS and pd.api.types.is_numeric_dtype(pair[0])
    stable, far = stability(counted, tail=tail), distance(*pair, tail=tail) if numeric else None
    (lost, n), (now, m) = ((int(cells.isna().sum()), len(cells)) for cells in pair)
    missing = difference(lost, n, now, m, level=1 - 2 * tail)
    verdicts = [
        judged(stable, warn=limits.psi_warn, fail=limits.psi_fail),
        judged(far, warn=limits.ks_warn, fail=limits.ks_fail),
        judged(missing, warn=limits.missing_warn, fail=limits.missing_fail),
    ]
    feature = DriftFeature(
        name=name,
        label=_label(name, entry, config),
        kind=entry.kind if entry else "categorical",
        psi=stable.value,
        psi_low=stable.low,
        psi_high=stable.high,
        noise=noise(counted),
        ks=far.value if far else None,
        missing_before=lost / n,
        missing_after=now / m,
        verdict=worst(verdicts),
    )
    return ColumnDrift(feature, psi=stable, ks=far, missing=missing)


def _label(name: str, entry: Column | None, config: CohortConfig) -> str:
    outcome = config.outcome.label if name == config.outcome.column else None
    return outcome or (entry.label if entry else None) or name


def _columns(before: Table, after: Table, config: CohortConfig) -> DriftColumns:
    known = bool(before.stored and after.stored)
    first, second = ([*table.stored] if known else [*map(str, table.frame.columns)] for table in (before, after))
    both = [name for name in second if name in set(first)]
    pairs = _pairs(before.frame, after.frame, config)
    read = {name: (_class_of(pair[0]), _class_of(pair[1])) for name, pair in pairs.items()}
    stored = {name: (before.stored[name], after.stored[name]) for name in both} if known else {}
    changed = {name: kinds for name, kinds in {**read, **stored}.items() if kinds[0] != kinds[1]}
    changed |= {name: kinds for name, kinds in read.items() if kinds[0] != kinds[1]}
    return DriftColumns(
        came=tuple(name for name in second if name not in set(first)),
        went=tuple(name for name in first if name not in set(second)),
        changed=tuple(ChangedColumn(name=name, before=kinds[0], after=kinds[1]) for name, kinds in changed.items()),
    )


def _used(config: CohortConfig) -> set[str]:
    own: Iterable[str | None] = (config.subject_id, config.group, config.index_date)
    return {name for name in own if name is not None} | set(judged_columns(config))


def _rows_gate(n: int, m: int, config: CohortConfig, *, tail: float) -> Gate:
    found = rate_ratio(n, 1, m, 1, level=1 - 2 * tail)
    detail = f"{n:,} rows before, {m:,} now."
    return ratio_gate("rows", found, warn=config.drift.rows_warn, fail=config.drift.rows_fail, detail=detail)


def _events(table: Table, config: CohortConfig) -> tuple[int, int]:
    """Return events and subjects whose outcome is known."""
    name = config.outcome.column
    if name not in table.frame:
        return 0, 0
    known = table.frame[name].dropna()
    return int((known.map(canonical) == canonical(config.outcome.event)).sum()), len(known)


def _prevalence_gate(before: tuple[int, int], after: tuple[int, int], config: CohortConfig, *, tail: float) -> Gate:
    (first, n), (second, m) = before, after
    found = rate_ratio(first, n, second, m, level=1 - 2 * tail) if n and m else None
    shares = [f"{events:,} of {known:,}{f' ({events / known:.2%})' if known else ''}" for events, known in (before, after)]
    detail = f"{shares[0]} before, {shares[1]} now."
    limits = config.drift
    return ratio_gate("prevalence", found, warn=limits.prevalence_warn, fail=limits.prevalence_fail, detail=detail)


def _column_gates(drifts: Sequence[ColumnDrift], config: CohortConfig) -> Iterable[Gate]:
    limits, by_name = config.drift, {drift.feature.name: drift for drift in drifts}
    missing, psi = ({name: getattr(drift, part) for name, drift in by_name.items()} for part in ("missing", "psi"))
    yield column_gate("missing", missing, warn=limits.missing_warn, fail=limits.missing_fail)
    yield column_gate("psi", psi, warn=limits.psi_warn, fail=limits.psi_fail)
    ks = {name: drift.ks for name, drift in by_name.items() if drift.ks}
    yield column_gate("ks", ks, warn=limits.ks_warn, fail=limits.ks_fail)
