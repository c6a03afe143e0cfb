"""Give memory that a process no longer uses back to the system.

The C library keeps what small objects lay in for the next ones. After a large table that can be more than a gigabyte, which
other processes of a run lack.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from contextlib import suppress
from pathlib import Path

MUCH = 1 << 30  # bytes held from which giving back pays: it takes a tenth of a second
PROC = Path("/proc")


def give_back_memory() -> None:
    """Give back what is free, where the process holds `MUCH`; elsewhere, and where the system cannot, do nothing."""
    if held_bytes() < MUCH:
        return
    gc.collect()
    if "pyarrow" in sys.modules:
        sys.modules["pyarrow"].default_memory_pool().release_unused()
    with suppress(OSError, AttributeError):  # glibc alone has this
        ctypes.CDLL(None).malloc_trim(0)


def processes_of(root: int) -> list[int]:
    """Return a process, by its number, and those that it started and that live; it alone where the system does not say."""
    found, waiting = list[int](), [root]
    while waiting:
        found.append(waiting.pop())
        with suppress(OSError, ValueError):  # it may end meanwhile
            for thread in (PROC / str(found[-1]) / "task").iterdir():
                waiting += map(int, (thread / "children").read_text().split())
    return found


def held_bytes(process: str = "self") -> int:
    """Return the memory that a process, by its number, holds now (this one); 0 where the system does not say.

    Pages of files do not count: the system takes those of mapped tables back when it needs the room.
    """
    with suppress(OSError, ValueError, IndexError):
        resident, of_files = map(int, (PROC / process / "statm").read_text().split()[1:3])
        return (resident - of_files) * os.sysconf("SC_PAGE_SIZE")
    return 0
