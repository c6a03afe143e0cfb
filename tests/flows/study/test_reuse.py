"""A run does again only what changed, mends what is damaged, and makes the same bytes from the same seed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mgvae.store.artifact import digest_file
from tests.flows.flow_tools import NAMES, Heard, Warned, artifact, cached, run_study
from tests.flows.simulated_study import BRIEF, table, write_study

AFTER_EVALUATION = ("model", "explain", "subgroups", "instability", "learning_curve")
pytestmark = pytest.mark.usefixtures("database")


def test_a_second_run_does_no_work(finished, report, tmp_path, monkeypatch):
    out = finished.copied(tmp_path)
    monkeypatch.setattr("flows.study.flow.make_here", lambda *_: pytest.fail("a stage was made again"))
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    heard = Heard(monkeypatch)
    result, again = run_study(finished.cohort, out)
    assert result["run"] == str(out / "small" / report["run_id"])
    assert again == report
    assert heard.stages == [(name, True) for name in [*NAMES, "report"]]
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()} == before


def test_a_moved_extract_is_the_same_extract(finished, report, tmp_path, monkeypatch):
    shutil.copy(finished.cohort.parent / "extract.csv", tmp_path / "tonight.csv")
    heard = Heard(monkeypatch)
    _, again = run_study(finished.cohort, finished.copied(tmp_path), extract=str(tmp_path / "tonight.csv"))
    assert again["run_id"] == report["run_id"]
    assert all(reused for _, reused in heard.stages)


@pytest.mark.parametrize(
    ("setting", "redone"),
    [
        pytest.param("evaluation.bootstrap=60", {"evaluate", *AFTER_EVALUATION}, marks=pytest.mark.slow),
        ("instability.redevelopments=11", {"instability"}),
        ("learning_curve.shares=[0.6]", {"learning_curve"}),
        ("gates.c2st_warn=0.99", {"assess", "model"}),
        pytest.param(
            "synthesis.prevalence=0.3", {"synthesise", "assess", "evaluate", *AFTER_EVALUATION}, marks=pytest.mark.slow
        ),
        ("title=Another title", set()),
    ],
)
def test_a_changed_setting_redoes_what_depends_on_it(setting, redone, finished, report, tmp_path):
    out = finished.copied(tmp_path)
    _, other = run_study(finished.cohort, out, setting)
    assert set(NAMES) - set(cached(other)) == redone
    assert other["run_id"] != report["run_id"]
    assert sorted(path.name for path in (out / "small").iterdir()) == sorted(["latest", report["run_id"], other["run_id"]])
    assert (out / "small" / "latest").resolve().name == other["run_id"]


@pytest.mark.slow
def test_a_changed_cell_redoes_the_reading_and_all_that_comes_of_it(finished, report, tmp_path):
    frame = table()
    frame.loc[0, "age"] += 1
    _, other = run_study(write_study(tmp_path / "study", frame, **BRIEF), finished.copied(tmp_path))
    assert cached(other) == []
    assert other["lineage"]["extract_sha256"] != report["lineage"]["extract_sha256"]


def test_an_unread_column_changes_nothing_after_the_reading(finished, report, tmp_path):
    _, other = run_study(write_study(tmp_path / "study", table().assign(note="x"), **BRIEF), finished.copied(tmp_path))
    assert "split" not in cached(other)  # validation.json names the unlisted column
    assert cached(other) == NAMES[2:]
    assert other["validation"]["unlisted"] == ["note"]
    assert other["lineage"]["artifacts"]["finetune"] == report["lineage"]["artifacts"]["finetune"]


@pytest.mark.parametrize("stage", ["pretrain", "synthesise", "validate"])
def test_a_damaged_artifact_is_named_and_made_again_byte_by_byte(stage, finished, report, tmp_path, monkeypatch):
    out = finished.copied(tmp_path)
    folder = artifact(out, report, stage)
    file = max((path for path in folder.iterdir() if path.suffix in (".parquet", ".safetensors")), key=lambda p: p.name)
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    heard, warned = Heard(monkeypatch), Warned(monkeypatch)
    _, again = run_study(finished.cohort, out)
    digest = report["lineage"]["artifacts"][stage][:12]
    assert warned.messages == [f"Artifact {stage} {digest} is damaged: its bytes do not match its digest. It is made again."]
    assert [name for name, reused in heard.stages if not reused] == [stage]
    assert file.read_bytes() == whole
    assert again == report


def test_a_lost_artifact_is_made_again(finished, report, tmp_path, monkeypatch):
    out = finished.copied(tmp_path)
    shutil.rmtree(artifact(out, report, "encode"))
    heard = Heard(monkeypatch)
    run_study(finished.cohort, out)
    assert [name for name, reused in heard.stages if not reused] == ["encode"]


def test_a_damaged_run_folder_is_written_anew(finished, tmp_path, drawn_figures):
    out = finished.copied(tmp_path)
    run = out / "small" / finished.run.name
    whole = {path.name: path.read_bytes() for path in run.rglob("*.*")}
    (run / "synthetic.parquet").write_bytes(b"PAR1")
    run_study(finished.cohort, out)
    assert {path.name: path.read_bytes() for path in run.rglob("*.*")} == whole


@pytest.fixture(scope="module")
def fresh(finished, tmp_path_factory):
    """The same study in an empty store."""
    return run_study(finished.cohort, tmp_path_factory.mktemp("fresh"))


def test_the_same_seed_makes_the_same_bytes_in_a_fresh_store(fresh, finished, report):
    result, again = fresh
    assert cached(again) == []
    assert again["lineage"]["artifacts"] == report["lineage"]["artifacts"]
    assert digest_file(Path(result["run"]) / "synthetic.parquet") == digest_file(finished.run / "synthetic.parquet")
    assert again["run_id"] == report["run_id"]


def test_the_same_seed_makes_the_same_report_but_for_the_clock(fresh, report):
    again = fresh[1]
    assert timeless(again) == timeless(report)


@pytest.mark.slow
def test_another_seed_makes_other_rows_of_the_same_extract(finished, report, tmp_path):
    _, other = run_study(finished.cohort, finished.copied(tmp_path), seed=1)
    assert other["lineage"]["seed"] == 1
    assert cached(other) == ["validate"]
    assert other["run_id"] != report["run_id"]
    assert other["lineage"]["artifacts"]["synthesise"] != report["lineage"]["artifacts"]["synthesise"]


def timeless(report):
    """Return a report without what the clock says."""
    training = {
        part: {k: v for k, v in report["training"][part].items() if k != "seconds"} for part in ("pretrain", "finetune")
    }
    lineage = {key: value for key, value in report["lineage"].items() if key != "stages"}
    return {**report, "created_at": None, "training": training, "lineage": lineage}
