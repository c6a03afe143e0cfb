"""What the gates say of attacks and of honest rows, and how long they take.

python -m tests.benchmarks.gates                   # attacks on NAFLD, ACTG 320 and a simulated cohort: which gates fail
python -m tests.benchmarks.gates --others          # near copies on cohorts that the limits were not chosen on
python -m tests.benchmarks.gates --honest 100      # real cases offered as synthetic: how many seeds have no failed gate
python -m tests.benchmarks.gates --speed           # 15,000 x 20 rows, 5,000 synthetic: seconds of processor time, memory
python -m tests.benchmarks.gates --million         # the same with a million rows, 200,000 of them synthetic

Answers are stored in runs/benchmarks/gates.jsonl by the text of validation/ and go on where they stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from mgvae.cost import peak_mib
from mgvae.results.cohort import ValidationResult
from mgvae.results.gates import Gate
from tests.paths import ROOT
from tests.validation.offered import COHORTS, OTHERS, Patients, changed, mixed, offers, resplit, shuffled, third
from tests.validation.simulated_patients import draw_patients, population_config
from validation.gates import assess
from validation.intervals import share

CLEAN = ValidationResult(passed=True, expectations=1, failed=(), rows=1)
OUT = Path("runs/benchmarks/gates.jsonl")
Verdicts = dict[str, tuple[str, float | None, float | None, float | None]]


class Answers:
    """Verdicts so far: a file of JSON lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        sources = sorted((ROOT / "validation").rglob("*.py"))
        self.code = hashlib.sha256(b"".join(one.read_bytes() for one in sources)).hexdigest()[:12]
        self.known: dict[str, Verdicts] = {}
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # cut off
            self.known[entry["key"]] = entry["gates"]

    def of(self, key: str, judge: Callable[[], list[Gate]]) -> Verdicts:
        """Return the verdicts under a key, asked for now if there are none."""
        key = f"{self.code} {key}"
        if key not in self.known:
            found = {gate.name: (gate.verdict, gate.value, gate.low, gate.high) for gate in judge()}
            self.known[key] = found
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": key, "gates": found}) + "\n")
        return self.known[key]


def gates_of(patients: Patients, synthetic: pd.DataFrame, seed: int) -> list[Gate]:
    """Return all gates; parents are drawn at random."""
    parents = np.random.default_rng(seed).integers(0, len(patients.majority), len(synthetic))
    real = patients.majority, patients.cases, patients.majority_holdout, patients.cases_holdout
    return assess(synthetic, parents, *real, config=patients.config, seed=seed, suite_result=CLEAN)


def attacks(answers: Answers) -> None:
    """Print the gates that fail for each attack on each cohort."""
    print("| cohort | offered | fail | warn |\n|---|---|---|---|")
    for name, cohort in COHORTS.items():
        patients = cohort()
        for offer, rows in offers(patients, 1).items():
            _line(name, offer, answers.of(f"attack {name} {offer}", partial(gates_of, patients, rows, 1)))
        apart, _ = third(patients, 1)
        for offer, rows in changed(apart, 1).items():
            _line(name, offer, answers.of(f"attack {name} {offer}", partial(gates_of, apart, rows, 1)))


def others(answers: Answers) -> None:
    """Print what near copies and fresh rows get on cohorts that the limits were not chosen on."""
    print("| cohort | offered | fail | warn |\n|---|---|---|---|")
    for name, cohort in OTHERS.items():
        patients, rng = cohort(), np.random.default_rng(1)
        made = {"fresh: every column of the majority shuffled": shuffled(patients.majority, 600, rng)}
        for kind in ("cases", "majority"):
            made |= {f"a tenth near {kind}, {noise:.0%} noise": mixed(patients, kind, noise, rng) for noise in (0.01, 0.1)}
        for offer, rows in made.items():
            _line(name, offer, answers.of(f"other {name} {offer}", partial(gates_of, patients, rows, 1)))


def honest(answers: Answers, seeds: int) -> None:
    """Print how many splits of real patients have no failed gate, with the exact interval, and which gates fail."""
    for name, cohort in (COHORTS | OTHERS).items():
        for offered in ("a third part", "the part held out"):
            failed, warned, wrong = Counter[str](), Counter[str](), 0
            for seed in range(seeds if name in COHORTS else min(seeds, 20)):
                found = answers.of(f"honest {name} {offered} {seed}", partial(_split, cohort, offered, seed))
                names = [gate for gate, answer in found.items() if answer[0] == "fail"]
                wrong += bool(names)
                failed.update(names)
                warned.update(gate for gate, answer in found.items() if answer[0] == "warn")
            n = seed + 1
            print(f"{name}, {offered}: {share(n - wrong, n)} of {n} pass; fail {dict(failed)}; warn {dict(warned)}", flush=True)


def _split(cohort: Callable[[], Patients], offered: str, seed: int) -> list[Gate]:
    patients = cohort()
    if offered == "a third part":
        return gates_of(*third(patients, seed), seed)
    again = resplit(patients, seed)
    return gates_of(again, again.cases_holdout, seed)


def _line(cohort: str, offer: str, found: Verdicts) -> None:
    named = [", ".join(gate for gate, answer in found.items() if answer[0] == verdict) for verdict in ("fail", "warn")]
    print(f"| {cohort} | {offer} | {named[0] or '**none**'} | {named[1] or 'none'} |", flush=True)


def speed(majority: int, synthetic: int) -> tuple[int, float, float]:
    """Print and return how many gates were judged, the seconds of processor time, and the most memory in GiB."""
    patients, rows = wide_patients(majority), _wide(np.random.default_rng(1), synthetic, cases=True)
    start = time.process_time()
    judged = gates_of(patients, rows, 1)
    taken, memory = time.process_time() - start, peak_mib() / 1024
    line = f"{taken:.0f} s of processor time, {memory:.2f} GiB at most, {rows.shape[1]} columns; not judged: "
    print(line + (", ".join(gate.name for gate in judged if gate.verdict == "cannot_tell") or "none"))
    return len(judged), taken, memory


def wide_patients(majority: int) -> Patients:
    """Return simulated patients with 20 columns, a quarter held out, 400 of them cases."""
    rng = np.random.default_rng(0)
    sizes = ((majority, False), (300, True), (majority // 3, False), (100, True))
    return Patients(population_config(), *(_wide(rng, n, cases=cases) for n, cases in sizes))


def _wide(rng: np.random.Generator, n: int, *, cases: bool) -> pd.DataFrame:
    more = {f"more{i}": rng.normal(size=n) for i in range(4)}
    return draw_patients(rng, n, cases=cases).assign(**more)


def main() -> None:
    """Print what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--honest", type=int, metavar="SEEDS")
    parser.add_argument("--others", action="store_true")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--million", action="store_true")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    answers = Answers(asked.out)
    if asked.speed or asked.million:
        speed(*((600_000, 200_000) if asked.million else (11_000, 5000)))
    elif asked.honest:
        honest(answers, asked.honest)
    elif asked.others:
        others(answers)
    else:
        attacks(answers)


if __name__ == "__main__":
    main()
