"""What a stage costs: time, memory and bytes, kept beside its artifact for the lineage.

Worker processes of the evaluation count: their time with each answer or when they have ended, their memory while they
live.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from pydantic import ValidationError

from flows.study.stages.stage import read_json, write_json
from mgvae.cost import counting_workers, used
from mgvae.memory import held_bytes, processes_of
from mgvae.report.schema import StageCost
from mgvae.store.artifact import CLOCK

SAMPLED_EVERY = 0.25  # seconds
COST = "cost"


@contextmanager
def recorded_cost(folder: Path) -> Iterator[None]:
    """Write what the block costs into the clock file of an artifact's folder, which no digest covers."""
    ended, peaks = threading.Event(), [held_mib()]

    def watch() -> None:
        while not ended.wait(SAMPLED_EVERY):
            peaks.append(max(peaks.pop(), held_mib()))

    watcher = threading.Thread(target=watch, name="peak memory", daemon=True)
    wall, before = time.perf_counter(), used()
    watcher.start()
    try:
        with counting_workers() as workers:
            yield
    finally:
        ended.set()
        watcher.join()
    total = sum(workers, used() - before)
    cost = StageCost(seconds=time.perf_counter() - wall, peak_mib=max(*peaks, held_mib()), **asdict(total))
    known = read_json(folder / CLOCK) if (folder / CLOCK).exists() else {}
    write_json(folder / CLOCK, {**known, COST: cost.model_dump(mode="json")})


def cost_of(folder: Path) -> StageCost | None:
    """Return what it cost to make an artifact; None where its clock file does not say."""
    try:
        return StageCost.model_validate(json.loads((folder / CLOCK).read_text(encoding="utf-8"))[COST])
    except (OSError, ValueError, KeyError, TypeError, ValidationError):
        return None


def held_mib(root: int | None = None) -> float:
    """Return the memory that a process (this one) and those that it started hold now, in MiB; 0 where the system does not say.

    Pages that two of them share count twice, those of files not at all.
    """
    processes = processes_of(os.getpid() if root is None else root)
    return sum(held_bytes(str(process)) for process in processes) / 2**20
