"""Scratch folders for atomic writes. Folders left by dead processes are removed."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = ".writing-"


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """Yield an empty folder inside ``parent`` for its owner alone; remove it after.

    What processes of this machine left there when they were killed is removed first: it may hold patient data.
    """
    _remove_abandoned(parent)
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-{platform.node()}-", dir=parent) as name:
        yield Path(name)


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{PREFIX}*"):
        process, _, rest = folder.name.removeprefix(PREFIX).partition("-")
        here = rest.rpartition("-")[0] == platform.node()
        if here and process.isdecimal() and not _alive(int(process)):
            shutil.rmtree(folder, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # it belongs to someone else, or the number is no process's
        return True
    return True
