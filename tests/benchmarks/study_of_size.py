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
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from tests.benchmarks.oversamplers.speed import simulated

BLOCK, ROWS = 40, 1 << 17  # columns simulated together, and rows of a group in the file
EVENT = "event.parquet"


def write(folder: Path, rows: int, columns: int, *, seed: int) -> Path:
    """Write the study's files into ``folder`` and return the path of cohort.yaml.

    Memory is that of ``rows`` by 40 columns: blocks of columns are files of their own until all are written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder) as scratch:
        blocks = [Path(scratch) / f"{block}.parquet" for block in range(-(-columns // BLOCK))]
        entries: dict[str, object] = {}
        for block, path in enumerate(blocks):
            table, event = simulated(rows, seed=seed + block)
            if columns <= BLOCK:
                table = table.iloc[:, np.linspace(0, BLOCK - 1, columns).round().astype(int)]
            table = table.iloc[:, : columns - block * BLOCK].add_suffix(f"_{block}" if block else "")
            entries |= {name: _entry(column) for name, column in table.items()}
            if block == 0:  # the event is that of the first 40, and the extract's last column
                pd.DataFrame({"event": event.astype(int)}).to_parquet(Path(scratch) / EVENT, row_group_size=ROWS)
            table.to_parquet(path, index=False, row_group_size=ROWS)
        _join([*blocks, Path(scratch) / EVENT], folder / "extract.parquet")
    entries["event"] = {"kind": "binary", "role": "excluded", "categories": [0, 1], "max_missing": 0.0}
    _dump(folder / "dictionary.yaml", {"columns": entries})
    cohort = folder / "cohort.yaml"
    study = {"study": f"simulated-{rows}-{columns}", "subject_id": None, "seed": seed}
    files = {"extract": "extract.parquet", "dictionary": "dictionary.yaml"}
    outcome = {"column": "event", "event": 1, "label": "Simulated event", "expected_prevalence": [0.005, 0.1]}
    _dump(cohort, {**study, **files, "outcome": outcome})
    return cohort


def _join(files: list[Path], target: Path) -> None:
    """Write the columns of files of the same rows side by side, a row group at a time."""
    sources = [parquet.ParquetFile(file) for file in files]
    schema = pa.schema([field for source in sources for field in source.schema_arrow])
    with parquet.ParquetWriter(target, schema) as writer:
        for group in range(sources[0].num_row_groups):
            columns = [column for source in sources for column in source.read_row_group(group).columns]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


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
