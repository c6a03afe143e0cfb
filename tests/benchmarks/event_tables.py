"""Time and memory from 20 million events to a table of 2,000 predictors.

python -m tests.benchmarks.event_tables                      # 100,000 patients of 200 events
python -m tests.benchmarks.event_tables --patients 10000
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from mgvae.cost import peak_mib
from mgvae.ehr.build import build_study

EVENTS = 200  # of a patient
BLOCK = 10_000  # patients a row group
SOURCE = {
    "predicates": {"visit": {"code": "VISIT//OUT"}, "outcome": {"code": "DX//3"}},
    "index": {"event": "visit", "since": "2017-06-01"},
    "outcome": {"events": "outcome", "start_days": 1, "end_days": 365},
    "prior_outcome": "keep",
    "predictors": {"lookback_days": [365, "all"], "aggregations": ["any", "last"], "max_columns": 2000, "exclude": ["outcome"]},
}


def write_events(path: Path, patients: int, *, seed: int) -> None:
    """Write invented MEDS events: two visits a patient, laboratory values, diagnoses of unequal frequency."""
    generator = np.random.default_rng(seed)
    writer = None
    for start in range(0, patients, BLOCK):
        number = min(BLOCK, patients - start) * EVENTS
        kind = np.arange(number) % EVENTS
        skewed = generator.random(number) * generator.random(number)
        lab, visit = (kind >= 2) & (kind < 40), kind < 2
        names = np.where(lab, (skewed * 300).astype(int), (skewed * 2500).astype(int)).astype(str)
        code = np.where(visit, "VISIT//OUT", np.char.add(np.where(lab, "LAB//", "DX//"), names))
        days = pd.to_timedelta(generator.random(number) * 5 * 365.25, unit="D").round("s")
        table = pa.table(
            {
                "subject_id": np.repeat(np.arange(start, start + number // EVENTS), EVENTS),
                "time": pa.array(pd.Timestamp("2015-01-01") + days, pa.timestamp("us")),
                "code": code,
                "numeric_value": pa.array(np.where(lab, generator.normal(size=number), np.nan), from_pandas=True),
            }
        )
        writer = writer or parquet.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def main() -> None:
    """Print events, rows, columns, seconds and the peak of memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_events(folder / "events.parquet", given.patients, seed=given.seed)
        cohort = {"study": "speed", "source": {"meds": "events.parquet", **SOURCE}}
        (folder / "cohort.yaml").write_text(json.dumps(cohort), encoding="utf-8")
        start = time.perf_counter()
        built = build_study(folder / "cohort.yaml", folder / "out")
        seconds = time.perf_counter() - start
    peak = peak_mib() / 1024
    print(
        f"{given.patients * EVENTS:,} events -> {built.attrition[-1].rows:,} rows x {built.predictors:,} predictors: "
        f"{seconds:.0f} s, peak {peak:.2f} GiB"
    )


if __name__ == "__main__":
    main()
