"""What run folders say of their extracts, as slow drift and monitoring gather it."""

from __future__ import annotations

import json

import pytest

from flows.prefect_server import orchestrated
from flows.runs.accepted import accepted_profiles
from flows.study.monitoring import extract_nights
from flows.study.monitoring_artifact import monitoring_rows, show_monitoring
from mgvae.results.drift import ExtractProfile
from mgvae.results.monitoring import EntryCohort, Monitoring
from mgvae.results.numbers import Estimate


def run(study, name, extract, *, before=None, drift=True, status="pass", at=1):
    folder = study / name
    folder.mkdir(parents=True)
    lineage = {"artifacts": {}, "extract_sha256": extract}
    made = f"2026-01-{at:02}T00:00:00"
    (folder / "manifest.json").write_text(json.dumps({"created_at": made, "status": status, "lineage": lineage}))
    profiles = {
        key: {"extract_sha256": sha, "rows": 1, "columns": {}} for key, sha in (("before", before), ("profile", extract))
    }
    columns = [("a", 0.1, 0.3, 0.1), ("b", 0.5, 0.1, None), ("c", 0.0, 0.0, 0.4)]
    features = [{"name": n, "missing_before": x, "missing_after": y, "psi": psi} for n, x, y, psi in columns]
    gates = [{"name": "drift_psi", "verdict": "warn"}, {"name": "drift_ks", "verdict": "pass"}]
    content = {**profiles, "features": features, "gates": gates, "rows": {"after": 7}} if drift else None
    report = {"run_id": name, "created_at": made, "status": status, "drift": content}
    (folder / "report.json").write_text(json.dumps(report))


def names(profiles):
    return [one.extract_sha256 for one in profiles]


def test_the_chain_holds_what_was_accepted_before_and_begins_anew_where_drift_was_not_judged(tmp_path):
    run(tmp_path, "first", "e1", drift=False, at=1)
    run(tmp_path, "second", "e2", before="e1", at=2)
    run(tmp_path, "refused", "bad", before="e2", status="fail", at=3)
    run(tmp_path, "third", "e3", before="e2", at=4)
    assert names(accepted_profiles(tmp_path, "e9")) == ["e1", "e2", "e3"]
    assert names(accepted_profiles(tmp_path, "e3")) == ["e1", "e2"], "as it was judged the first time"
    run(tmp_path, "accepted", "e4", drift=False, at=5)
    run(tmp_path, "fifth", "e5", before="e4", at=6)
    assert names(accepted_profiles(tmp_path, "e9")) == ["e4", "e5"]
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "manifest.json").write_text("{")
    assert all(isinstance(one, ExtractProfile) for one in accepted_profiles(tmp_path, "e9"))


def test_nights_name_the_columns_that_changed_most(tmp_path):
    run(tmp_path, "later", "e2", before="e1", at=2)
    run(tmp_path, "none", "e1", drift=False, at=1)
    (night,) = extract_nights(tmp_path)
    assert (night.run_id, night.rows, night.signals) == ("later", 7, ("psi",))
    assert (night.missing_column, night.missing, night.psi_column, night.psi) == ("b", pytest.approx(-0.4), "c", 0.4)
    assert [(one.column, one.psi) for one in night.moved] == [("c", 0.4), ("a", 0.1)]


def test_prefect_s_table_has_a_row_a_month_and_is_left_out_without_a_server(monkeypatch):
    month = EntryCohort(
        month="2026-01",
        predicted=9,
        matured=8,
        events=1,
        alerts=0.5,
        mean_risk=0.1,
        auroc=Estimate(value=None),
        observed_expected=Estimate(value=1.0, low=0.5, high=2.0),
        slope=Estimate(value=None),
        signals=("x", "y"),
    )
    found = Monitoring(
        study="s", as_of="2026-02-01", horizon_days=None, waiting=1, expected_auroc=None, cohorts=(month,), nights=()
    )
    (row,) = monitoring_rows(found)
    assert row["observed/expected"] == "1.000 (0.50 to 2.00)"
    assert (row["month"], row["signals"]) == ("2026-01", "x; y")
    monkeypatch.setattr("flows.study.monitoring_artifact.served", lambda: False)
    assert "no server" in show_monitoring(found)


def test_prefect_s_page_holds_the_table(database):
    found = Monitoring(
        study="held", as_of="2026-02-01", horizon_days=None, waiting=1, expected_auroc=None, cohorts=(), nights=()
    )
    with orchestrated():
        assert show_monitoring(found) == "On Prefect's pages: artifact mgvae-held-monitoring."
