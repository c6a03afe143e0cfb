"""Studies computed so far: a file of JSON lines, so that a stopped benchmark goes on."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tests.benchmarks.truth.study import Task, run_study
from tests.benchmarks.truth.worlds import World

STUDIES = "studies.jsonl"
Record = dict[str, Any]


def tasks(worlds: Sequence[World], *, studies: int, seed: int) -> Iterator[Task]:
    """Yield the studies, all worlds in turn, so that a stopped benchmark has some of each."""
    for number in range(studies):
        for world in (one for one in worlds if number % one.every == 0):
            for events in world.events:
                yield Task(world.name, events, number, seed)


def read(folder: Path) -> list[Record]:
    """Return the studies in a folder; a line that was cut off is left out."""
    path = folder / STUDIES
    records = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            records.append(json.loads(line))
        except ValueError:
            continue
    return records


def compute(wanted: Sequence[Task], folder: Path, *, minutes: float, processes: int, **settings: int) -> None:
    """Compute the studies that the folder lacks, for at most so many minutes.

    Args:
        wanted: the studies, in order.
        folder: where the results lie.
        minutes: then no further study is begun.
        processes: side by side, with one thread each.
        settings: of the evaluation, see `run_study`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = {_key(record) for record in read(folder)}
    missing = iter([task for task in wanted if _key(asdict(task)) not in known])
    deadline, done = time.monotonic() + 60 * minutes, Counter[tuple[str, int]]()
    # fork would copy the threads of numerical libraries half
    with (
        (folder / STUDIES).open("a", encoding="utf-8") as file,
        ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool,
    ):
        running = {pool.submit(run_study, task, **settings) for _, task in zip(range(processes), missing, strict=False)}
        while running:
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                record = future.result()
                file.write(json.dumps(record, allow_nan=False) + "\n")
                file.flush()
                _log(record, done)
                task = next(missing, None) if time.monotonic() < deadline else None
                if task is not None:
                    running.add(pool.submit(run_study, task, **settings))


def _key(record: Record) -> tuple[Any, ...]:
    return tuple(record[name] for name in ("world", "events", "number", "seed"))


def _log(record: Record, done: Counter[tuple[str, int]], *, block: int = 10) -> None:
    kind = record["world"], record["events"]
    done[kind] += 1
    if done[kind] % block == 0:
        print(f"{kind[0]}, {kind[1]} events: {done[kind]} studies more, the last in {record['seconds']} s", flush=True)
