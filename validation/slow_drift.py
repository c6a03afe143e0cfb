"""Slow drift: an extract against the first of the accepted ones, and a cumulative chart over their newcomers.

The chart is Hawkins' self-starting CUSUM (Technometrics 1987;29:315-323, doi 10.2307/1269340): each night's mean of the
newcomers is compared with that of all nights before, so that it needs no known mean. Its limit follows from the wanted time to
a false alarm by Siegmund's approximation (1985).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.special import ndtr

from mgvae.arrays import Array, BoolArray
from mgvae.config.dictionary import LEVEL_KINDS, canonical
from mgvae.config.study import CohortConfig
from mgvae.results.drift import ColumnProfile, ExtractProfile
from mgvae.results.gates import Gate
from mgvae.results.numbers import number

ALLOWANCE = 0.5  # of the chart: it is quickest for shifts of one standard error a night
FEWEST = 10  # cells of a night


def profile(frame: pd.DataFrame, new_here: BoolArray, config: CohortConfig, extract_sha256: str) -> ExtractProfile:
    """Return the columns of an extract in numbers.

    Args:
        frame: the extract as read.
        new_here: which patients are newcomers, bool ``(n,)``.
        config: the study; its outcome, predictors and subgroups count.
        extract_sha256: digest of the extract.
    """
    columns = {}
    for name in dict.fromkeys([config.outcome.column, *(name for name, _ in config.columns.with_role("feature", "subgroup"))]):
        values = _values(frame, name, config)
        if values is not None:
            known, new = np.isfinite(values), np.isfinite(values) & new_here
            columns[name] = ColumnProfile(
                n=int(known.sum()),
                mean=number(float(values[known].mean())) if known.any() else None,
                sd=number(float(values[known].std())) if known.any() else None,
                missing=float(1 - known.mean()),
                new=int(new.sum()),
                new_mean=number(float(values[new].mean())) if new.any() else None,
            )
    return ExtractProfile(extract_sha256=extract_sha256, rows=len(frame), columns=columns)


def slow_gates(history: Sequence[ExtractProfile], now: ExtractProfile, config: CohortConfig) -> tuple[Gate, ...]:
    """Return the gates on slow drift, which warn and never fail; none with fewer than two earlier extracts.

    Args:
        history: the accepted extracts, the oldest first.
        now: the extract to judge.
        config: the study.
    """
    if len(history) < 2:
        return ()
    level = config.drift.false_alarms / 24  # of each gate: together a sixth of the half that is not the columns'
    shifts = {name: shift for name in now.columns if (shift := _shift(history[0], now, name)) is not None}
    charts = {name: sums for name in now.columns if (sums := chart([*history, now], name))}
    limit = chart_limit(level / max(2 * len(charts), 1))
    highest = {name: sums[-1] for name, sums in charts.items()}
    count = max(len(shifts), 1)
    warned = {n for n, (value, p) in shifts.items() if abs(value) > config.drift.slow_warn and p * count <= level}
    values = {name: value for name, (value, _) in shifts.items()}
    return (
        _gate(
            "slow",
            "Largest shift of a column's mean since the first accepted extract, in standard deviations",
            values,
            warned,
            config.drift.slow_warn,
            f"Since {len(history)} accepted extracts.",
        ),
        _gate(
            "cumulative",
            "Largest cumulative sum (CUSUM) of a column's mean over the newcomers of each night",
            highest,
            {name for name, value in highest.items() if abs(value) > limit},
            limit,
            f"Over {len(history) + 1} extracts.",
        ),
    )


def chart(profiles: Sequence[ExtractProfile], name: str) -> list[float]:
    """Return the chart of a column: in each night but the first the larger of both sums, falling ones negative."""
    count, mean, up, down, out = 0.0, 0.0, 0.0, 0.0, []
    for one in profiles:
        column = one.columns.get(name)
        if column is None:
            continue
        new, value = (column.n, column.mean) if not count else (column.new, column.new_mean)
        if value is None or new < FEWEST or not column.sd:
            continue
        if count:
            z = (value - mean) / (column.sd * math.sqrt(1 / new + 1 / count))
            up, down = max(0.0, up + z - ALLOWANCE), max(0.0, down - z - ALLOWANCE)
            out.append(up if up >= down else -down)
        mean = (mean * count + value * new) / (count + new)
        count += new
    return out


def chart_limit(rate: float) -> float:
    """Return the limit of one side of a chart that it crosses by chance in about ``rate`` of nights."""
    from scipy.optimize import brentq  # takes long to import, and only a long history needs it

    def gap(b: float) -> float:
        return (math.exp(2 * ALLOWANCE * b) - 2 * ALLOWANCE * b - 1) / (2 * ALLOWANCE**2) - 1 / rate

    return float(brentq(gap, 1e-6, 100.0)) - 1.166


def _shift(first: ExtractProfile, now: ExtractProfile, name: str) -> tuple[float, float] | None:
    """Return the shift in standard deviations and its p-value by the normal distribution; None where unknown."""
    old, new = first.columns.get(name), now.columns[name]
    if old is None or not old.sd or not new.sd or old.mean is None or new.mean is None or min(old.n, new.n) < FEWEST:
        return None
    z = (new.mean - old.mean) / math.sqrt(old.sd**2 / old.n + new.sd**2 / new.n)
    return (new.mean - old.mean) / old.sd, float(2 * ndtr(-abs(z)))


def _values(frame: pd.DataFrame, name: str, config: CohortConfig) -> Array | None:
    """Return a column as numbers, NaN for missing; None where it has none."""
    if name not in frame:
        return None
    cells, column = frame[name], config.columns.columns.get(name)
    if name == config.outcome.column:
        event = (cells.map(canonical, na_action="ignore") == canonical(config.outcome.event)).to_numpy(float)
        return np.where(cells.isna(), np.nan, event)
    if pd.api.types.is_datetime64_any_dtype(cells):
        if config.index_date is None or config.index_date not in frame:
            return None
        return (cells - frame[config.index_date]).dt.days.to_numpy(float)
    if column is not None and column.kind in LEVEL_KINDS:
        order: Mapping[str, int] = {canonical(level): place for place, level in enumerate(column.levels)}
        return cells.map(lambda cell: order.get(canonical(cell), np.nan), na_action="ignore").to_numpy(float)
    return cells.to_numpy(float) if pd.api.types.is_numeric_dtype(cells) else None


def _gate(name: str, label: str, values: Mapping[str, float], warned: set[str], warn: float, detail: str) -> Gate:
    order = sorted(values, key=lambda column: (column not in warned, -abs(values[column])))
    named = ", ".join(f"{column} {values[column]:+.2f}" for column in order[:3])
    return Gate(
        name=f"drift_{name}",
        label=label,
        value=abs(values[order[0]]) if order else None,
        low=None,
        high=None,
        threshold=warn,
        rule=f"at most {warn:.3g}, unless by chance; never fails",
        verdict="warn" if warned else "pass",
        detail=f"{len(warned)} of {len(values)} columns; the largest: {named}. {detail}" if order else f"No column. {detail}",
    )
