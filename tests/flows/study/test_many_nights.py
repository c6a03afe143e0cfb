"""Many nights in one process: no file, handle, thread or memory is left behind, and the last is as quick.

Twenty-four nights unless the environment variable NIGHTS names another number; two hundred take four minutes.
"""

from __future__ import annotations

import gc
import os
import statistics
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from flows.inbox.landing import land
from flows.study.flow import cohort_flow
from flows.study.outcome import result_of
from tests.flows.simulated_study import PLAIN, table, write_study

pytestmark = pytest.mark.slow
NIGHTS = int(os.environ.get("NIGHTS", "24"))
SETTLED, EVERY = 8, 12  # after 8 nights all is warm; a new extract every 12th night


def handles():
    return len(list(Path("/proc/self/fd").iterdir()))


def processor_seconds():
    """Return how long this process and its server have worked; what the clock says depends on what else the machine does."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # a process that has just ended
            _, parent, *rest = path.read_text().rpartition(")")[2].split()
            ticks += int(parent) == os.getpid() and int(rest[9]) + int(rest[10])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def resident_mib():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts handles in /proc")
def test_many_nights(database, tmp_path):
    cohort, out, inbox = write_study(tmp_path / "study", **PLAIN), tmp_path / "runs", tmp_path / "inbox"
    seconds, states, runs = [], [], []
    before = {}
    for night in range(NIGHTS):
        fresh = night % EVERY == 0
        if fresh:
            extract = tmp_path / f"{night}.csv"
            table(n=600 + night, events=40, seed=night).to_csv(extract, index=False)
            land(extract, cohort=cohort, inbox=inbox)
        known = files(out) if out.exists() else set()
        start = processor_seconds()
        result = result_of(cohort_flow, str(cohort), out=str(out), inbox=str(inbox), promote=True)
        seconds.append(processor_seconds() - start)
        states.append(result["status"])
        runs.append(result["run"])
        if not fresh:
            assert files(out) == known, "a night with nothing new leaves nothing"
        if night in (SETTLED, NIGHTS - 1):
            gc.collect()
            before[night] = (handles(), threading.active_count(), resident_mib())
    assert set(states) <= {"pass", "warn"}
    assert len(set(runs)) == -(-NIGHTS // EVERY)
    (few, early, small), (many, late, large) = before[SETTLED], before[NIGHTS - 1]
    assert many <= few + 4
    assert late <= early + 2
    assert large <= small + 48
    quiet = [one for night, one in enumerate(seconds) if night % EVERY]
    assert statistics.median(quiet[-11:]) < 1.5 * statistics.median(quiet[:11]) + 0.1
