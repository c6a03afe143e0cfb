"""Read inputs of many kinds, and count how many are read rightly.

    python -m tests.benchmarks.inputs --variants 200 --seed 0

An input is right where every column is what it is; clear where it is refused or a column is left out, with the reason; wrong
where values differ from the truth without a word. Exit code 1 where one is wrong or crashes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import get_args

from tests.benchmarks.inputs.folders import INPUTS, judge_folder
from tests.benchmarks.inputs.judge import Judged, Verdict, judge
from tests.benchmarks.inputs.variants import variants


def judged(inputs: Path, *, number: int, seed: int, scratch: Path) -> list[Judged]:
    """Return the verdicts on the folders of ``inputs``, where there are any, and on generated variants."""
    folders = [path for path in sorted(inputs.iterdir()) if path.is_dir()] if inputs.is_dir() else []
    found = [judge_folder(folder, scratch / folder.name) for folder in folders]
    files = scratch / "variants"
    files.mkdir(parents=True, exist_ok=True)
    for place, variant in enumerate(variants(files, seed=seed, number=number)):
        found.append(judge(variant, scratch / f"study-{place}"))
    return found


def main() -> None:
    """Print a line for each input that is not read as it is, and the counts."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.inputs", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inputs", type=Path, default=INPUTS, help="folders of reported inputs, one a kind")
    parser.add_argument("--variants", type=int, default=200, help="how many files to generate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--all", action="store_true", help="print a line for each input")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found = judged(options.inputs, number=options.variants, seed=options.seed, scratch=Path(scratch))
    for one in found:
        if options.all or one.verdict != "right":
            print(f"{one.verdict:<6} {one.name}: {' '.join(one.why.split())}")
    counts = Counter(one.verdict for one in found)
    print(", ".join(f"{counts[verdict]} {verdict}" for verdict in get_args(Verdict)), f"of {len(found)}")
    if counts["wrong"] or counts["crash"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
