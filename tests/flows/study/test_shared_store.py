"""A whole run with its store on a URL: another machine reuses all of it; damage there is named and made good."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from flows.runs.records import all_records, look_up, write_record
from flows.study.generate import generate
from mgvae.errors import ConfigError, MissingArtifactError
from mgvae.store.artifact import MANIFEST, Reference, digest_file, digest_folder
from mgvae.store.local import Store
from mgvae.store.open import open_store
from tests.deployments.machine import on_one_core
from tests.flows.command_line import refused, without_progress
from tests.flows.flow_tools import NAMES, Heard, Warned, cached, holding, read, run_study
from tests.flows.simulated_study import CANARY, PLAIN, write_study
from tests.paths import ROOT
from tests.prefect_home import prefect_home
from tests.s3_server import SECRET, s3_server

pytestmark = pytest.mark.usefixtures("database")


def slow(value):
    return pytest.param(value, marks=pytest.mark.slow)


@pytest.fixture(scope="module", params=["memory", pytest.param("s3", marks=pytest.mark.slow)])
def url(request):
    if request.param == "memory":
        yield "memory://shared/store"
        return
    with s3_server() as environment, pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        yield "s3://bucket/prefix"


@pytest.fixture(scope="module")
def first(url, finished, tmp_path_factory):
    """The run on the machine that came first. In a quick test it trains nothing: the finished run's artifacts lie there."""
    out = tmp_path_factory.mktemp("first") / "runs"
    if url.startswith("memory"):
        upload(finished, open_store(out, url))
        shutil.rmtree(out)
    return out, *run_study(finished.cohort, out, store=url)


def upload(finished, store):
    """Put the artifacts and the records of the finished run into another store."""
    own = open_store(finished.out)
    for entry in own.entries():
        folder = own.folder(entry.reference)
        about = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        store.save(entry.kind, partial(shutil.copytree, folder, dirs_exist_ok=True), about=about)
    kinds = {entry.sha256: entry.kind for entry in own.entries()}
    for key, sha256 in all_records(own).items():
        write_record(store, key, Reference(kinds[sha256], sha256))


def test_it_makes_what_a_run_with_a_local_store_makes(first, url, finished, report):
    out, result, made = first
    assert made["lineage"]["artifacts"] == report["lineage"]["artifacts"]
    assert made["run_id"] == report["run_id"]
    run = Path(result["run"])
    assert run == out / "small" / report["run_id"]
    assert digest_file(run / "synthetic.parquet") == digest_file(finished.run / "synthetic.parquet")
    assert sorted(path.name for path in out.iterdir()) == [".fetched", "small"]


def test_everything_lies_on_the_url(first, url, tmp_path):
    made = first[2]
    store = open_store(tmp_path, url)
    assert {entry.kind for entry in store.entries()} == {*NAMES, "report"}
    for stage, sha256 in made["lineage"]["artifacts"].items():
        assert digest_folder(store.folder(Reference(stage, sha256))) == sha256
    assert store.notes("runs") == [f"runs/small/{made['run_id']}"]


def test_another_machine_does_no_work(first, url, finished, tmp_path, monkeypatch):
    heard = Heard(monkeypatch)
    result, again = run_study(finished.cohort, tmp_path / "runs", store=url)
    assert heard.stages == [(name, True) for name in [*NAMES, "report"]]
    assert again == first[2]  # the report is the first machine's
    assert Path(result["run"]).parent.parent == tmp_path / "runs"


@pytest.mark.slow
def test_a_changed_gate_reuses_the_rest(first, url, finished, tmp_path):
    _, other = run_study(finished.cohort, tmp_path / "runs", "gates.c2st_warn=0.99", store=url)
    assert set(NAMES) - set(cached(other)) == {"assess", "model"}


@pytest.mark.parametrize("damage", [*map(slow, ("truncated", "missing file", "no record")), "flipped", "missing"])
def test_damage_afar_is_named_and_made_good(damage, first, url, finished, tmp_path, monkeypatch):
    sha256 = first[2]["lineage"]["artifacts"]["synthesise"]
    store = open_store(tmp_path, url)
    path = f"{store.root}/objects/{sha256[:2]}/{sha256}/features.parquet"
    whole = store.fs.cat_file(path)
    if damage == "missing file":
        store.fs.rm_file(path)
    elif damage == "missing":
        store.discard(Reference("synthesise", sha256))
    elif damage == "no record":
        for name in store.notes("records"):
            if "/synthesise-" in name:
                store.fs.pipe_file(f"{store.root}/{name}", b"{")
    else:
        store.fs.pipe_file(path, whole[:-1] if damage == "truncated" else whole[:-1] + bytes([whole[-1] ^ 1]))
    heard, warned = Heard(monkeypatch), Warned(monkeypatch)
    _, again = run_study(finished.cohort, tmp_path / "runs", store=url)
    assert [name for name, reused in heard.stages if not reused] == ["synthesise"]
    if damage != "no record":
        said = "is not in the store" if damage == "missing" else "is damaged"
        assert f"Artifact synthesise {sha256[:12]} {said}" in warned.messages[0]
        assert warned.messages[0].endswith("It is made again.")
    assert store.fs.cat_file(path) == whole
    assert again["lineage"]["artifacts"] == first[2]["lineage"]["artifacts"]


def test_generate_needs_the_same_store(first, url, finished, tmp_path):
    run = Path(first[1]["run"])
    with pytest.raises(MissingArtifactError, match=r"is not in the store .*\.store\. .*name that store here too"):
        generate(run, n=5, out=tmp_path / "more.parquet", seed=1)
    generate(run, n=5, out=tmp_path / "more.parquet", seed=1, store=url)
    generate(finished.run, n=5, out=tmp_path / "local.parquet", seed=1)
    assert digest_file(tmp_path / "more.parquet") == digest_file(tmp_path / "local.parquet")


def test_cache_commands_see_the_runs_of_all_machines(first, url, mgvae, tmp_path):
    said = mgvae("cache", "ls", "--store", url, "--out", tmp_path)
    assert said.code == 0
    assert f"small/{first[2]['run_id']}" in said.out
    assert "Freed 0 bytes" in mgvae("cache", "gc", "--keep-last", 9, "--store", url, "--out", tmp_path).out


def test_no_secret_is_written_down(first, url, database):
    out = first[0]
    assert not holding(SECRET, out, database)
    store = open_store(out, url)
    for path in store.fs.find(store.root):
        content = store.fs.cat_file(path)
        assert SECRET.encode() not in content
        assert CANARY.encode() not in content or path.endswith(".parquet")


def test_a_secret_in_a_url_is_refused_before_prefect_hears_of_it(finished, database, mgvae, tmp_path):
    said = mgvae("run", finished.cohort, "--out", tmp_path, "--store", f"s3://key:{SECRET}@bucket/x")
    refused(said, "must be a plain URL such as s3://bucket/prefix", "AWS_ACCESS_KEY_ID")
    assert SECRET not in said.err
    assert not holding(SECRET, database)


def test_an_artifact_that_goes_away_between_making_and_reading_is_made_again(finished, tmp_path, monkeypatch):
    out = finished.copied(tmp_path)
    folder, taken = Store.folder, []

    def folder_once_gone(store, reference):
        if reference.kind == "encode" and len(taken) < 2:
            taken.append(1)
            if len(taken) == 2:
                store.discard(reference)
        return folder(store, reference)

    monkeypatch.setattr(Store, "folder", folder_once_gone)
    heard = Heard(monkeypatch)
    result, _ = run_study(finished.cohort, out)
    assert [name for name, reused in heard.stages if not reused] == ["encode"]
    assert result["run"].endswith(finished.run.name)


@pytest.mark.parametrize("half", [b"", b'{"kind": "enc'])
def test_a_record_that_another_run_is_just_writing_does_no_harm(half, finished, report, tmp_path, monkeypatch):
    out = finished.copied(tmp_path)
    (record,) = (out / ".store" / "records").glob("encode-*")
    whole = record.read_bytes()

    def while_another_run_writes(store, key):
        if key == record.name:
            record.write_bytes(half)
        return look_up(store, key)

    monkeypatch.setattr("flows.study.stage_runner.look_up", while_another_run_writes)
    heard = Heard(monkeypatch)
    _, again = run_study(finished.cohort, out)
    assert [name for name, reused in heard.stages if not reused] == ["encode"]  # twice, and harmlessly
    assert again == report
    assert record.read_bytes() == whole


def test_parameters_are_confined_to_the_configured_roots(finished, tmp_path, monkeypatch, mgvae):
    monkeypatch.setenv("MGVAE_ROOTS", f"{finished.cohort.parent}:{tmp_path / 'runs'}")
    out = finished.copied(tmp_path)
    assert run_study(finished.cohort, out)[0]["exit_code"] == 0
    elsewhere = write_study(tmp_path / "elsewhere")
    for wrong, what in (
        ({"out": str(tmp_path / "other")}, "out"),
        ({"out": str(out), "extract": str(elsewhere.parent / "extract.csv")}, "extract"),
        ({"out": str(out), "settings": [f"extract={elsewhere.parent}/extract.csv"]}, "extract"),
        ({"out": str(out), "store": "memory://x"}, "store"),
        ({"out": str(out), "cohort": str(elsewhere)}, "cohort"),
    ):
        arguments = {"cohort": str(finished.cohort), **wrong}
        with pytest.raises(ConfigError, match=f"^{what}: must lie below one of the folders and URLs"):
            _flow()(**arguments)
    assert not (tmp_path / "other").exists()
    refused(mgvae("cache", "ls", "--out", tmp_path / "other"), "--out: must lie below")


def _flow():
    from flows.study.flow import cohort_flow

    return cohort_flow


@pytest.mark.slow  # of a local store, tests/mgvae/store/test_races.py
def test_two_runs_race_from_nothing_and_a_third_does_no_work(tmp_path):
    cohort = write_study(tmp_path / "study", **PLAIN)
    with s3_server() as environment:
        where = "s3://bucket/race"
        runs = [started(cohort, tmp_path, number, where, environment) for number in (0, 1)]
        for run in runs:
            _, err = run.communicate(timeout=400)
            assert (run.returncode, without_progress(err)) == (0, "")
        reports = [read({"run": str((tmp_path / f"runs-{k}" / "small" / "latest").resolve())}) for k in (0, 1)]
        assert reports[0]["lineage"]["artifacts"] == reports[1]["lineage"]["artifacts"]
        shutil.rmtree(tmp_path / "runs-1")
        again = started(cohort, tmp_path, 1, where, environment)
        assert (without_progress(again.communicate(timeout=400)[1]), again.returncode) == ("", 0)
    third = read({"run": str((tmp_path / "runs-1" / "small" / "latest").resolve())})
    assert third in reports


def started(cohort, tmp_path, number, where, environment):
    home = prefect_home(tmp_path / f"home-{number}")
    settings = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "PREFECT_HOME": str(home),
        "OMP_NUM_THREADS": "1",
        "MGVAE_STORE": where,
    }
    with on_one_core(number):
        return subprocess.Popen(
            [sys.executable, "-m", "flows.cli", "run", str(cohort), "--out", str(tmp_path / f"runs-{number}")],
            env=settings | environment | {"MGVAE_STORE": where},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
