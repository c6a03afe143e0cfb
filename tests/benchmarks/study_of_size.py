"""Write a simulated study of a given size: extract, dictionary and cohort.yaml.

    python -m tests.benchmarks.study_of_size DIR [--rows 43400] [--columns 10] [--seed 0]

The columns are numeric, skewed, whole, binary and of 3 to 50 levels, a tenth of the cells missing, 2 % events; see
`tests.benchmarks.oversamplers.speed.simulated`. Each 40 have factors of their own, the first 40 those of the event. The size
that is set is that of a public file on stroke.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

from tests.benchmarks.oversamplers.speed import simulated


def write(folder: Path, rows: int, columns: int, *, seed: int) -> Path:
    """Write the study's files into ``folder`` and return the path of cohort.yaml."""
    table, event = simulated(rows, seed=seed)
    if columns <= table.shape[1]:
        table = table.iloc[:, np.linspace(0, table.shape[1] - 1, columns).round().astype(int)]
    else:
        blocks = range(1, -(-columns // table.shape[1]))
        more = [simulated(rows, seed=seed + block)[0].add_suffix(f"_{block}") for block in blocks]
        table = pd.concat([table, *more], axis=1).iloc[:, :columns]
    entries = {name: _entry(column) for name, column in table.items()}
    entries["event"] = {"kind": "binary", "role": "excluded", "categories": [0, 1], "max_missing": 0.0}
    folder.mkdir(parents=True, exist_ok=True)
    table.assign(event=event.astype(int)).to_parquet(folder / "extract.parquet", index=False)
    _dump(folder / "dictionary.yaml", {"columns": entries})
    cohort = folder / "cohort.yaml"
    study = {"study": f"simulated-{rows}-{columns}", "subject_id": None, "seed": seed}
    files = {"extract": "extract.parquet", "dictionary": "dictionary.yaml"}
    outcome = {"column": "event", "event": 1, "label": "Simulated event", "expected_prevalence": [0.005, 0.1]}
    _dump(cohort, {**study, **files, "outcome": outcome})
    return cohort


def _entry(column: pd.Series) -> dict[str, object]:
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return {"kind": "continuous", "role": "feature", "max_missing": 0.5}
    kind = "binary" if len(column.cat.categories) == 2 else "categorical"
    return {"kind": kind, "role": "feature", "categories": list(column.cat.categories), "max_missing": 0.5}


def _dump(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")  # JSON is YAML


def main() -> None:
    """Write the study and print its path."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=43_400)
    parser.add_argument("--columns", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(write(options.folder, options.rows, options.columns, seed=options.seed))


if __name__ == "__main__":
    main()
