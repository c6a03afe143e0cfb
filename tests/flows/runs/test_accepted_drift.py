"""A person accepts on record that an extract drifted: who, why, and what is compared with what then."""

from __future__ import annotations

import json

import pytest

from flows.runs.accepted import accepted_profiles
from flows.runs.accepted_drift import accept_drift, accepted_extracts
from flows.runs.audit_log import BY_HAND, read
from flows.runs.drift_reference import drift_baseline, reference_run
from mgvae.config.study import load_config
from mgvae.errors import ConfigError
from mgvae.store.local import Store
from tests.flows.simulated_study import write_study

OLD, NEW, NEXT, C = (letter * 64 for letter in "abec")


def finish(out, name, extract, *, status="pass", at=1, verdict="pass"):
    """Write a finished run whose extract was compared with an earlier one."""
    folder = out / "small" / name
    folder.mkdir(parents=True)
    lineage = {"extract_sha256": extract, "artifacts": {"validate": C}}
    made = f"2026-11-{at:02}T03:00:00+00:00"
    (folder / "manifest.json").write_text(json.dumps({"status": status, "created_at": made, "lineage": lineage}))
    profile = {"extract_sha256": extract, "rows": 1, "columns": {}}
    gates = [{"name": "drift_psi", "label": "Stability", "verdict": verdict}]
    (folder / "report.json").write_text(json.dumps({"drift": {"gates": gates, "profile": profile, "before": None}}))
    return folder


@pytest.fixture
def out(tmp_path):
    finish(tmp_path, "old", OLD)
    finish(tmp_path, "new", NEW, status="fail", at=2, verdict="fail")
    return tmp_path


def chain(out, extract):
    return [one.extract_sha256 for one in accepted_profiles(out / "small", extract)]


def test_an_accepted_extract_is_judged_no_more_and_is_the_reference_of_the_next(out):
    config, store = load_config(write_study(out)), Store(out / ".store")
    study = out / "small"
    assert accepted_extracts(study) == frozenset()
    assert reference_run(out, "small", NEXT, accepted_extracts(study)).run_id == "old"
    assert chain(out, NEXT) == [OLD]
    change = accept_drift(study / "new", reason="a better assay")
    assert (change.action, change.rule, change.reason) == ("accepted", BY_HAND, "a better assay Drift accepted: Stability.")
    assert read(study)[0] == (change,)
    assert accepted_extracts(study) == {NEW}
    assert reference_run(out, "small", NEXT, accepted_extracts(study)).run_id == "new"
    assert "a person accepted this extract" in drift_baseline(config, store, out, NEW, {NEW}).skipped_because
    assert chain(out, NEXT) == [], "slow drift is measured anew"
    with pytest.raises(ConfigError, match="accepted already"):
        accept_drift(study / "new", reason="again")


def test_an_extract_that_was_refused_for_another_reason_cannot_be_accepted(out):
    finish(out, "gates", NEXT, status="fail", at=3)
    with pytest.raises(ConfigError, match="no gate on drift failed"):
        accept_drift(out / "small" / "gates", reason="x")
    with pytest.raises(ConfigError, match="--reason must say why"):
        accept_drift(out / "small" / "new", reason=" ")
    assert accepted_extracts(out / "small") == frozenset()


def test_a_damaged_log_accepts_nothing(out):
    accept_drift(out / "small" / "new", reason="a better assay")
    log = out / "small" / "audit.jsonl"
    log.write_bytes(log.read_bytes() + log.read_bytes())
    assert accepted_extracts(out / "small") == frozenset()
