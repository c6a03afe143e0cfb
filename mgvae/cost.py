"""What a piece of work costs: seconds, the most memory that the process held meanwhile, and bytes."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import astuple, dataclass
from pathlib import Path

RESET, STATUS, IO = Path("/proc/self/clear_refs"), Path("/proc/self/status"), Path("/proc/self/io")
_workers_used: ContextVar[list[Used]] = ContextVar("workers_used")


@dataclass(frozen=True)
class Cost:
    """Wall-clock seconds, and the most memory that the process held meanwhile, in MiB.

    Where the system cannot forget an earlier peak (only Linux can), it is the highest since the process began.
    """

    seconds: float
    peak_mib: float


@dataclass(frozen=True)
class Used:
    """Seconds of processors, and bytes read and written; no bytes where the system does not count them."""

    processor_seconds: float = 0.0
    read_bytes: int = 0
    written_bytes: int = 0

    def __add__(self, other: Used) -> Used:
        return Used(*map(sum, zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, other: Used) -> Used:
        return Used(*(one - two for one, two in zip(astuple(self), astuple(other), strict=True)))


def used() -> Used:
    """Return what this process has used until now, with the processes that it started and that have ended."""
    times = os.times()
    seconds = times.user + times.system + times.children_user + times.children_system
    with suppress(OSError, ValueError, KeyError):
        counts = dict(line.split(": ") for line in IO.read_text().splitlines())
        return Used(seconds, int(counts["rchar"]), int(counts["wchar"]))
    return Used(seconds)


def workers_used() -> list[Used]:
    """Return the list to which what workers use for the work of this context is added; nobody reads it outside of a count."""
    return _workers_used.get([])


@contextmanager
def counting_workers() -> Iterator[list[Used]]:
    """Yield a list of what workers that outlive the block use for calls that it makes."""
    token = _workers_used.set([])
    try:
        yield _workers_used.get()
    finally:
        _workers_used.reset(token)


@contextmanager
def measured(costs: dict[str, Cost], name: str) -> Iterator[None]:
    """Put the cost of the block into ``costs`` under ``name``."""
    with suppress(OSError):
        RESET.write_text("5")  # the peak so far is forgotten
    start = time.perf_counter()
    yield
    costs[name] = Cost(time.perf_counter() - start, peak_mib())


def peak_mib() -> float:
    """Return the most memory that this process has held, in MiB.

    On Linux not ``ru_maxrss``: a new program inherits the peak of the process that started it.
    """
    with suppress(OSError, ValueError):
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
