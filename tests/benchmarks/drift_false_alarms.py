"""How often drift sees what is not there: two random halves of one simulated cohort, columns of all kinds, many seeds.

python -m tests.benchmarks.drift_false_alarms            # the table in docs/decisions/0019
python -m tests.benchmarks.drift_false_alarms 100,100,300,100   # rows before, rows now, columns, seeds
"""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np
import pandas as pd

from mgvae.config.strict import build
from mgvae.config.study import CohortConfig
from mgvae.results.gates import worst
from tests.reference.columns import drawn, of_all_kinds
from validation.drift import Table, drift

RUNS = ("100,100,20,400", "100,100,300,100", "200,200,300,60", "2000,100,20,300", "5000,200,20,200", "5000,5000,50,40")


def study(columns: int) -> CohortConfig:
    """Return a study of columns of all kinds, by turns."""
    own = {"id": {"role": "identifier"}, "died": {"kind": "binary", "role": "excluded"}}
    own |= of_all_kinds(columns)
    values = {"study": "s", "extract": "x", "subject_id": "id", "outcome": {"column": "died"}, "columns": {"columns": own}}
    return build(CohortConfig, values, source="benchmark")


def cohort(n: int, columns: int, seed: int) -> pd.DataFrame:
    """Return rows with columns of all kinds, of which 5 % are events."""
    rng = np.random.default_rng(seed)
    frame = {"id": [str(i) for i in range(n)], "died": np.where(np.arange(n) % 20 == 0, "1", "0")}
    return pd.DataFrame(frame | drawn(n, columns, rng))


def alarms(n: int, m: int, columns: int, seeds: int) -> str:
    """Return how many seeds warn or fail, and by which gate; the number of rows is given, so its gate is left aside."""
    config, verdicts, by_gate = study(columns), Counter[str](), Counter[str]()
    for seed in range(seeds):
        frame, order = cohort(n + m, columns, seed), np.random.default_rng(seed + 10_000).permutation(n + m)
        found = drift(Table(frame.iloc[order[:n]]), Table(frame.iloc[order[n:]]), config)
        gates = [gate for gate in found.gates if gate.name != "drift_rows"]
        verdicts[worst(gate.verdict for gate in gates)] += 1
        by_gate.update(gate.name for gate in gates if gate.verdict != "pass")
    share = 100 * (seeds - verdicts["pass"]) / seeds
    return f"{n:>5} {m:>5} rows, {columns:>3} columns: {share:4.1f} % of {seeds} seeds warn or fail {dict(by_gate)}"


if __name__ == "__main__":
    for one in sys.argv[1:] or RUNS:
        print(alarms(*(int(part) for part in one.split(","))), flush=True)
