"""Compare single classifiers, their mean and the majority-guided score on cohorts with few events.

    python -m tests.benchmarks.few_events --repeats 8 --minutes 30 --out runs/benchmarks/few_events

Half of a cohort has its events cut to 10, 20, 40 or 100; models are fitted there and tested on the other half, whose patients
and prevalence are left as they are. A stopped benchmark goes on where it was; after a change of a model take another folder.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.benchmarks.few_events.blocks import blocks, compute, read
from tests.benchmarks.few_events.table import table
from tests.benchmarks.oversamplers.cohorts import DATA, NAMES, load

EVENTS = (10, 20, 40, 100)


def main() -> None:
    """Compute what is missing, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.few_events", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cohorts", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--events", nargs="+", type=int, default=EVENTS)
    parser.add_argument("--repeats", type=int, default=8)
    parser.add_argument("--minutes", type=float, default=30, help="then no further block is begun")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the cohorts that do not ship")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/few_events"))
    parser.add_argument("--no-run", action="store_true", help="compute nothing; print the table of what is there")
    options = parser.parse_args()
    path = options.out / "blocks.jsonl"
    if not options.no_run:
        tables = {name: load(name, data=options.data) for name in options.cohorts}
        compute(tables, blocks(options.cohorts, options.events, options.repeats), path, minutes=options.minutes)
    print(table(read(path)))


if __name__ == "__main__":
    main()
