"""What a piece of work costs: seconds, and the most memory that the process held meanwhile."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

RESET, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


@dataclass(frozen=True)
class Cost:
    """Wall-clock seconds, and the most memory that the process held meanwhile, in MiB.

    Where the system cannot forget an earlier peak (only Linux can), it is the highest since the process began.
    """

    seconds: float
    peak_mib: float


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
