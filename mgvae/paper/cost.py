"""What a stage of work costs: seconds and memory."""

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
def measured(costs: dict[str, Cost], stage: str) -> Iterator[None]:
    """Put the cost of the block into ``costs`` under ``stage``."""
    with suppress(OSError):
        RESET.write_text("5")  # the peak so far is forgotten
    start = time.perf_counter()
    yield
    costs[stage] = Cost(time.perf_counter() - start, _peak_mib())


def _peak_mib() -> float:
    with suppress(OSError, ValueError):
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
