"""Print the coverage of branches that the last measured test run left in .coverage, one line per package.

make test COVERAGE=1                                # measures, then prints this
python -m tests.benchmarks.coverage_by_package
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from tests.benchmarks.structure import FLAT
from tests.paths import ROOT

COUNTS = ("num_statements", "covered_lines", "num_branches", "covered_branches")


def package_of(path: str) -> str:
    """Return the package of a module by its path: mgvae.cohort, validation; mgvae for a module that lies beside packages."""
    root, *below = PurePosixPath(path).with_suffix("").parts
    return root if root in FLAT or len(below) < 2 else f"{root}.{below[0]}"


def by_package(report: Mapping[str, Any]) -> dict[str, Counter[str]]:
    """Return the counts of statements and branches per package, from coverage's report in JSON; the last is the total."""
    packages: dict[str, Counter[str]] = {}
    for path, measured in sorted(report["files"].items()):
        counts = Counter({name: measured["summary"][name] for name in COUNTS})
        packages.setdefault(package_of(path), Counter()).update(counts)
    total = sum(packages.values(), Counter())
    return {**dict(sorted(packages.items())), "total": total}


def share(covered: int, of: int) -> str:
    """Return a share in percent; nothing to cover is covered wholly."""
    return f"{covered / of if of else 1:8.1%}"


def main() -> None:
    """Read .coverage and print lines and branches per package."""
    from coverage import Coverage

    with TemporaryDirectory() as folder:
        measured = Coverage(config_file=str(ROOT / "pyproject.toml"))
        measured.load()
        measured.json_report(outfile=str(out := Path(folder) / "coverage.json"))
        packages = by_package(json.loads(out.read_text(encoding="utf-8")))
    print(f"{'package':24}{'lines':>8}{'covered':>9}{'branches':>9}{'covered':>9}")
    for name, counts in packages.items():
        statements, covered, branches, taken = (counts[count] for count in COUNTS)
        print(f"{name:24}{statements:8,}{share(covered, statements):>9}{branches:9,}{share(taken, branches):>9}")


if __name__ == "__main__":
    sys.exit(main())
