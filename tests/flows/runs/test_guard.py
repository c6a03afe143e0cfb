"""A run that is killed has somebody to speak for it, and leaves no process behind."""

import os
import signal
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import pytest

from flows.runs import guard
from tests.deployments.machine import wait_for

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux")
RUN = str(uuid.uuid4())
SLEEP = "import time; time.sleep(120)"
# as a run with a worker process of its own; it says when both live
WITH_CHILD = (
    "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(120)']); "
    "print(child.pid, flush=True); child.wait()"
)


@pytest.fixture
def spoken(monkeypatch):
    said = []
    monkeypatch.setattr(guard, "_speak", lambda run, worker: said.append(str(run)))
    return said


@pytest.fixture
def started():
    processes = []

    def start(code):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True)
        processes.append(process)
        threading.Thread(target=process.wait, daemon=True).start()  # as its parent would
        return process

    yield start
    for process in processes:
        process.kill()
        process.stdout.close()


@pytest.fixture
def pipe():
    theirs, ours = os.pipe()
    yield theirs, ours
    for one in (theirs, ours):
        os.close(one)


def lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def watching(process, worker, pipe):
    thread = threading.Thread(target=guard.main, args=(RUN, str(process.pid), str(worker.pid), str(pipe[0])))
    thread.start()
    return thread


def test_a_killed_run_is_spoken_for_and_its_processes_end(spoken, started, pipe):
    run, worker = started(WITH_CHILD), started(SLEEP)
    child = int(run.stdout.readline())
    thread = watching(run, worker, pipe)
    assert lives(child)
    os.kill(run.pid, signal.SIGKILL)
    thread.join(30)
    assert spoken == [RUN]
    wait_for(lambda: not lives(child), "the end of the run's own worker process", seconds=5)
    assert lives(worker.pid)


def test_a_run_that_says_it_is_done_is_left_alone(spoken, started, pipe):
    run, worker = started(SLEEP), started(SLEEP)
    thread = watching(run, worker, pipe)
    os.write(pipe[1], guard.DONE)
    thread.join(30)
    assert spoken == []
    assert lives(run.pid)


def test_a_run_that_was_done_when_it_ended_is_not_spoken_for(spoken, started, pipe):
    run, worker = started(SLEEP), started(SLEEP)
    os.write(pipe[1], guard.DONE)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    watching(run, worker, pipe).join(30)
    assert spoken == []


def test_a_run_whose_worker_dies_is_stopped_in_order(spoken, started, pipe):
    run, worker = started(SLEEP), started(SLEEP)
    thread = watching(run, worker, pipe)
    os.kill(worker.pid, signal.SIGKILL)
    thread.join(30)
    assert spoken == [RUN]
    assert run.wait(5) == -signal.SIGTERM


def test_a_run_that_does_not_stop_in_time_is_killed(spoken, started, pipe, monkeypatch):
    monkeypatch.setattr(guard, "STOP_SECONDS", 1.0)
    run, worker = (
        started(f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); {SLEEP}"),
        started(SLEEP),
    )
    run.stdout.readline()
    thread = watching(run, worker, pipe)
    os.kill(worker.pid, signal.SIGKILL)
    thread.join(30)
    assert spoken == [RUN]
    assert run.wait(5) == -signal.SIGKILL


def test_outside_of_a_worker_there_is_no_guard(monkeypatch):
    monkeypatch.delenv(guard.RUN_SETTING, raising=False)
    monkeypatch.setattr(guard.subprocess, "Popen", lambda *a, **b: pytest.fail("a process was started"))
    with guard.guarded():
        pass


@pytest.mark.parametrize("error", [None, ValueError])
def test_the_guard_of_a_block_that_ends_goes(error, monkeypatch):
    monkeypatch.setenv(guard.RUN_SETTING, RUN)
    started, popen = [], subprocess.Popen
    monkeypatch.setattr(guard.subprocess, "Popen", lambda *a, **b: started.append(popen(*a, **b)) or started[0])
    try:
        with guard.guarded():
            if error:
                raise error
    except ValueError:
        pass
    assert started[0].returncode == 0
