"""What the gates say of attacks, of honest rows, and how long they take.

python -m tests.benchmarks.gates                 # attacks on NAFLD, ACTG 320 and a simulated cohort: which gates fail
python -m tests.benchmarks.gates --honest 100    # real cases held out, offered as synthetic: how many seeds pass
python -m tests.benchmarks.gates --speed         # 15,000 x 20 rows, 5,000 synthetic: seconds of processor time, memory
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np
import pandas as pd

from mgvae.results.cohort import ValidationResult
from mgvae.results.gates import Gate
from tests.validation.offered import COHORTS, Patients, offers, resplit
from tests.validation.simulated_patients import draw_patients, population_config
from validation.gates import assess

CLEAN = ValidationResult(passed=True, expectations=1, failed=(), rows=1)


def gates_of(patients: Patients, synthetic: pd.DataFrame, seed: int) -> list[Gate]:
    """Return all gates; parents are drawn at random."""
    parents = np.random.default_rng(seed).integers(0, len(patients.majority), len(synthetic))
    real = patients.majority, patients.cases, patients.majority_holdout, patients.cases_holdout
    return assess(synthetic, parents, *real, config=patients.config, seed=seed, suite_result=CLEAN)


def attacks() -> None:
    """Print the gates that fail for each attack on each cohort."""
    print("| cohort | offered | fail | warn |\n|---|---|---|---|")
    for name, cohort in COHORTS.items():
        for offer, rows in offers(cohort(), 1).items():
            found = gates_of(cohort(), rows, 1)
            named = [", ".join(gate.name for gate in found if gate.verdict == verdict) for verdict in ("fail", "warn")]
            print(f"| {name} | {offer} | {named[0] or 'none'} | {named[1] or 'none'} |", flush=True)


def honest(seeds: int) -> None:
    """Print how many splits of real patients pass, and which gates fail."""
    for name, cohort in COHORTS.items():
        failed: list[list[str]] = []
        for seed in range(seeds):
            patients = resplit(cohort(), seed)
            found = gates_of(patients, patients.cases_holdout, seed)
            failed.append([gate.name for gate in found if gate.verdict == "fail"])
        wrong = [names for names in failed if names]
        print(f"{name}: {seeds - len(wrong)} of {seeds} splits have no failed gate; {wrong}", flush=True)


def speed() -> None:
    """Print the time and memory of all gates."""
    rng = np.random.default_rng(0)
    sizes = ((11_000, False), (300, True), (3_600, False), (100, True))
    patients = Patients(population_config(), *(_wide(rng, n, cases=cases) for n, cases in sizes))
    synthetic, start = _wide(rng, 5000, cases=True), time.process_time()
    gates_of(patients, synthetic, 1)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{time.process_time() - start:.0f} s of processor time, {memory:.2f} GiB at most, {synthetic.shape[1]} columns")


def _wide(rng: np.random.Generator, n: int, *, cases: bool) -> pd.DataFrame:
    more = {f"more{i}": rng.normal(size=n) for i in range(4)}
    return draw_patients(rng, n, cases=cases).assign(**more)


if __name__ == "__main__":
    if "--speed" in sys.argv:
        speed()
    elif "--honest" in sys.argv:
        honest(int(sys.argv[sys.argv.index("--honest") + 1]))
    else:
        attacks()
