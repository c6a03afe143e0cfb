"""Follow the scored patients, whose outcomes are not known yet: risks and missing cells, night by night."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mgvae.config.drift import Drift
from mgvae.evaluation.deployed_model import PREDICTIONS
from mgvae.results.monitoring import MOST, MovedColumn, ScoredNight
from mgvae.results.numbers import number
from mgvae.results.scoring import BinCounts, ScoringRecord
from validation.intervals import difference
from validation.stability import binned, merged, noise, psi, stability

REPORT = "report.json"
PARTS = 3  # risks, missing cells and predictors share the false alarms of a night


def scored_nights(
    study: Path, scorings: Sequence[tuple[ScoringRecord, pd.DataFrame]], limits: Drift
) -> tuple[ScoredNight, ...]:
    """Return each scoring against the run whose model predicted, the oldest first.

    Risks are compared with those of the run's hold-out, which its model had not seen, missing cells with the run's extract, and
    predictors with the training patients of the model, as its file counts them. A third of the false alarms of a night are for
    each. Patients of one family count as independent.

    Args:
        study: folder of the study's runs.
        scorings: kept predictions with their records, the oldest first.
        limits: from which change on a night signals, and how many false alarms are allowed.
    """
    return tuple(_night(study / record.run_id, record, table, limits) for record, table in scorings if len(table))


def _night(run: Path, record: ScoringRecord, table: pd.DataFrame, limits: Drift) -> ScoredNight:
    rows, missing, risks = *_cells(run), _risks(run)
    known = table["risk"].dropna()
    stable = stability(binned(risks, known), tail=limits.false_alarms / PARTS) if len(risks) and len(known) else None
    shared = {name: share for name, share in record.counts.missing.items() if name in missing}
    tail = limits.false_alarms / PARTS / max(len(shared), 1)
    changes = {
        name: difference(round(missing[name] * rows), rows, round(share * len(table)), len(table), level=1 - tail)
        for name, share in shared.items()
    }
    lost = max(changes, key=lambda name: abs(changes[name].value), default=None)
    signals = []
    if stable is not None and stable.low > limits.psi_warn:
        signals.append("risks")
    beyond = [name for name, one in changes.items() if one.low > limits.missing_warn or one.high < -limits.missing_warn]
    moved = _moved(record.counts.bins, tail=limits.false_alarms / PARTS)
    signals += _named("missing", sorted(beyond, key=lambda name: -abs(changes[name].value)))
    signals += _named("moved", [one.column for one in moved if (one.low or 0.0) > limits.psi_warn])
    return ScoredNight(
        scored_at=record.scored_at,
        model_version=record.model_version,
        patients=record.counts.rows,
        alerts=record.counts.alerts / record.counts.rows,
        mean_risk=record.counts.mean_risk,
        psi=None if stable is None else number(stable.value),
        missing=None if lost is None else number(changes[lost].value),
        missing_column=lost,
        moved=moved,
        signals=tuple(signals),
    )


def largest(columns: Iterable[MovedColumn]) -> tuple[MovedColumn, ...]:
    """Return the columns that moved most, the first ten."""
    return tuple(sorted(columns, key=lambda one: -one.psi)[:MOST])


def _moved(bins: Mapping[str, BinCounts], *, tail: float) -> tuple[MovedColumn, ...]:
    """Return the predictors that moved most, with limits; of thousands only ten, since a limit takes a millisecond."""
    counted = {name: merged(np.array(one.training), np.array(one.scored)) for name, one in bins.items() if sum(one.scored)}
    beyond = {name: psi(one.before, one.after) - noise(one) for name, one in counted.items()}
    first = largest(MovedColumn(column=name, psi=value) for name, value in beyond.items() if value > 0)
    tail = tail / max(len(counted), 1)
    return tuple(one.model_copy(update={"low": number(stability(counted[one.column], tail=tail).low)}) for one in first)


def _named(kind: str, columns: Sequence[str]) -> list[str]:
    """Return a signal for each of ten columns, and how many more there are."""
    more = [f"{kind}: {len(columns) - MOST} more"] if len(columns) > MOST else []
    return [f"{kind}: {name}" for name in columns[:MOST]] + more


def _risks(run: Path) -> pd.Series[Any]:
    """Return the risks of a run's hold-out; none where the run folder is gone."""
    try:
        return pd.read_parquet(run / PREDICTIONS, columns=["probability"])["probability"]
    except (OSError, ValueError, LookupError):
        return pd.Series([], dtype=float)


def _cells(run: Path) -> tuple[int, dict[str, float]]:
    """Return the patients of a run, and by predictor the share without a value; none where the run folder is gone."""
    try:
        cohort = json.loads((run / REPORT).read_bytes())["cohort"]
        shares = {one["name"]: one["missing"] for one in cohort["columns"] if one["missing"] is not None}
        return int(cohort["n"]), shares
    except (OSError, ValueError, LookupError, TypeError):
        return 0, {}
