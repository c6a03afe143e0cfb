"""A small process beside each run of a worker, which acts for it when it is killed.

A worker that is stopped kills its runs at once, and a killed process can tell nobody. The guard waits for the end of the run's
process, ends what that leaves behind, and lets the run go on elsewhere. If the worker dies, it ends the run, whose output
nobody would read.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

RUN_SETTING = "PREFECT__FLOW_RUN_ID"  # set by a worker for the process of a run
PROGRAM = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from flows.runs.guard import main; main(*sys.argv[2:])"
DONE = b"."
STOP_SECONDS = 20.0  # for a run whose worker has died, to end in order
VERDICT_SECONDS = 2.0  # a worker that lives declares a run crashed sooner
SETTLED_SECONDS = 10.0  # or later, on a busy machine; later still, mgvae-crashed-run sees to it
AWAY_SECONDS = 900.0  # how long a server may be away
LOOK_EVERY_SECONDS = 5.0
REASON = "The process of this run was ended from outside: its worker was stopped, or it was killed."


@contextmanager
def guarded() -> Iterator[None]:
    """Have a guard beside the run while the block works, where a worker started it (Linux).

    A block that ends, also by an error, needs no guard: Prefect reports it. One that is stopped by a signal does.
    """
    run = os.environ.get(RUN_SETTING)
    if run is None or not hasattr(os, "pidfd_open"):
        yield
        return
    theirs, ours = os.pipe()
    given = [json.dumps(sys.path), run, str(os.getpid()), str(os.getppid()), str(theirs)]
    process = subprocess.Popen(  # noqa: S603 - this interpreter
        [sys.executable, "-P", "-c", PROGRAM, *given],
        pass_fds=[theirs],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # the worker reads the run's output to its end
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # signals to the run's group are not for it
    )
    os.close(theirs)
    try:
        yield
    except Exception:
        _dismiss(process, ours)
        raise
    _dismiss(process, ours)


def main(run: str, process: str, worker: str, pipe: str) -> None:
    """Wait for the end of a run's process, and act if it was killed.

    Args:
        run: the flow run's id.
        process: its process.
        worker: the process that started it.
        pipe: file descriptor on which a byte comes when no guard is needed any more.
    """
    pid = int(process)
    leads = _leads(pid)
    if not _outlived(pid, _opened(int(worker)), int(pipe)):
        return
    if leads:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)  # its own worker processes hold patients' rows
    _speak(UUID(run), _opened(int(worker)))


def _dismiss(process: subprocess.Popen[bytes], ours: int) -> None:
    with suppress(OSError):
        os.write(ours, DONE)
    os.close(ours)
    with suppress(subprocess.TimeoutExpired):
        process.wait(5)


def _leads(pid: int) -> bool:
    with suppress(ProcessLookupError):
        return os.getpgid(pid) == pid
    return False


def _outlived(pid: int, worker: int | None, pipe: int) -> bool:
    """Return whether the run's process ended without saying that it was done."""
    run = _opened(pid)
    waiting = [one for one in (run, worker, pipe) if one is not None]
    while True:
        ready = select.select(waiting, [], [], None if run is not None else 0)[0]
        if pipe in ready:
            if os.read(pipe, 1) == DONE:
                return False
            waiting.remove(pipe)
        if run is None or run in ready:
            return True
        if worker in ready:
            _stop(pid, run)
            return True


def _stop(pid: int, run: int) -> None:
    """Stop the run's process, in order if it lets itself be stopped so."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        if select.select([run], [], [], STOP_SECONDS)[0]:
            return


def _opened(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _speak(run: UUID, worker: int | None) -> None:
    """Let the run go on elsewhere, as soon as the server answers."""
    deadline = time.monotonic() + AWAY_SECONDS
    while time.monotonic() < deadline:
        with suppress(Exception):
            _recover(run, worker)
            return
        time.sleep(LOOK_EVERY_SECONDS)


def _recover(run: UUID, worker: int | None) -> None:
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    from flows.runs.recovery import AGAIN, CRASHED, names_of_states, run_again

    def lives() -> bool:
        return worker is not None and not select.select([worker], [], [], 0)[0]

    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 2}), get_client(sync_client=True) as client:
        end = time.monotonic() + VERDICT_SECONDS
        while lives() and time.monotonic() < end and CRASHED not in names_of_states(client, run)[-1:]:
            time.sleep(0.2)
        again = run_again(client, run, REASON) == AGAIN
        end = time.monotonic() + SETTLED_SECONDS
        while again and lives() and time.monotonic() < end:
            if names_of_states(client, run)[-2:] == [AGAIN, CRASHED]:  # the worker's verdict on the process that has gone
                run_again(client, run, REASON)
                return
            time.sleep(0.5)


if __name__ == "__main__":
    main(*sys.argv[1:])
