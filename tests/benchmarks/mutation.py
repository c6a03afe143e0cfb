"""Print the mutation score of each module, from what `make mutate` left in mutants/, and the mutants that survived.

make mutate                       # all mutants, an hour at most; started again, it goes on where it stopped
make mutate MUTANTS='*[05]'       # every fifth mutant
make mutate MUTANTS='validation.gates.*'
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.paths import ROOT

MUTANTS = ROOT / "mutants"
# mutmut's exit codes; all others mean that a test failed, that the tests could not be collected, or that they did not end
OUTCOMES = {None: "not run", 34: "not run", 0: "survived", 5: "untested", 33: "untested"}


def results(folder: Path) -> Iterator[tuple[str, str, int | None]]:
    """Yield of each mutant its module, its name and the exit code of its tests."""
    for path in sorted(folder.rglob("*.py.meta")):
        module = str(path.relative_to(folder)).removesuffix(".meta")
        for name, code in json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"].items():
            yield module, name, code


def outcome(code: int | None) -> str:
    """Return what an exit code means: killed, survived, untested (no test calls the function) or not run."""
    return OUTCOMES.get(code, "killed")


def score(counts: Mapping[str, int]) -> str:
    """Return the share of mutants that were killed, of those that were run."""
    run = counts["killed"] + counts["survived"] + counts["untested"]
    return f"{counts['killed'] / run:.0%}" if run else "-"


def main() -> None:
    """Print a table, one row a module, then the mutants that survived."""
    modules: dict[str, Counter[str]] = {}
    alive = []
    for module, name, code in results(MUTANTS):
        modules.setdefault(module, Counter())[outcome(code)] += 1
        if outcome(code) in ("survived", "untested"):
            alive.append(name)
    modules = {**dict(sorted(modules.items())), "total": sum(modules.values(), Counter())}
    columns = ("killed", "survived", "untested", "not run")
    print(f"| {'module':36} | {' | '.join(columns)} | score |")
    print(f"|{'-' * 38}|{'|'.join('-' * (len(name) + 1) + ':' for name in columns)}|------:|")
    for module, counts in modules.items():
        print(f"| {module:36} | {' | '.join(f'{counts[name]:{len(name)}}' for name in columns)} | {score(counts):>5} |")
    print("", *alive, sep="\n")
    print("\nmutmut show NAME prints the change.")


if __name__ == "__main__":
    sys.exit(main())
