"""Compare classifiers on wide, sparse tables with few events.

    python -m tests.benchmarks.wide --minutes 30 --seeds 10 --out runs/benchmarks/wide

A block takes some of the events and at most 20,000 others of one half of a table, and is judged on real rows of the other half,
at natural prevalence. A stopped benchmark goes on where it was; after a change of a classifier take another folder. The table
goes to stdout, progress to stderr.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.oversamplers.cohorts import DATA
from tests.benchmarks.wide.blocks import EVENTS, METHODS, Caps, measure, wanted
from tests.benchmarks.wide.printing import table
from tests.benchmarks.wide.results import Block, Line, append, read
from tests.benchmarks.wide.tables import NAMES, WideTable, load


def run(
    blocks: Sequence[Block], methods: Sequence[str], folder: Path, *, minutes: float, caps: Caps, data: Path = DATA
) -> None:
    """Measure what the folder lacks; after so many minutes no further block is begun."""
    deadline, tables = time.monotonic() + 60 * minutes, dict[str, WideTable]()
    rows = label(caps)
    for block in blocks:
        missing = [name for name in methods if name not in read(folder, rows=rows).get(block, {})]
        if not missing:
            continue
        if time.monotonic() >= deadline:
            break
        if block.table not in tables:
            tables[block.table] = load(block.table, data)
        found = dict(measure(tables[block.table], block, missing, caps))
        append(folder, Line(block=block, rows=rows, methods=found))
        scores = ", ".join(f"{name} {one.auroc:.3f} in {one.seconds:.0f} s" for name, one in found.items())
        print(f"{block.table}, {block.events} events, seed {block.seed}: {scores}", file=sys.stderr, flush=True)


def label(caps: Caps) -> str:
    """Return the caps as the file of results names them."""
    return f"{caps.majority}/{caps.tested}"


def main() -> None:
    """Measure what is missing, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.wide", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30, help="then no further block is begun")
    parser.add_argument("--seeds", type=int, default=10, help="blocks of each kind, with seeds 0, 1, ...")
    parser.add_argument("--tables", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--events", type=int, nargs="+", default=EVENTS)
    parser.add_argument(
        "--methods",
        nargs="+",
        default=METHODS,
        help="of the library, or scored_ridge; guided_NAME: averaged with the score; mgvae_NAME: with the sampler's rows",
    )
    parser.add_argument("--majority", type=int, default=Caps.majority, help="rows without the event to learn from, at most")
    parser.add_argument("--tested", type=int, default=Caps.tested, help="rows to be judged on, at most")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the data sets that do not ship with the project")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/wide"))
    parser.add_argument("--no-run", action="store_true", help="measure nothing; print the table of what is there")
    options = parser.parse_args()
    caps = Caps(options.majority, options.tested)
    if not options.no_run:
        blocks = list(wanted(options.tables, options.events, seeds=options.seeds))
        run(blocks, options.methods, options.out, minutes=options.minutes, caps=caps, data=options.data)
    print(table(read(options.out, rows=label(caps)), tuple(options.methods)))


if __name__ == "__main__":
    main()
