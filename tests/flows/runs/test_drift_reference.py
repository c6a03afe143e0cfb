"""Which run an extract is held against, and what the stage drift makes of both."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from flows.runs.drift_reference import DriftBaseline, ReferenceRun, drift_baseline, reference_run
from flows.study.lineage import run_id
from flows.study.stages.registry import DRIFT
from flows.study.stages.validate import make as validate
from mgvae.config.strict import build
from mgvae.config.study import load_config
from mgvae.results.drift import DriftSummary
from mgvae.store.artifact import Reference
from mgvae.store.local import Store
from tests.flows.simulated_study import table, write_study

A, B, C = (letter * 64 for letter in "abc")


def finish(out, name, extract, *, status="pass", at="2026-11-20T03:00:00+00:00", artifact=C, study="small"):
    """Write the manifest of a finished run."""
    folder = out / study / name
    folder.mkdir(parents=True)
    lineage = {"extract_sha256": extract, "artifacts": {"validate": artifact}}
    (folder / "manifest.json").write_text(json.dumps({"status": status, "created_at": at, "lineage": lineage}))


def test_the_newest_accepted_run_with_another_extract(tmp_path):
    assert reference_run(tmp_path, "small", A) is None
    finish(tmp_path, "one", A, at="2026-11-20T03:00:00+00:00")
    finish(tmp_path, "two", B, at="2026-11-21T03:00:00+00:00", status="warn")
    finish(tmp_path, "three", B, at="2026-11-22T03:00:00+00:00", status="fail")
    finish(tmp_path, "four", B, at="2026-11-22T03:00:00+00:00", status="invalid")
    finish(tmp_path, "else", B, at="2026-11-23T03:00:00+00:00", study="other")
    (tmp_path / "small" / "latest").symlink_to("three")
    assert reference_run(tmp_path, "small", C).run_id == "two"
    assert reference_run(tmp_path, "small", B).run_id == "one"
    assert reference_run(tmp_path, "small", A).run_id == "two"
    found = reference_run(tmp_path, "small", A)
    assert found == ReferenceRun("two", B, "2026-11-21T03:00:00+00:00", Reference("validate", C))


def test_of_two_runs_in_one_second_the_one_written_later(tmp_path):
    for name in ("one", "two"):
        finish(tmp_path, name, B)
    os.utime(tmp_path / "small" / "two" / "manifest.json", (1, 1))
    assert reference_run(tmp_path, "small", A).run_id == "one"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"status": "pass", "lineage": null}'])
def test_a_damaged_manifest_is_passed_over(content, tmp_path):
    finish(tmp_path, "one", B)
    finish(tmp_path, "two", B, at="2027-01-01T00:00:00+00:00")
    (tmp_path / "small" / "two" / "manifest.json").write_text(content)
    assert reference_run(tmp_path, "small", A).run_id == "one"


def test_a_digest_that_leads_elsewhere_is_passed_over(tmp_path):
    finish(tmp_path, "one", B, artifact="../../etc")
    assert reference_run(tmp_path, "small", A) is None


def test_why_drift_is_not_judged(tmp_path):
    config = load_config(write_study(tmp_path))
    store, out = Store(tmp_path / ".store"), tmp_path
    assert drift_baseline(config, store, out, A) == DriftBaseline()
    finish(out, "one", B)
    assert (
        "run one, the last accepted one, is not in the store any more" in drift_baseline(config, store, out, A).skipped_because
    )
    kept = store.save("validate", lambda folder: (folder / "frame.parquet").write_text("x"), about={})
    finish(out, "two", B, at="2027-01-01T00:00:00+00:00", artifact=kept.sha256)
    assert drift_baseline(config, store, out, A).run.run_id == "two"
    (store.folder(kept) / "frame.parquet").chmod(0o600)
    (store.folder(kept) / "frame.parquet").write_text("y")
    assert "is damaged" in drift_baseline(config, store, out, A).skipped_because
    asked = load_config(tmp_path / "cohort.yaml", settings=("drift.against=nothing",))
    assert "drift.against is 'nothing'" in drift_baseline(asked, store, out, A).skipped_because


def test_the_run_id_is_as_ever_without_a_reference_and_holds_its_digest_with_one(tmp_path):
    config = load_config(write_study(tmp_path))
    one, other = (ReferenceRun("x", B, "2026", Reference("validate", digest)) for digest in (B, C))
    ids = {run_id(config, A), run_id(config, A, None), run_id(config, A, one), run_id(config, A, other)}
    assert len(ids) == 3
    assert run_id(config, A, one) == run_id(config, A, ReferenceRun("y", A, "2027", one.artifact))


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """Return what stage drift makes of a first extract and of another one."""
    first = tmp_path_factory.mktemp("first")
    validate(load_config(write_study(first)), {}, _made(first / "validate"))

    def compare(frame, **options):
        place = tmp_path_factory.mktemp("next")
        config = load_config(write_study(place, frame), **options)
        validate(config, {}, _made(place / "validate"))
        DRIFT.make(config, {"reference": first / "validate", "validate": place / "validate"}, _made(place / "drift"))
        return json.loads((place / "drift" / "drift.json").read_text())

    return compare


def _made(folder):
    folder.mkdir()
    return folder


def failed(found):
    return {gate["name"]: gate["detail"] for gate in found["gates"] if gate["verdict"] == "fail"}


def test_the_stage_measures_and_the_report_takes_it(night):
    found = night(table(seed=1))
    assert {gate["verdict"] for gate in found["gates"]} == {"pass"}
    names = [feature["name"] for feature in found["features"]]
    assert names == ["died", "age", "crp", "visits", "sex", "ward", "stage", "first_seen"]
    reference = {"run_id": "x", "extract_sha256": found.pop("extract_sha256"), "created_at": "2026"}
    facts = build(DriftSummary, {"reference": reference, **found}, source="drift")
    assert facts.rows.before == facts.rows.after == 600


def test_a_unit_that_changes_overnight_fails_by_name(night):
    frame = table(seed=1)
    frame["visits"] *= 12
    assert "visits" in failed(night(frame))["drift_psi"]


def test_a_column_that_the_files_bring_besides_is_told(night):
    found = night(table(seed=1).assign(note="x"))
    assert found["columns"]["came"] == ["note"]
    assert found["gates"][0]["verdict"] == "warn"


def test_the_key_of_the_stage_does_not_hold_whether_it_is_asked_for(tmp_path):
    path = write_study(tmp_path)
    plain, asked, strict = (
        load_config(path, settings=one) for one in ((), ("drift.against=nothing",), ("drift.psi_fail=0.5",))
    )
    assert DRIFT.reads(plain) == DRIFT.reads(asked) != DRIFT.reads(strict)


def test_artifacts_of_an_earlier_version_can_be_held_against(night, tmp_path):
    config = load_config(write_study(tmp_path / "one"))
    folders = {name: _made(tmp_path / name) for name in ("reference", "validate", "drift")}
    validate(config, {}, folders["validate"])
    shutil.copytree(folders["validate"], folders["reference"], dirs_exist_ok=True)
    told = json.loads((folders["reference"] / "validation.json").read_text())
    del told["stored"]
    (folders["reference"] / "validation.json").write_text(json.dumps(told))
    DRIFT.make(config, folders, folders["drift"])
    assert {gate["verdict"] for gate in json.loads((folders["drift"] / "drift.json").read_text())["gates"]} == {"pass"}
