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
from mgvae.results.scoring import BinCounts, ScoringCounts, ScoringRecord


@pytest.fixture
def study(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    pd.DataFrame({"probability": np.random.default_rng(0).beta(1, 20, size=2000)}).to_parquet(run / "predictions.parquet")
    columns = [{"name": "age", "missing": 0.1}, {"name": "lab", "missing": 0.3}, {"name": "new", "missing": None}]
    (run / "report.json").write_text(json.dumps({"cohort": {"n": 10_000, "columns": columns}}))
    return tmp_path


def scoring(n, *, seed, shift=0.0, lab=0.3, run="run", bins=None):
    risk = np.random.default_rng(seed).beta(1 + shift, 20, size=n)
    counts = ScoringCounts(
        rows=n, alerts=n // 10, flagged=0, missing={"age": 0.1, "lab": lab, "new": 0.9}, mean_risk=risk.mean(), bins=bins or {}
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


def histograms(columns, *, seed=0, n=400, shifted=()):
    """Return predictors of ten even bins; a shifted one has lost its lower half."""
    rng = np.random.default_rng(seed)
    even, upper = np.full(10, 0.1), np.repeat([0.0, 0.2], 5)
    return {
        name: BinCounts(training=rng.multinomial(3000, even), scored=rng.multinomial(n, upper if name in shifted else even))
        for name in columns
    }


def test_the_predictor_that_moved_is_named(study):
    night, quiet = scored_nights(
        study,
        [scoring(400, seed=1, bins=histograms("abc", shifted="b")), scoring(400, seed=2, bins=histograms("abc", seed=1))],
        Drift(),
    )
    assert (night.signals, quiet.signals) == (("moved: b",), ())
    assert night.moved[0].column == "b"
    assert night.moved[0].low > Drift().psi_warn
    assert all(one.low == 0 for one in quiet.moved)
    page = monitoring_page(monitored((quiet, night)))
    assert "The predictors that moved most in the last scoring" in page
    assert f'<th>b</th><td class="num">{night.moved[0].psi:.3f}</td>' in page
    assert monitoring_rows(monitored((night,)))[0]["moved most"].endswith(" b")


def test_two_thousand_predictors_are_named_ten_at_most_the_largest_first(study):
    names = [f"column_{place:04}" for place in range(2000)]
    bins = histograms(names, shifted=set(names[::100]))
    (night,) = scored_nights(study, [scoring(400, seed=1, bins=bins)], Drift())
    assert len(night.moved) == 10
    assert {one.column for one in night.moved} < set(names[::100])
    assert [one.psi for one in night.moved] == sorted((one.psi for one in night.moved), reverse=True)
    assert len(night.signals) == 10
    (quiet,) = scored_nights(study, [scoring(400, seed=1, bins=histograms(names, seed=3))], Drift())
    assert quiet.signals == ()
    assert len(monitoring_page(monitored((night,)))) < 120_000


def test_cells_that_vanish_in_many_columns_are_counted(study):
    columns = [{"name": f"c{place}", "missing": 0.1} for place in range(13)]
    (study / "run" / "report.json").write_text(json.dumps({"cohort": {"n": 10_000, "columns": columns}}))
    record, table = scoring(500, seed=1)
    emptied = record.counts.model_copy(update={"missing": {one["name"]: 0.9 for one in columns}})
    (night,) = scored_nights(study, [(record.model_copy(update={"counts": emptied}), table)], Drift())
    assert night.signals[-1] == "missing: 3 more"
    assert len(night.signals) == 11
