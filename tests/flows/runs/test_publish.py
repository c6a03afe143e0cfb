"""The run folder: there whole or not at all; `latest` names it last; what is there is left as it is."""

import hashlib
import json
import os
import stat
from pathlib import Path

import pytest

from flows.runs import publish as publishing
from flows.runs.publish import publish
from mgvae.config.study import load_config
from mgvae.errors import StoreError
from mgvae.store.artifact import digest_file
from tests.flows.simulated_study import write_study


@pytest.fixture
def config(tmp_path):
    return load_config(write_study(tmp_path / "study"))


@pytest.fixture
def made(tmp_path):
    """Artifacts of a refused run: the report alone."""
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / "report.json").write_text('{"status": "invalid"}')
    (folder / "report.html").write_text("<p>refused")
    (folder / "manifest.json").write_text("of the artifact, not of the run")
    return {"report": folder}


def report(run_id):
    return {"study": "small", "run_id": run_id, "created_at": "2026-01-01", "status": "invalid", "lineage": {"artifacts": {}}}


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_run_folder_with_its_manifest(config, made, tmp_path):
    run = publish(config, report("one"), made, tmp_path / "runs")
    assert run == tmp_path / "runs" / "small" / "one"
    assert sorted(path.name for path in run.iterdir()) == ["manifest.json", "report.html", "report.json"]
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["files"] == {name: digest_file(run / name) for name in ("report.html", "report.json")}
    assert {key: manifest[key] for key in report("one")} == report("one")
    assert (tmp_path / "runs" / "small" / "latest").resolve() == run


def test_figures_are_files_of_the_run_for_its_owner_alone_and_those_of_before_go(config, made, tmp_path):
    figures = made["report"] / "figures"
    figures.mkdir()
    for name in ("roc.svg", "roc.csv"):
        (figures / name).write_text(name)
    run = publish(config, report("one"), made, tmp_path / "runs")
    manifest = json.loads((run / "manifest.json").read_text())
    assert {name for name in manifest["files"] if "/" in name} == {"figures/roc.csv", "figures/roc.svg"}
    assert stat.S_IMODE((run / "figures").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (run / "figures").iterdir()} == {0o600}
    (run / "figures" / "roc.svg").write_text("changed")
    (run / "figures" / "old.svg").write_text("of an earlier rendering")
    publish(config, report("one"), made, tmp_path / "runs")
    assert {path.name: path.read_text() for path in (run / "figures").iterdir()} == {"roc.csv": "roc.csv", "roc.svg": "roc.svg"}


def test_latest_is_a_relative_link_so_that_the_runs_can_be_moved(config, made, tmp_path):
    publish(config, report("one"), made, tmp_path / "runs")
    (tmp_path / "runs").rename(tmp_path / "moved")
    assert (tmp_path / "moved" / "small" / "latest").readlink().name == "one"
    assert (tmp_path / "moved" / "small" / "latest" / "report.json").exists()


def test_only_the_owner_may_read(config, made, tmp_path):
    old = os.umask(0)
    try:
        run = publish(config, report("one"), made, tmp_path / "runs")
    finally:
        os.umask(old)
    assert stat.S_IMODE(run.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in run.iterdir()} == {0o600}


def test_again_changes_nothing_but_latest(config, made, tmp_path):
    first = publish(config, report("one"), made, tmp_path / "runs")
    before = {path.name: path.stat().st_mtime_ns for path in first.iterdir()}
    publish(config, report("two"), made, tmp_path / "runs")
    (made["report"] / "report.html").write_text("<p>made later")
    assert publish(config, report("one") | {"created_at": "later"}, made, tmp_path / "runs") == first
    assert {path.name: path.stat().st_mtime_ns for path in first.iterdir()} == before
    assert (tmp_path / "runs" / "small" / "latest").readlink().name == "one"


def test_the_manifest_holds_the_audit_log_s_head_and_made_again_the_same(config, made, tmp_path):
    log = tmp_path / "small" / "audit.jsonl"
    log.parent.mkdir()
    line = b'{"run_id": "zero"}'
    log.write_bytes(line + b"\n")
    run = publish(config, report("one"), made, tmp_path)
    before = (run / "manifest.json").read_bytes()
    assert json.loads(before)["audit"] == {"lines": 1, "sha256": hashlib.sha256(line).hexdigest()}
    log.write_bytes(line + b'\n{"run_id": "one"}\n{"run_id": "two"}\n')
    (run / "report.html").unlink()
    assert (publish(config, report("one"), made, tmp_path) / "manifest.json").read_bytes() == before


@pytest.mark.parametrize("damage", ["flip", "delete", "no manifest", "other manifest", "list"])
def test_a_damaged_run_folder_is_written_anew(damage, config, made, tmp_path):
    run = publish(config, report("one"), made, tmp_path / "runs")
    whole = contents(run)
    if damage == "flip":
        (run / "report.html").write_text("<p>refuseD")
    elif damage == "delete":
        (run / "report.json").unlink()
    elif damage == "no manifest":
        (run / "manifest.json").unlink()
    else:
        (run / "manifest.json").write_text({"other manifest": "{}", "list": '{"files": []}'}[damage])
    publish(config, report("one"), made, tmp_path / "runs")
    assert contents(run) == whole


class UnluckyError(Exception):
    pass


@pytest.mark.parametrize("error", [UnluckyError("x"), KeyboardInterrupt(), OSError(28, "No space left on device")], ids=repr)
@pytest.mark.parametrize("step", ["shutil.copyfile", "digest_file", "Path.replace", "_write"])
def test_a_failure_leaves_nothing_and_latest_untouched(error, step, config, made, tmp_path, monkeypatch):
    out = tmp_path / "runs"
    publish(config, report("one"), made, out)
    before = names(out)

    def fail(*arguments, **options):
        raise error

    owner, _, name = step.rpartition(".")
    with monkeypatch.context() as patch:
        patch.setattr(vars(publishing)[owner] if owner else publishing, name, fail)
        with pytest.raises(StoreError if isinstance(error, OSError) else type(error)):
            publish(config, report("two"), made, out)
    assert names(out) == before
    assert (out / "small" / "latest").readlink().name == "one"
    publish(config, report("two"), made, out)
    assert (out / "small" / "latest").readlink().name == "two"


def test_where_latest_cannot_be_set_the_run_is_whole_and_latest_as_it_was(config, made, tmp_path, monkeypatch):
    publish(config, report("one"), made, tmp_path / "runs")

    def fail(*arguments):
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "symlink_to", fail)
        with pytest.raises(StoreError, match="Operation not permitted"):
            publish(config, report("two"), made, tmp_path / "runs")
    study = tmp_path / "runs" / "small"
    assert contents(study / "two").keys() == contents(study / "one").keys()
    assert sorted(path.name for path in study.iterdir()) == ["latest", "one", "two"]
    assert (study / "latest").readlink().name == "one"


def test_latest_that_is_a_folder_is_not_replaced(config, made, tmp_path):
    (tmp_path / "runs" / "small" / "latest").mkdir(parents=True)
    with pytest.raises(StoreError, match="must be writable"):
        publish(config, report("one"), made, tmp_path / "runs")
    assert not [name for name in names(tmp_path / "runs") if "/." in name]


def test_out_that_is_a_file(config, made, tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(StoreError, match="must be writable with space left; "):
        publish(config, report("one"), made, tmp_path / "runs")


def test_messages_keep_the_text_of_the_cause_to_themselves(config, made, tmp_path, monkeypatch):
    def fail(*arguments):
        raise OSError("cannot write patient-0417-zebra")

    monkeypatch.setattr(publishing, "_write", fail)
    with pytest.raises(StoreError, match=r"space left; OSError\.$"):
        publish(config, report("one"), made, tmp_path / "runs")
