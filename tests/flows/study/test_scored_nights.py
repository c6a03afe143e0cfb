"""Scored patients whose outcomes are not known yet, against the run of their model."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from flows.study.monitoring_artifact import monitoring_rows
from flows.study.scored_nights import scored_nights
from mgvae.config.drift import Drift
from mgvae.report.monitoring import monitoring_page
from mgvae.results.monitoring import Monitoring
from mgvae.results.scoring import ScoringCounts, ScoringRecord


@pytest.fixture
def study(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    pd.DataFrame({"probability": np.random.default_rng(0).beta(1, 20, size=2000)}).to_parquet(run / "predictions.parquet")
    columns = [{"name": "age", "missing": 0.1}, {"name": "lab", "missing": 0.3}, {"name": "new", "missing": None}]
    (run / "report.json").write_text(json.dumps({"cohort": {"n": 10_000, "columns": columns}}))
    return tmp_path


def scoring(n, *, seed, shift=0.0, lab=0.3, run="run"):
    risk = np.random.default_rng(seed).beta(1 + shift, 20, size=n)
    counts = ScoringCounts(
        rows=n, alerts=n // 10, flagged=0, missing={"age": 0.1, "lab": lab, "new": 0.9}, mean_risk=risk.mean()
    )
    record = ScoringRecord(
        study="s",
        run_id=run,
        model_version=run,
        scored_at=f"2026-01-{seed % 28 + 1:02}T00:00:00+00:00",
        extract_sha256="0" * 64,
        threshold=0.1,
        horizon_days=None,
        counts=counts,
    )
    return record, pd.DataFrame({"risk": risk})


def monitored(nights):
    return Monitoring(
        study="s", as_of="2026-02-01", horizon_days=None, waiting=0, expected_auroc=None, cohorts=(), nights=(), scored=nights
    )


def test_nights_like_the_hold_out_are_quiet_few_patients_too(study):
    nights = scored_nights(study, [scoring(n, seed=seed) for n in (8, 60, 500) for seed in range(60)], Drift())
    assert sum(bool(one.signals) for one in nights) <= 4  # 180 nights, 1 % each: 4 at most in 97 % of trials
    assert len(nights) == 180


def test_other_risks_and_cells_that_vanish_are_seen_and_named(study):
    riskier, emptied = scored_nights(study, [scoring(500, seed=1, shift=1.0), scoring(500, seed=2, lab=0.6)], Drift())
    assert riskier.signals == ("risks",)
    assert riskier.psi > 0.25
    assert emptied.signals == ("missing: lab",)
    assert (emptied.missing_column, emptied.missing) == ("lab", pytest.approx(0.3))
    page = monitoring_page(monitored((riskier, emptied)))
    assert "In 2 of 2 scorings the patients differ." in page
    assert "missing: lab" in page
    rows = monitoring_rows(monitored((riskier, emptied)))
    assert [row["signals"] for row in rows] == ["risks", "missing: lab"]


def test_a_run_that_is_gone_and_an_empty_scoring_give_no_number(study):
    empty = scoring(5, seed=3)
    nothing = (empty[0], empty[1].head(0))
    (night,) = scored_nights(study, [scoring(50, seed=4, run="gone"), nothing], Drift())
    assert (night.psi, night.missing, night.missing_column, night.signals) == (None, None, None, ())
    assert "No scoring is kept yet" in monitoring_page(monitored(()))
    assert night.model_version in monitoring_page(monitored((night,)))
