"""Gather what monitoring needs: kept predictions, outcomes that are known by now, and the extracts of the nights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from flows.runs.folder import CHAMPION, FinishedRun, RunManifest, finished_run
from flows.study.scored_nights import largest, scored_nights
from flows.study.scoring import kept_predictions
from flows.study.stages.stage import FRAME
from mgvae.cohort.build import build_cohort
from mgvae.config.study import CohortConfig
from mgvae.evaluation.deployed_model import PREDICTIONS, judged_holdout
from mgvae.evaluation.measures.ranking import ranking
from mgvae.evaluation.monitoring import entry_cohorts
from mgvae.results.monitoring import ExtractNight, Monitoring, MovedColumn
from mgvae.results.numbers import number
from mgvae.results.scoring import KEPT_COLUMNS
from mgvae.store.artifact import MANIFEST


def monitor(study: Path, run: Path, store: str | None = None, as_of: pd.Timestamp | None = None) -> Monitoring:
    """Return what monitoring finds.

    Args:
        study: folder of the study's runs.
        run: a finished run; its extract says which outcomes are known.
        store: folder or URL of the artifact store.
        as_of: the latest day of which outcomes can be known; None: the day when the run was made.
    Raises:
        ConfigError: no run folder.
        StoreError: an artifact, or a table of kept predictions, is missing or damaged.
    """
    found = finished_run(run, store, needed=("validate",))
    made = pd.Timestamp(RunManifest.read(run).created_at).tz_localize(None) if as_of is None else as_of
    scorings = kept_predictions(study)
    tables = [table for _, table in scorings]
    kept = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(KEPT_COLUMNS))
    horizon = found.config.horizon_days
    expected = _expected_auroc(study / CHAMPION / PREDICTIONS)
    cohorts = entry_cohorts(kept, outcomes(found), as_of=made, horizon_days=horizon, expected=expected) if len(kept) else ()
    return Monitoring(
        study=study.name,
        as_of=made.date().isoformat(),
        horizon_days=horizon,
        waiting=sum(one.predicted - one.matured for one in cohorts),
        expected_auroc=expected,
        cohorts=cohorts,
        nights=extract_nights(study),
        scored=scored_nights(study, sorted(scorings, key=lambda one: one[0].scored_at), found.config.drift),
        censored=found.config.outcome.follow_up is not None,
    )


def outcomes(run: FinishedRun) -> pd.Series[Any]:
    """Return by subject whether the event happened, of those of whom it is known."""
    config: CohortConfig = run.config
    cohort = build_cohort(config, pd.read_parquet(run.folders["validate"] / FRAME))
    return pd.Series(cohort.event.astype(float), index=cohort.subject.astype(str))


def extract_nights(study: Path) -> tuple[ExtractNight, ...]:
    """Return the extracts of a study's runs that were compared with an earlier one, the oldest first."""
    found = []
    for path in study.glob(f"[!.]*/{MANIFEST}"):
        try:
            report = json.loads((path.parent / "report.json").read_bytes())
            if path.parent.is_symlink() or not report.get("drift"):
                continue
            found.append(_night(report))
        except (OSError, ValueError, LookupError, TypeError):
            continue
    return tuple(sorted(found, key=lambda one: one.created_at))


def _night(report: dict[str, Any]) -> ExtractNight:
    drift = report["drift"]
    missing = {one["name"]: one["missing_after"] - one["missing_before"] for one in drift["features"]}
    psi = {one["name"]: one["psi"] for one in drift["features"] if one["psi"] is not None}
    lost, moved = (max(by, key=lambda name: abs(by[name]), default=None) for by in (missing, psi))
    return ExtractNight(
        run_id=report["run_id"],
        created_at=report["created_at"],
        rows=drift["rows"]["after"],
        status=report["status"],
        missing=None if lost is None else missing[lost],
        missing_column=lost,
        psi=None if moved is None else psi[moved],
        psi_column=moved,
        moved=largest(MovedColumn(column=name, psi=psi[name]) for name in psi if psi[name] > 0),
        signals=tuple(gate["name"].removeprefix("drift_") for gate in drift["gates"] if gate["verdict"] != "pass"),
    )


def _expected_auroc(path: Path) -> float | None:
    """Return the AUROC of the champion on its own hold-out; None where there is none."""
    try:
        table = judged_holdout(path)
    except (OSError, ValueError, LookupError):
        return None
    risk, weights = table["probability"].to_numpy(float), table[["weight"]].to_numpy(float)
    return number(float(ranking(table["event"].to_numpy(int), risk, weights)["auroc"][0]))
