"""What a night must survive: processes killed at bad moments, a server that goes away, an extract that comes meanwhile."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tests.deployments.machine import machine, wait_for
from tests.flows.simulated_study import table, write_study

pytestmark = pytest.mark.slow
LONG = ["training.pretrain_epochs=300", "training.patience=300", "evaluation.arms=[none, mgvae]"]
LOST_AFTER_SECONDS = 45  # a heart beats every 30 seconds, Prefect's least
FILES = ("synthetic.parquet", "predictions.parquet")


@pytest.fixture(scope="module")
def told():
    """A webhook of one's own; yields what it is told."""
    heard = []

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self):
            heard.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Webhook) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", heard
        server.shutdown()


@pytest.fixture(scope="module")
def up(tmp_path_factory, told):
    folder = tmp_path_factory.mktemp("machine")
    with machine(folder, MGVAE_WEBHOOK=told[0]) as one:
        one.deploy(write_study(folder / "study"))
        one.declare_lost_after(LOST_AFTER_SECONDS)
        yield one


@pytest.fixture(scope="module")
def undisturbed(up):
    """A run that nothing disturbs: what all others must come to."""
    up.complete(out=f"{up.folder}/undisturbed", settings=LONG)
    return made(up.folder / "undisturbed")


def made(out):
    folder = out / "small" / "latest"
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    artifacts = report["lineage"]["artifacts"]
    return report["run_id"], artifacts, {name: (folder / name).read_bytes() for name in FILES}


def cached(out):
    report = json.loads((out / "small" / "latest" / "report.json").read_text(encoding="utf-8"))
    return [stage["name"] for stage in report["lineage"]["stages"] if stage["cached"]]


def on_record(out, stage):
    return any((out / ".store" / "records").glob(f"{stage}-*"))


def writing(out, file="*"):
    """Return the files that a stage has written and that are not yet an artifact."""
    return list((out / ".store").glob(f".writing-*/artifact/{file}"))


def again(up, out, run):
    """Bring up what was killed, wait until the server knows that the run is lost, and run again."""
    up.up()
    assert up.end_of(run) == "CRASHED"
    up.complete(out=str(out), settings=LONG)
    return made(out)


def test_the_worker_is_killed_during_pretraining(up, undisturbed, tmp_path):
    out = tmp_path / "runs"
    run = up.start(out=str(out), settings=LONG)
    wait_for(lambda: on_record(out, "encode") and any((out / ".store").glob(".writing-*")), "pre-training", every=0.01)
    up.kill(up.pid("cpu"))
    assert again(up, out, run) == undisturbed
    assert cached(out)[:3] == ["validate", "split", "encode"]


def test_the_run_is_killed_while_an_artifact_is_written(up, undisturbed, tmp_path):
    for trial in range(5):
        out = tmp_path / f"runs-{trial}"
        run = up.start(out=str(out), settings=LONG)
        wait_for(lambda out=out: writing(out, "validation.json"), "an artifact half written", every=0.001)
        up.kill(*up.flow_processes())
        if writing(out):  # else the kill came when the artifact was whole
            break
    assert writing(out)
    assert again(up, out, run) == undisturbed
    assert not list((out / ".store").glob(".writing-*"))  # what was left half written may hold patients


def test_the_machine_is_lost_during_evaluation(up, undisturbed, tmp_path):
    out = tmp_path / "runs"
    run = up.start(out=str(out), settings=LONG)
    wait_for(lambda: on_record(out, "assess") and not on_record(out, "evaluate"), "evaluation", every=0.01)
    up.kill(up.pid("server"), *up.flow_processes(), up.pid("cpu"))  # nobody is left to tell; the next server misses the heart
    assert again(up, out, run) == undisturbed
    assert {"pretrain", "finetune", "synthesise", "assess"} <= set(cached(out))


def test_the_server_is_killed_and_restarted_in_mid_run(up, undisturbed, tmp_path):
    out = tmp_path / "runs"
    run = up.start(out=str(out), settings=LONG)
    wait_for(lambda: on_record(out, "encode"), "pre-training", every=0.01)
    up.kill(up.pid("server"))
    up.up()
    assert up.end_of(run) == "COMPLETED", up.logs()
    assert made(out) == undisturbed


def test_an_extract_that_lands_during_a_run_waits_for_the_next(up, undisturbed, tmp_path):
    out, extract, cohort = tmp_path / "runs", tmp_path / "new.csv", up.folder / "study" / "cohort.yaml"
    table(n=610, events=41, seed=2).to_csv(extract, index=False)
    run = up.start(out=str(out), settings=LONG)
    wait_for(lambda: on_record(out, "encode"), "pre-training", every=0.01)
    up.call("mgvae", "land", str(extract), "--cohort", str(cohort))
    assert up.end_of(run) == "COMPLETED"
    assert made(out) == undisturbed
    up.complete(out=str(out), settings=LONG)
    run_id, artifacts, _ = made(out)
    assert run_id != undisturbed[0]
    assert artifacts["validate"] != undisturbed[1]["validate"]
    assert "drift" in artifacts


def test_a_failed_night_leaves_the_champion_and_its_predictions(up, undisturbed, tmp_path, told):
    out = tmp_path / "runs"
    up.complete(out=str(out), extract=f"{up.folder}/study/extract.csv", settings=LONG)
    champion = (out / "small" / "champion").resolve()
    before = {file.name: file.read_bytes() for file in champion.iterdir()}
    cut = tmp_path / "cut.csv"
    cut.write_bytes((up.folder / "study" / "extract.csv").read_bytes()[:-7])
    done = up.night(f"out={out}", f"extract={cut}", f"settings={json.dumps(LONG)}", check=False)
    assert done.returncode == 1
    assert up.runs()[0]["state_name"] == "Failed"
    assert (out / "small" / "champion").resolve() == champion
    assert {file.name: file.read_bytes() for file in champion.iterdir()} == before
    failed = [one for one in up.get("artifacts/filter") if one["key"] == "mgvae-failed"]
    assert any("The champion and its predictions stay" in one["data"] and "cut off" in one["data"] for one in failed)
    wait_for(lambda: any("prefect.flow-run.Failed" in one for one in told[1]), "the webhook to be told of the failed run")
    strict = ["gates.separation_warn=6", "gates.separation_fail=5"]
    up.complete(out=str(out), extract=f"{up.folder}/study/extract.csv", settings=LONG + strict)
    assert up.runs()[0]["state_name"] == "Completed"
    assert (out / "small" / "champion").resolve() == champion
    wait_for(lambda: any("mgvae.run.refused" in one for one in told[1]), "the webhook to be told of the failed gate")
