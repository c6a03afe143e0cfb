"""`prefect deployment run mgvae-cohort/nightly`, typed: on the embedded database, and on Postgres with the store on S3."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import httpx
import pandas as pd
import pytest

from mgvae.results.labels import ARMS
from tests.deployments.machine import machine, on_one_core, postgres, wait_for
from tests.flows.simulated_study import CANARY, LONGER, table, write_study
from tests.s3_server import s3_server

pytestmark = pytest.mark.slow
ON_SQLITE = pytest.mark.parametrize("up", ["sqlite"], indirect=True, scope="module")  # what no database or store can change
STAGES = {"validate", "split", "encode", "pretrain", "finetune", "synthesise", "assess", "evaluate"}
STAGES |= {"model", "explain", "subgroups", "instability", "learning_curve"}
PLACED = "stages={pretrain: gpu, finetune: gpu}"
MADE: dict[str, str] = {}  # artifacts of the first night, which are the same on every machine


@pytest.fixture(scope="module", params=["sqlite", "postgres and s3"])
def up(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("machine")
    cohort = write_study(folder / "study", evaluation__arms=["none", "random_oversampling"], **LONGER)
    if request.param == "sqlite":
        with on_one_core(), machine(folder) as one:
            one.deploy(cohort)
            yield one
        return
    with s3_server() as s3, postgres() as url:
        more = {**s3, "PREFECT_SERVER_DATABASE_CONNECTION_URL": url, "MGVAE_STORE": "s3://bucket/prefix"}
        with on_one_core(), machine(folder, **more) as one:
            one.deploy(cohort)
            yield one


@pytest.fixture(scope="module")
def watched(up):
    """What `--watch` said of the first night; where the store is on S3, both pools carry it out."""
    placed = [f'settings=["{PLACED}"]'] if "MGVAE_STORE" in up.more else []
    return up.night(f"out={up.folder}/runs", *placed).stdout


@pytest.fixture(scope="module")
def first(up, watched):
    assert "Completed" in watched
    return report(up)


def report(up, run="latest"):
    return json.loads((up.folder / "runs" / "small" / run / "report.json").read_text(encoding="utf-8"))


def stages(content):
    return {stage["name"]: stage for stage in content["lineage"]["stages"]}


def check_placed(content):
    """Check that the GPU worker carried out what `PLACED` gives it, and the CPU worker the rest."""
    made = {name: (stage["ran"]["worker"], stage["ran"]["pool"]) for name, stage in stages(content).items()}
    assert {name for name, by in made.items() if by == ("mgvae-gpu", "mgvae-gpu")} == {"pretrain", "finetune"}
    assert {by for name, by in made.items() if name not in ("pretrain", "finetune")} == {("mgvae-cpu", "mgvae-cpu")}


def test_a_night_ends_completed_and_is_promoted(up, first):
    assert first["status"] in ("pass", "warn")
    assert set(stages(first)) == STAGES
    assert not [name for name, stage in stages(first).items() if stage["cached"]]
    MADE.update(MADE or first["lineage"]["artifacts"])
    assert first["lineage"]["artifacts"] == MADE, "where a stage is placed changes no byte, nor does the store"
    if "MGVAE_STORE" in up.more:
        check_placed(first)
    else:
        assert {stage["ran"]["pool"] for stage in stages(first).values()} == {"mgvae-cpu"}
    assert (up.folder / "runs" / "small" / "champion" / "predictions.parquet").exists()


def test_the_last_lines_of_the_watch_and_of_the_log_say_how_it_ended(up, watched, first):
    said = up.message_of(up.runs()[0]["id"])
    for words in (
        f"Status: {first['status']}.",
        f"Champion: {first['run_id']}.",
        f"Report: {up.report_of('small', first['run_id'])}",
    ):
        assert words in said
    assert said in " ".join(" ".join(watched.splitlines()[-12:]).split())
    assert said in " ".join((up.folder / "local" / "cpu.log").read_text(encoding="utf-8").split())


@ON_SQLITE
def test_a_quiet_night_leaves_no_traceback_and_a_database_that_readers_do_not_lock(up, first):
    for name in ("server", "cpu", "gpu"):
        log = (up.folder / "local" / f"{name}.log").read_text(encoding="utf-8")
        assert "Traceback" not in log, log[-5000:]
    with closing(sqlite3.connect(up.folder / "local" / "prefect" / "prefect.db")) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@ON_SQLITE
def test_prefect_shows_the_run_and_no_patient(up, first):
    found = {one["key"]: one for one in up.get("artifacts/latest/filter")}
    assert f"**Status: {first['status']}**" in found["mgvae-small"]["data"]
    assert f"]({up.report_of('small', first['run_id'])})" in found["mgvae-small"]["data"]
    rows = json.loads(found["mgvae-small-arms"]["data"])
    assert {row["Arm"] for row in rows} == {ARMS[arm] for arm in first["evaluation"]["arms"]}
    assert "\n## Logistic regression" in found["mgvae-small-calibration"]["data"]
    assert CANARY not in json.dumps(found)
    assert CANARY not in up.logs()


@ON_SQLITE
def test_the_report_is_served_as_it_lies_there(up, first):
    found = httpx.get(up.report_of("small", first["run_id"]))
    assert found.content == (up.folder / "runs" / "small" / "latest" / "report.html").read_bytes()


def test_the_scoring_deployment_writes_risks_with_the_champion_and_logs_counts_alone(up, first):
    patients, risks = up.folder / "today.csv", up.folder / "risks.csv"
    table(n=200, events=15, seed=9).drop(columns=["died", "family"]).to_csv(patients, index=False)
    given = {"study": "small", "patients": str(patients), "risks": str(risks), "out": f"{up.folder}/runs"}
    run = up.start("mgvae-cohort/score", **given)
    assert up.end_of(run) == "COMPLETED", up.logs()
    assert up.message_of(run).startswith(f"200 patients scored by model {first['run_id']}: ")
    table_of_risks = pd.read_csv(risks)
    assert len(table_of_risks) == 200
    assert table_of_risks["risk"].between(0, 1).all()
    assert len(list((up.folder / "runs" / "small" / "scored").glob("*.parquet"))) == 1
    assert "patient-1" not in up.logs()
    assert CANARY not in up.logs()
    refused = up.start("mgvae-cohort/score", **given | {"patients": str(up.folder / "absent.csv")})
    assert up.end_of(refused) == "FAILED"


def test_the_same_night_again_does_no_work_and_says_so(up, first):
    up.complete(out=f"{up.folder}/runs")
    run = up.runs()[0]
    assert run["state_name"] == "Completed"
    assert run["total_run_time"] < 60  # seconds; 20 on a busy machine
    tasks = up.get("task_runs/filter", flow_runs={"id": {"any_": [run["id"]]}})
    assert {task["name"] for task in tasks if task["state_name"] == "Cached"} == STAGES | {"report"}
    assert f"Nothing new: extract, settings and code are those of run {first['run_id']}." in up.logs()


@ON_SQLITE
def test_a_changed_gate_runs_from_there_on(up, first):
    up.complete(out=f"{up.folder}/runs", settings=["gates.c2st_warn=0.99"])
    again = stages(report(up))
    assert {name for name, stage in again.items() if not stage["cached"]} == {"assess", "model"}


@ON_SQLITE
def test_a_landed_extract_starts_a_run_of_its_own(up, first):
    extract = up.folder / "tomorrow.csv"
    table(n=620, events=42, seed=1).to_csv(extract, index=False)
    before = len(up.runs())
    cohort = str(up.folder / "study" / "cohort.yaml")
    api = {"PREFECT_API_URL": f"http://127.0.0.1:{up.port}/api"}
    done = type(up)(up.folder, {**up.more, **api}, up.port).call("mgvae", "land", str(extract), "--cohort", cohort)
    assert "inbox" in done.stdout
    wait_for(lambda: len(up.runs()) > before, "a run of the landed extract")
    wait_for(lambda: up.runs()[0]["state_type"] in ("COMPLETED", "FAILED", "CRASHED"), "the end of that run")
    run = up.runs()[0]
    assert run["state_name"] == "Completed", up.logs()
    assert run["parameters"]["extract"].startswith(str(up.folder / "inbox" / "small"))


@ON_SQLITE
def test_a_hostile_parameter_is_refused_before_the_run(up):
    done = up.night("cohorte=x.yaml", check=False)
    assert done.returncode == 1
    assert "cohorte" in done.stdout + done.stderr
