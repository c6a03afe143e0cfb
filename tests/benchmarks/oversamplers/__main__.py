"""Compare ways to treat imbalance on real cohorts.

    python -m tests.benchmarks.oversamplers --cohorts nafld,mi_complications,crash2,actg320,diabetes130 --seeds 3
    python -m tests.benchmarks.oversamplers --speed [--full] [--rows 20000]

Every arm is fitted on the training folds of repeated stratified cross-validation (groups stay together) and tested on real rows
at natural prevalence: raw probabilities, threshold 0.5. A stopped study goes on where it was; a changed sampler is measured
again. Tables go to stdout, progress to stderr.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.benchmarks.oversamplers import speed
from tests.benchmarks.oversamplers.arms import ARMS, available
from tests.benchmarks.oversamplers.cohorts import BUNDLES, DATA, NAMES, expand, load
from tests.benchmarks.oversamplers.printing import report
from tests.benchmarks.oversamplers.scoring import CLASSIFIERS
from tests.benchmarks.oversamplers.study import run

RESULTS = Path("runs/benchmarks/oversamplers.jsonl")


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.oversamplers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--cohorts",
        type=_names,
        default=list(NAMES),
        help=f"comma-separated, of: {', '.join((*NAMES, *BUNDLES))}; default: all",
    )
    parser.add_argument("--arms", type=_names, default=list(ARMS), help=f"comma-separated, of: {', '.join(ARMS)}; default: all")
    parser.add_argument("--seeds", type=int, default=3, help="how often the folds are drawn anew, from seeds 0, 1, ...")
    parser.add_argument("--ablation-seeds", type=int, default=1, help="the same for the ablations of the sampler")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument(
        "--classifiers",
        choices=CLASSIFIERS,
        default="library",
        help="library: as a study uses them; sklearn: scikit-learn's defaults for boosting",
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the cohorts that do not ship with the project")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file of results, reused")
    parser.add_argument("--jobs", type=int, default=2, help="processes, of one thread each")
    parser.add_argument("--no-run", action="store_true", help="measure nothing; print what the file of results holds")
    parser.add_argument("--speed", action="store_true", help="time and memory on a simulated table of 40 columns instead")
    parser.add_argument("--full", action="store_true", help="with --speed: train CTGAN for all of its 300 epochs")
    parser.add_argument("--rows", type=int, default=speed.ROWS, help="with --speed: rows of that table")
    return parser


def main() -> None:
    """Run what the command line asks for."""
    parser = _parser()
    options = parser.parse_args()
    if options.speed:
        speed.main(full=options.full, rows=options.rows)
        return
    unknown = sorted(set(options.arms) - set(ARMS))
    if unknown:
        parser.error(f"arms must be among {', '.join(ARMS)}; got {', '.join(unknown)}")
    try:
        tables = [load(name, data=options.data) for name in expand(options.cohorts)]
    except (ValueError, FileNotFoundError) as error:
        parser.error(str(error))
    for arm in options.arms:
        if (reason := available(arm)) is not None:
            print(f"{arm} is left out: {reason}")
    classifiers = CLASSIFIERS[options.classifiers]
    results = run(
        tables,
        options.arms,
        seeds=options.seeds,
        ablation_seeds=options.ablation_seeds,
        n_folds=options.folds,
        classifiers=classifiers,
        path=options.results,
        jobs=options.jobs,
        measuring=not options.no_run,
    )
    drawn = {"seeds": options.seeds, "ablation_seeds": options.ablation_seeds, "n_folds": options.folds}
    print(report(results, tables, options.arms, classifiers, **drawn))


if __name__ == "__main__":
    main()
