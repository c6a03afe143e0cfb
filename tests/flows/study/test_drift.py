"""Night after night: each extract is held against the last accepted one, and a failed drift is never accepted."""

from __future__ import annotations

import pytest

from mgvae.store.artifact import Reference
from mgvae.store.local import Store
from tests.flows.flow_tools import run_study
from tests.flows.simulated_study import PLAIN, table, write_study

pytestmark = pytest.mark.usefixtures("database")


def night(out, folder, frame, *settings):
    """Run the study on another extract; drift knows nothing of arms."""
    return run_study(write_study(folder, frame, **PLAIN), out, *settings)


def in_another_unit(seed):
    frame = table(seed=seed)
    frame["visits"] *= 12
    return frame


@pytest.mark.slow
def test_an_extract_in_another_unit_fails_against_the_last_accepted_one(finished, report, tmp_path):
    assert report["drift"] is None
    result, second = night(finished.copied(tmp_path), tmp_path / "second", in_another_unit(1))
    assert (result["exit_code"], second["status"]) == (2, "fail")
    assert second["drift"]["reference"] == {
        "run_id": report["run_id"],
        "extract_sha256": report["lineage"]["extract_sha256"],
        "created_at": report["created_at"],
    }
    assert [one["name"] for one in second["drift"]["features"] if one["verdict"] == "fail"] == ["visits"]
    (drift,) = [one["detail"] for one in second["findings"] if one["code"] == "MGV208"]
    assert "has drifted" in drift
    assert "visits" in drift


@pytest.mark.slow
def test_night_after_night(finished, report, tmp_path):
    out = finished.copied(tmp_path)
    result, second = night(out, tmp_path / "second", table(seed=1))
    assert second["drift"]["reference"]["run_id"] == report["run_id"]
    assert {gate["verdict"] for gate in second["drift"]["gates"]} == {"pass"}
    assert result["exit_code"] == 0
    assert night(out, tmp_path / "second", table(seed=1))[1]["run_id"] == second["run_id"]  # nothing new

    _, third = night(out, tmp_path / "third", in_another_unit(2))
    assert third["drift"]["reference"]["run_id"] == second["run_id"]
    assert third["status"] == "fail"
    _, fourth = night(out, tmp_path / "fourth", table(seed=3))
    assert fourth["drift"]["reference"]["run_id"] == second["run_id"]  # not the one that failed
    result, fifth = night(out, tmp_path / "third", in_another_unit(2), "drift.against=nothing")
    assert (result["exit_code"], fifth["drift"]) == (0, None)
    assert "drift.against is 'nothing'" in fifth["warnings"][0]


@pytest.mark.slow
def test_a_reference_that_is_gone_is_told(finished, report, tmp_path):
    out = finished.copied(tmp_path)
    Store(out / ".store").discard(Reference("validate", report["lineage"]["artifacts"]["validate"]))
    result, second = night(out, tmp_path / "second", table(seed=1))
    assert (result["exit_code"], second["drift"]) == (0, None)
    assert "is not in the store any more" in second["warnings"][0]
