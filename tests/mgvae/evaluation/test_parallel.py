"""Worker processes: the work is done; whoever stops, at whatever moment, is not kept waiting and leaves none behind."""

import os
import signal
import subprocess
import sys
import time

import pytest

from mgvae.evaluation.parallel import signals_held, spread_here

STOPPED_WHILE_STARTING = """
import multiprocessing.process, os, signal, sys, time
from mgvae.evaluation.parallel import spread_here

def leave(number, frame):
    raise SystemExit(128 + number)

start = multiprocessing.process.BaseProcess.start

def started_and_stopped(process):
    start(process)
    os.kill(os.getpid(), signal.SIGTERM)

signal.signal(signal.SIGTERM, leave)
multiprocessing.process.BaseProcess.start = started_and_stopped
try:
    list(spread_here(2)(time.sleep, [(60,)] * 4))
finally:
    time.sleep(3)  # the workers are up before the program ends, as they are where a run has more to tidy up
"""


@pytest.mark.parametrize("jobs", [1, 2, None])
def test_all_work_is_done_once(jobs):
    assert sorted(spread_here(jobs)(divmod, [(number, 3) for number in range(7)])) == [divmod(n, 3) for n in range(7)]


def test_a_signal_that_comes_while_the_workers_start_ends_them_and_the_program():
    program = subprocess.Popen(
        [sys.executable, "-c", STOPPED_WHILE_STARTING], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        _, err = program.communicate(timeout=50)  # the pipe closes when the last worker is gone
    finally:
        if program.poll() is None:
            os.killpg(program.pid, signal.SIGKILL)
            program.wait()
    assert program.returncode == 143
    assert "Traceback" not in err


def test_closing_ends_the_workers_in_the_middle_of_their_work():
    start = time.monotonic()
    answers = spread_here(2)(time.sleep, [(0,), (60,), (60,)])
    assert next(answers) is None
    answers.close()
    assert time.monotonic() - start < 30


def _fail_after_a_signal():
    with signals_held():
        os.kill(os.getpid(), signal.SIGTERM)
        raise RuntimeError("the block failed")


def test_a_held_signal_is_handled_once_the_block_has_ended():
    arrived = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: arrived.append(number))
    try:
        with signals_held():
            os.kill(os.getpid(), signal.SIGTERM)
            assert arrived == []
        assert arrived == [signal.SIGTERM]
        with pytest.raises(RuntimeError, match="the block failed"):
            _fail_after_a_signal()
        assert arrived == [signal.SIGTERM] * 2
    finally:
        signal.signal(signal.SIGTERM, before)


def test_in_another_thread_signals_are_left_alone():
    from concurrent.futures import ThreadPoolExecutor

    def handler_within():
        with signals_held():
            return signal.getsignal(signal.SIGTERM)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(handler_within).result() is signal.getsignal(signal.SIGTERM)
