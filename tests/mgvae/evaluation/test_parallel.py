"""Worker processes: the work is done; whoever stops, at whatever moment, is not kept waiting and leaves none behind."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import BrokenExecutor, as_completed, wait

import pytest

from mgvae.errors import OutcomeError
from mgvae.evaluation.parallel import ProcessPool

STOPPED_WHILE_STARTING = """
import os, signal, subprocess, sys, time
from mgvae.evaluation.parallel import ProcessPool

def leave(number, frame):
    raise SystemExit(128 + number)

start = subprocess.Popen

def started_and_stopped(*arguments, **options):
    process = start(*arguments, **options)
    os.kill(os.getpid(), signal.SIGTERM)
    return process

signal.signal(signal.SIGTERM, leave)
subprocess.Popen = started_and_stopped
try:
    with ProcessPool(2) as pool:
        for future in [pool.submit(time.sleep, 60) for _ in range(4)]:
            future.result()
finally:
    time.sleep(3)  # the workers would be up before the program ends, as they would where a run has more to tidy up
"""

AT_WORK = """
import os, sys, time
from mgvae.evaluation.parallel import ProcessPool

with ProcessPool(2) as pool:
    print(pool.submit(os.getpid).result(), flush=True)
    for future in [pool.submit(time.sleep, 60) for _ in range(4)]:
        future.result()
"""


IN_A_LONG_CALL = """
import os, time
from mgvae.evaluation.parallel import ProcessPool

# as a library that computes without giving other threads a turn
HOLD = "import ctypes; ctypes.PyDLL(None).usleep(40_000_000)"
with ProcessPool(1) as pool:
    print(pool.submit(os.getpid).result(), flush=True)
    pool.submit(exec, HOLD)
    time.sleep(60)
"""


def program(text, **options):
    return subprocess.Popen(
        [sys.executable, "-c", text],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        **options,
    )


def end_of(started):
    """Return the code of a program that was stopped and what it said; its pipes close when the last worker is gone."""
    with started:
        try:
            _, err = started.communicate(timeout=50)
        finally:
            started.kill()
    return started.returncode, err


@pytest.mark.parametrize("workers", [1, 2])
def test_all_work_is_done_once(workers):
    with ProcessPool(workers) as pool:
        futures = [pool.submit(divmod, number, 3) for number in range(7)]
        assert [future.result() for future in futures] == [divmod(number, 3) for number in range(7)]


def test_what_comes_next_overtakes_all_that_waits():
    ended = []
    with ProcessPool(1) as pool:
        pool.submit(divmod, 7, 3).result()
        pool.submit(time.sleep, 0.5)
        for name, submit in (("first", pool.submit), ("second", pool.submit), ("urgent", pool.submit_next)):
            submit(divmod, 7, 3).add_done_callback(lambda _, name=name: ended.append(name))
    assert ended == ["urgent", "first", "second"]


def test_work_is_done_side_by_side_and_elsewhere():
    with ProcessPool(2) as pool:
        futures = [pool.submit(time.sleep, 0.5) for _ in range(2)] + [pool.submit(os.getpid) for _ in range(20)]
        wait(futures)
        assert os.getpid() not in {future.result() for future in futures}


def test_a_signal_that_comes_while_the_workers_start_ends_them_and_the_program():
    code, err = end_of(program(STOPPED_WHILE_STARTING))
    assert code == 143
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("send", "number"),
    [(os.kill, signal.SIGINT), (os.killpg, signal.SIGINT), (os.kill, signal.SIGKILL)],
    ids=["SIGINT", "Ctrl-C at a terminal", "SIGKILL"],
)
def test_workers_at_work_end_with_the_program_however_it_ends(send, number):
    started = program(AT_WORK)
    assert int(started.stdout.readline()) != started.pid
    send(started.pid, number)
    start = time.monotonic()
    code, err = end_of(started)
    assert time.monotonic() - start < 30
    assert code == -number
    assert err.count("Traceback") == (number == signal.SIGINT)  # of the program's own main thread


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel to end the worker")
def test_a_worker_in_a_call_that_lets_no_other_thread_run_ends_too():
    started = program(IN_A_LONG_CALL)
    started.stdout.readline()
    time.sleep(1.5)  # until the call is at work
    start = time.monotonic()
    os.kill(started.pid, signal.SIGKILL)
    end_of(started)
    assert time.monotonic() - start < 20


def _leave_the_block():
    with ProcessPool(2) as pool:
        futures = [pool.submit(time.sleep, seconds) for seconds in (0, 60, 60, 60)]
        next(as_completed(futures))
        raise RuntimeError("the block failed")


def test_an_exception_ends_the_workers_in_the_middle_of_their_work():
    start = time.monotonic()
    with pytest.raises(RuntimeError, match="the block failed"):
        _leave_the_block()
    assert time.monotonic() - start < 30


def test_giving_up_ends_all_calls_and_takes_no_more():
    pool = ProcessPool(1)
    futures = [pool.submit(time.sleep, 60) for _ in range(3)]
    pool.shutdown(wait=False)
    assert all(future.done() for future in futures)
    assert futures[2].cancelled()
    with pytest.raises(RuntimeError, match="must be open"):
        pool.submit(time.sleep, 0)


def test_calls_that_have_not_begun_can_be_cancelled_alone():
    pool = ProcessPool(1)
    futures = [pool.submit(divmod, 7, 3)]
    assert futures[0].result() == (2, 1)
    futures += [pool.submit(time.sleep, seconds) for seconds in (1, 60, 60)]
    while not futures[1].running():
        time.sleep(0.01)
    pool.shutdown(cancel_futures=True)
    assert futures[1].result() is None
    assert futures[2].cancelled()
    assert futures[3].cancelled()


def test_the_error_of_a_call_is_raised_here_with_where_it_arose():
    with ProcessPool(1) as pool:
        with pytest.raises(ZeroDivisionError, match="division") as raised:
            pool.submit(divmod, 1, 0).result()
        assert "function(*args, **kwargs)" in raised.value.__notes__[0]
        assert raised.value.arose.startswith("parallel.py, line ")
        assert pool.submit(divmod, 7, 3).result() == (2, 1)


def _refuse():
    raise OutcomeError("too few events")


def test_an_error_raised_on_purpose_says_what_it_says_and_no_more():
    with ProcessPool(1) as pool, pytest.raises(OutcomeError, match="too few events") as raised:
        pool.submit(_refuse).result()
    assert not hasattr(raised.value, "__notes__")


def _raise_what_cannot_travel():
    raise type("Local", (Exception,), {})("with a patient's value")


def test_an_error_that_cannot_travel_is_named():
    with ProcessPool(1) as pool, pytest.raises(RuntimeError, match=r"^Local in a worker process$"):
        pool.submit(_raise_what_cannot_travel).result()


def test_what_cannot_be_pickled_fails_alone():
    with ProcessPool(1) as pool:
        with pytest.raises(Exception, match="pickle"):
            pool.submit(lambda: 0).result()
        assert pool.submit(divmod, 7, 3).result() == (2, 1)


def test_a_worker_that_is_killed_is_told_and_replaced():
    with ProcessPool(1) as pool:
        victim = pool.submit(os.getpid).result()
        with pytest.raises(BrokenExecutor, match="was killed"):
            pool.submit(os.kill, victim, signal.SIGKILL).result()
        assert pool.submit(os.getpid).result() != victim
