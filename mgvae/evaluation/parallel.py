"""Worker processes of this machine that independent work is spread over; a signal finds them all started, or none."""

from __future__ import annotations

import multiprocessing.resource_tracker
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeAlias

from joblib import Parallel, delayed
from joblib.externals.loky.backend import resource_tracker as loky_tracker

Spread: TypeAlias = Callable[[Callable[..., Any], Sequence[tuple[Any, ...]]], Generator[Any, None, None]]
"""Calls a function with each of the arguments, elsewhere and side by side, and yields what it returns in any order."""

STOPPING = (signal.SIGINT, signal.SIGTERM)
TAKEN_WITHIN_SECONDS = 0.5  # loky's thread ends with a traceback if it is stopped before it has taken the first work


def spread_here(n_jobs: int | None) -> Spread:
    """Return what spreads work over ``n_jobs`` processes of this machine, or one per core; closing it ends the processes."""

    def spread(function: Callable[..., Any], work: Sequence[tuple[Any, ...]]) -> Generator[Any, None, None]:
        pool = Parallel(n_jobs=min(n_jobs or cores(), len(work)), return_as="generator_unordered", pre_dispatch="n_jobs")
        found: Generator[Any, None, None] | None = None
        try:
            multiprocessing.resource_tracker.ensure_running()  # each unblocks SIGINT as it starts
            loky_tracker.ensure_running()
            with signals_held() as came:
                found = pool(delayed(function)(*arguments) for arguments in work)
                if came:
                    time.sleep(TAKEN_WITHIN_SECONDS)
            for answer in found:  # noqa: UP028 - yield from closes joblib's generator itself, with a warning
                yield answer
        finally:
            if found is not None:
                with warnings.catch_warnings():  # joblib warns of work that is given up; whoever stops knows
                    warnings.simplefilter("ignore", UserWarning)
                    found.close()

    return spread


@contextmanager
def signals_held() -> Iterator[Sequence[Any]]:
    """Let SIGINT and SIGTERM wait until the block has ended, and yield those that came.

    Outside of the main thread, which alone gets them, do nothing.

    An exception out of a signal's handler, thrown while a pool starts, leaves workers that nobody tells to go: they wait for
    work until they have been idle for 300 s, and the interpreter waits for them. Processes and threads that the block starts
    have SIGINT blocked: a terminal sends it to them too, and it is for this process to say what becomes of them.
    """
    came: list[tuple[int, FrameType | None]] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    held = {number: handler for number in STOPPING if callable(handler := signal.getsignal(number))}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        for number in held:
            signal.signal(number, lambda *what: came.append(what))
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        yield came
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in held.items():
            signal.signal(number, handler)
        for arrived, frame in came[:1]:
            held[signal.Signals(arrived)](arrived, frame)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
