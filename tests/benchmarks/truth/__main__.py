"""Judge the evaluation and its rule by simulated studies with a known truth.

    python -m tests.benchmarks.truth --studies 200 --minutes 60 --out runs/benchmarks/truth

A stopped benchmark goes on where it was. The verdict is drawn from the kept results each time, so a changed rule needs no new
studies (``--no-run``); after a change of the evaluation take another folder. The table goes to stdout.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.benchmarks.truth.results import compute, read, tasks
from tests.benchmarks.truth.table import table
from tests.benchmarks.truth.worlds import WORLDS


def main() -> None:
    """Compute what is missing, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.truth", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=200, help="of each world and number of events")
    parser.add_argument("--minutes", type=float, default=60, help="then no further study is begun")
    parser.add_argument("--processes", type=int, default=2, choices=(1, 2))
    parser.add_argument("--bootstrap", type=int, default=300, help="resamples behind each interval")
    parser.add_argument("--repeats", type=int, default=1, help="of the cross-validation; a study has 2 by default")
    parser.add_argument("--worlds", nargs="+", choices=tuple(WORLDS), default=tuple(WORLDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/truth"))
    parser.add_argument("--no-run", action="store_true", help="compute nothing; print the table of what is there")
    options = parser.parse_args()
    worlds = [WORLDS[name] for name in options.worlds]
    if not options.no_run:
        wanted = list(tasks(worlds, studies=options.studies, seed=options.seed))
        settings = {"bootstrap": options.bootstrap, "repeats": options.repeats}
        compute(wanted, options.out, minutes=options.minutes, processes=options.processes, **settings)
    print(table(read(options.out)))


if __name__ == "__main__":
    main()
