"""Homes of Prefect servers that tests start, with a database that is made already: making one takes half of a start."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

from tests.paths import ROOT

KEPT = ROOT / ".pytest_cache" / "prefect"
MAKE = """
import asyncio
from prefect.server.database import provide_database_interface
asyncio.run(provide_database_interface().create_db())
"""


def prefect_home(folder: Path) -> Path:
    """Make a folder the home of a server, with an empty database of this version of Prefect; return it."""
    KEPT.mkdir(parents=True, exist_ok=True)
    made = KEPT / f"{version('prefect')}.db"
    with (KEPT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            part = KEPT / "part.db"
            part.unlink(missing_ok=True)
            without = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
            settings = {"PREFECT_HOME": str(KEPT), "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{part}"}
            subprocess.run([sys.executable, "-c", MAKE], env=without | settings, capture_output=True, timeout=300, check=True)
            _copy(part, made)
    folder.mkdir(parents=True, exist_ok=True)
    _copy(made, folder / "prefect.db")
    return folder


def _copy(source: Path, target: Path) -> None:
    """Copy a database with what still stands in its log."""
    part = target.with_suffix(".copy")
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(part)) as other:
        one.backup(other)
    part.replace(target)
