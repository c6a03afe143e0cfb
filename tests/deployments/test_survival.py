"""What a night must survive: processes killed at bad moments, a server that goes away, an extract that comes meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from flows.inbox.landing import land
from flows.runs.recovery import restarts
from tests.deployments.machine import machine, wait_for
from tests.flows.simulated_study import LONGER, table, write_study

pytestmark = [pytest.mark.slow, pytest.mark.survival]
# pre-training takes seconds, so that a kill falls into it; redevelopments with a generator would be ten more of it
LONG = ["training.pretrain_epochs=150", "training.patience=150", "evaluation.arms=[none, mgvae]"]
LONG += ["instability.generated=0", "learning_curve.shares=[]"]
LOST_AFTER_SECONDS = 45  # a heart beats every 30 seconds, Prefect's least
WIDE = "-ww"  # readline, which pytest imports, sets COLUMNS for children, and ps would cut command lines off
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
        one.deploy(write_study(folder / "study", **LONGER))
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
    """Bring up what was killed, and wait until the run has gone on by itself and completed."""
    up.up()
    wait_for(lambda: up.states_of(run)[-1] == "Completed", "the run to complete by itself", every=0.5)
    assert restarts(up.states_of(run)) == 1
    return made(out)


def guards(up):
    """Return the processes that stand beside the runs of this machine."""
    runs = up.flow_processes()
    listed = subprocess.run(["ps", WIDE, "-eo", "pid=,args="], text=True, capture_output=True, check=True).stdout.splitlines()
    found = [line.split(maxsplit=1) for line in listed if "flows.runs.guard" in line]
    return [int(pid) for pid, arguments in found if any(f" {run} " in arguments for run in runs)]


def workers_of(run):
    """Return the worker processes of a run."""
    command = ["ps", WIDE, "-o", "pid=,args=", "--ppid", str(run)]
    listed = subprocess.run(command, text=True, capture_output=True, check=False).stdout.splitlines()
    return [int(line.split()[0]) for line in listed if "mgvae.evaluation.parallel" in line]


def lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def stepped(process):
    """Stop a process; yield a function that lets it go on for a moment, so that no state between two moments is missed."""
    os.kill(process, signal.SIGSTOP)

    def step():
        os.kill(process, signal.SIGCONT)
        time.sleep(0.001)
        os.kill(process, signal.SIGSTOP)

    try:
        yield step
    finally:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGCONT)


def test_the_worker_is_killed_during_pretraining(up, undisturbed, tmp_path):
    out = tmp_path / "runs"
    run = up.start(out=str(out), settings=LONG)
    wait_for(lambda: on_record(out, "encode") and any((out / ".store").glob(".writing-*")), "pre-training", every=0.01)
    up.kill(up.pid("cpu"))
    assert again(up, out, run) == undisturbed
    assert cached(out)[:3] == ["validate", "split", "encode"]


def test_a_worker_that_is_stopped_leaves_no_process_no_slot_and_no_lost_night(up, undisturbed, tmp_path):
    out = tmp_path / "runs"
    run = up.start(out=str(out), settings=LONG)
    wait_for(lambda: on_record(out, "encode"), "pre-training", every=0.01)
    worker, processes = up.pid("cpu"), up.flow_processes()
    os.kill(worker, signal.SIGTERM)
    wait_for(lambda: up.states_of(run)[-1] == "AwaitingRetry", "the run to wait for a worker")
    wait_for(lambda: not any(map(lives, [worker, *processes])), "the end of all processes")
    queue = up.get("work_pools/mgvae-cpu/queues/filter")
    assert {one["name"]: one["concurrency_limit"] for one in queue}["nightly"] == 1  # counts Pending and Running
    assert again(up, out, run) == undisturbed


def test_a_run_that_is_killed_goes_on_once_and_its_workers_end(up, tmp_path):
    out = tmp_path / "runs"
    run = up.start(out=str(out), settings=LONG)
    wait_for(lambda: on_record(out, "assess"), "evaluation", every=0.01)
    # not all processes of the worker: it may look for the run of an earlier test
    workers = wait_for(lambda: [one for run in up.flow_processes() for one in workers_of(run)], "its worker processes")
    process = int(Path(f"/proc/{workers[0]}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    up.kill(process)
    wait_for(lambda: not any(map(lives, workers)), "the end of its worker processes", seconds=10)
    wait_for(lambda: up.states_of(run)[-1] in ("Running", "Retrying"), "the run to go on")
    wait_for(lambda: guards(up), "its guard")
    up.kill(*up.flow_processes())
    wait_for(lambda: up.states_of(run)[-1] == "Crashed", "the run to be given up")
    assert up.end_of(up.start("mgvae-recovery/lost", run=run)) == "COMPLETED"  # as the automations start it
    assert up.states_of(run)[-1] == "Crashed"
    assert restarts(up.states_of(run)) == 1


def test_a_run_that_is_killed_before_it_begins_holds_up_no_night(up, undisturbed, tmp_path):
    out = tmp_path / "runs"
    run = up.start(out=str(out), settings=LONG)
    wait_for(lambda: up.flow_processes() and up.states_of(run)[-1] in ("Pending", "Submitting"), "its process", every=0.05)
    up.kill(up.pid("cpu"), *up.flow_processes())  # before there is a guard, and with nobody who could tell
    assert up.states_of(run)[-1] in ("Pending", "Submitting")
    up.up()
    second = up.start(out=str(out), settings=LONG)  # the next night
    wait_for(lambda: up.states_of(second)[-1] == "Completed", "the next night", every=0.5)
    assert again(up, out, run) == undisturbed


def test_a_run_that_is_killed_before_it_begins_goes_on_by_itself(up, tmp_path):
    run = up.start(out=str(tmp_path / "runs"), settings=LONG)
    wait_for(lambda: up.flow_processes() and up.states_of(run)[-1] in ("Pending", "Submitting"), "its process", every=0.05)
    up.kill(*up.flow_processes())
    wait_for(lambda: up.states_of(run)[-1] == "Completed", "the run to complete by itself", every=0.5)
    assert restarts(up.states_of(run)) == 1


def test_the_run_is_killed_while_an_artifact_is_written(up, undisturbed, tmp_path):
    out = tmp_path / "runs"
    run = up.start(out=str(out), settings=LONG)
    (place,) = wait_for(lambda: list((out / ".store").glob(".writing-*")), "its first stage", every=0.001)
    process = int(place.name.split("-")[1])
    with stepped(process) as step:
        while not writing(out, "validation.json"):
            assert not on_record(out, "validate")
            step()
        up.kill(process)
    assert writing(out)
    assert again(up, out, run) == undisturbed
    assert not list((out / ".store").glob(".writing-*"))  # what was left half written may hold patients


def test_the_machine_is_lost_during_evaluation(up, undisturbed, tmp_path):
    out = tmp_path / "runs"
    run = up.start(out=str(out), settings=LONG)
    wait_for(lambda: on_record(out, "assess") and not on_record(out, "evaluate"), "evaluation", every=0.01)
    up.kill(*guards(up), up.pid("server"), *up.flow_processes(), up.pid("cpu"))  # nobody is left to tell
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


def test_an_extract_that_lands_during_a_run_is_taken_at_its_end(up, undisturbed, tmp_path):
    out, extract, cohort = tmp_path / "runs", tmp_path / "new.csv", up.folder / "study" / "cohort.yaml"
    table(n=610, events=41, seed=2).to_csv(extract, index=False)
    inbox = tmp_path / "inbox"  # its own: later nights would take what landed
    run = up.start(out=str(out), settings=LONG, inbox=str(inbox))
    wait_for(lambda: on_record(out, "encode"), "pre-training", every=0.01)
    landed = land(extract, cohort=cohort, inbox=inbox)  # in silence: no run of its own is started
    assert up.end_of(run) == "COMPLETED"
    run_id, artifacts, _ = made(out)
    assert run_id != undisturbed[0]
    assert artifacts["validate"] != undisturbed[1]["validate"]
    assert "drift" in artifacts
    assert f"Superseded: {landed.path.name} landed during the run on" in up.message_of(run)
    assert (out / "small" / undisturbed[0]).is_dir()  # the night that was at work was finished first


def test_a_failed_night_leaves_the_champion_and_its_predictions(up, undisturbed, tmp_path, told):
    out = tmp_path / "runs"
    up.complete(out=str(out), extract=f"{up.folder}/study/extract.csv", settings=LONG)
    champion = (out / "small" / "champion").resolve()
    before = {file: file.read_bytes() for file in champion.rglob("*") if file.is_file()}
    cut = tmp_path / "cut.csv"
    whole = (up.folder / "study" / "extract.csv").read_bytes()
    cut.write_bytes(whole[: whole.rindex(b"\n", 0, -1) + 4])  # in the first cell of the last row
    log = up.folder / "local" / "cpu.log"
    earlier = len(log.read_text())
    done = up.night(f"out={out}", f"extract={cut}", f"settings={json.dumps(LONG)}", check=False)
    assert done.returncode == 1
    assert up.runs()[0]["state_name"] == "Failed"
    assert "cut off" in log.read_text().splitlines()[-1]
    assert (out / "small" / "champion").resolve() == champion
    assert {file: file.read_bytes() for file in champion.rglob("*") if file.is_file()} == before
    failed = [one for one in up.get("artifacts/filter") if one["key"] == "mgvae-failed"]
    assert any("The champion and its predictions stay" in one["data"] and "cut off" in one["data"] for one in failed)
    wait_for(lambda: any("prefect.flow-run.Failed" in one for one in told[1]), "the webhook to be told of the failed run")
    strict = ["gates.separation_warn=6", "gates.separation_fail=5"]
    done = up.night(
        f"out={out}", f"extract={up.folder}/study/extract.csv", f"settings={json.dumps(LONG + strict)}", check=False
    )
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "Flow run finished in state 'Refused'." or "'Refused'" in done.stderr
    run = up.runs()[0]["id"]
    said = up.message_of(run)
    assert said in " ".join(done.stdout.split())
    shown = [line["message"] for line in up.get("logs/filter", logs={"flow_run_id": {"any_": [run]}}, sort="TIMESTAMP_ASC")]
    for lines in (log.read_text().splitlines(), shown):
        assert said in lines[-1]
    assert "Traceback" not in log.read_text()[earlier:] + "".join(shown)
    for words in ("Status: fail.", f"Champion: {champion.name}.", f"Report: {out / 'small'}"):
        assert words in said
    assert up.runs()[0]["state_name"] == "Refused"
    assert (out / "small" / "champion").resolve() == champion
    wait_for(lambda: any("mgvae.run.refused" in one for one in told[1]), "the webhook to be told of the failed gate")
