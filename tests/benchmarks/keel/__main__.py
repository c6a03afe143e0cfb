"""Compare oversamplers on the imbalanced sets of KEEL and UCI.

    python -m tests.benchmarks.keel --minutes 60 --out runs/benchmarks/keel

Every arm is fitted on the training folds of stratified cross-validation, and the classifiers, with scikit-learn's defaults, are
tested on real rows at natural prevalence: raw probabilities, threshold 0.5. A stopped run goes on where it was; a changed
sampler is measured again, with the generators that are trained already where only its choice of rows has changed. Tables go to
stdout, progress to stderr.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.benchmarks.keel.arms import ARMS
from tests.benchmarks.keel.blocks import FOLDS, blocks, read, run
from tests.benchmarks.keel.sets import chosen
from tests.benchmarks.keel.summary import report

SEEDS = 3


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.keel", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30.0, help="no block begins later; 0 measures nothing and prints")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/keel"), help="folder of results, reused")
    parser.add_argument("--sets", default="all", help="names, separated by commas; or all, development, judgement")
    parser.add_argument("--arms", default=",".join(ARMS), help=f"of: {', '.join(ARMS)}")
    parser.add_argument("--seeds", type=int, default=1, help="how often the folds are drawn anew")
    parser.add_argument("--folds", type=int, default=2, help=f"how many of the {FOLDS} folds are tested")
    parser.add_argument("--full", action="store_true", help=f"all {FOLDS} folds of {SEEDS} seeds")
    return parser


def main() -> None:
    """Run what the command line asks for."""
    parser = _parser()
    options = parser.parse_args()
    arms = [arm.strip() for arm in options.arms.split(",")]
    if unknown := sorted(set(arms) - set(ARMS)):
        parser.error(f"arms must be among {', '.join(ARMS)}; got {', '.join(unknown)}")
    if not 1 <= options.folds <= FOLDS:
        parser.error(f"folds must be from 1 to {FOLDS}; got {options.folds}")
    try:
        sets = chosen(options.sets)
    except (ValueError, ModuleNotFoundError) as error:
        parser.error(str(error))
    path = options.out / "blocks.jsonl"
    wanted = blocks(sets, seeds=SEEDS, folds=FOLDS) if options.full else blocks(sets, seeds=options.seeds, folds=options.folds)
    complete = run(wanted, arms, path, minutes=options.minutes)
    done = read(path)
    print(report({block: done[block] for block in wanted if block in done}, arms, {one.name: one.family for one in sets}))
    if not complete:
        print("\nNot all blocks are measured; the same command goes on.")


if __name__ == "__main__":
    main()
