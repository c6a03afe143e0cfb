"""Run stages of a study singly and print what each takes: processor time, and memory that lies in no file.

    python -m tests.benchmarks.stage_memory DIR/cohort.yaml OUT validate split encode pretrain [--set KEY=VALUE ...]

Each stage is a process of its own that reads the folders which the stages before it left in OUT; what it and its workers
hold is added up every 50 ms (Linux alone says how many there are).
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time

from mgvae.memory import held_bytes, processes_of

CHILD = """
import sys
from pathlib import Path
from flows.study.stages.registry import STAGES
from mgvae.config.study import load_config
cohort, out, name, *settings = sys.argv[1:]
(stage,) = (one for one in STAGES if one.name == name)
folder = Path(out) / name
folder.mkdir(parents=True)
stage.make(load_config(Path(cohort), settings=tuple(settings)), {need: Path(out) / need for need in stage.needs}, folder)
"""
EVERY = 0.05  # seconds


def run(cohort: str, out: str, stage: str, settings: list[str]) -> str:
    """Run a stage and return a line on what it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, cohort, out, stage, *settings], env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    together, largest = 0.0, 0.0
    while child.poll() is None:
        held = [held_bytes(str(process)) / 2**20 for process in processes_of(child.pid)]
        together, largest = max(together, sum(held)), max(largest, *held)
        time.sleep(EVERY)
    if child.returncode:
        raise SystemExit(f"Stage {stage} failed.")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return f"{stage}: {seconds:.1f} s of the processor, {together:.0f} MiB at most, {largest:.0f} of the largest process"


def main() -> None:
    """Run the stages that are named, in their order."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cohort")
    parser.add_argument("out")
    parser.add_argument("stages", nargs="+")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    options = parser.parse_args()
    for stage in options.stages:
        print(run(options.cohort, options.out, stage, options.settings), flush=True)


if __name__ == "__main__":
    main()
