"""Synthetic rows as somebody might offer them to the gates: copies, near copies, broken and repeated rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pandas as pd

from mgvae.cohort.build import build_cohort
from mgvae.cohort.split import holdout
from mgvae.config.study import CohortConfig, load_config
from mgvae.extract.read import read_extract
from mgvae.reproducibility import derive
from tests.paths import ROOT
from tests.validation.simulated_patients import draw_patients, population_config
from validation.tables import Tables, tables_of

ROWS = 600


@dataclass(frozen=True)
class Patients:
    """Majority patients and cases, trained on and held out; the study."""

    config: CohortConfig
    majority: pd.DataFrame
    cases: pd.DataFrame
    majority_holdout: pd.DataFrame
    cases_holdout: pd.DataFrame

    def tables(self, synthetic: pd.DataFrame, seed: int = 0) -> Tables:
        """Return the tables of the gates; parents are drawn at random."""
        frames = {name: getattr(self, name) for name in ("majority", "cases", "majority_holdout", "cases_holdout")}
        parents = np.random.default_rng(seed).integers(0, len(self.majority), len(synthetic))
        return tables_of({"synthetic": synthetic.reset_index(drop=True), **frames}, parents)


@cache
def shipped(name: str) -> Patients:
    """Return the patients of a shipped cohort, ``nafld`` or ``actg320``."""
    config = load_config(ROOT / "data" / name / "cohort.yaml")
    cohort = build_cohort(config, read_extract(config).frame)
    test = holdout(cohort, config.split, seed=derive(config.seed, "split"))
    parts = [
        cohort.features[rows].reset_index(drop=True)
        for held in (~test, test)
        for rows in (~cohort.event & held, cohort.event & held)
    ]
    return Patients(config, *parts)


@cache
def simulated() -> Patients:
    """Return simulated patients, 100 cases to train on."""
    rng = np.random.default_rng(7)
    parts = [draw_patients(rng, n, cases=cases) for n, cases in ((1500, False), (100, True), (500, False), (40, True))]
    return Patients(population_config(), *parts)


COHORTS: Mapping[str, Callable[[], Patients]] = {
    "nafld": lambda: shipped("nafld"),
    "actg320": lambda: shipped("actg320"),
    "simulated": simulated,
}


def resplit(patients: Patients, seed: int) -> Patients:
    """Return the same patients, others of them held out; as many as before."""
    rng, changed = np.random.default_rng(seed), {}
    for kind in ("majority", "cases"):
        parts = [getattr(patients, kind), getattr(patients, f"{kind}_holdout")]
        rows = pd.concat(parts, ignore_index=True).iloc[rng.permutation(sum(map(len, parts)))].reset_index(drop=True)
        changed |= {kind: rows.iloc[: len(parts[0])], f"{kind}_holdout": rows.iloc[len(parts[0]) :].reset_index(drop=True)}
    return replace(patients, **changed)


def noisy(frame: pd.DataFrame, rows: int, noise: float, rng: np.random.Generator) -> pd.DataFrame:
    """Return rows of a table, their numbers with noise, as a share of the column's standard deviation."""
    drawn = frame.iloc[rng.integers(0, len(frame), rows)].reset_index(drop=True)
    for name in frame:
        if frame[name].dtype.kind == "f":
            drawn[name] = drawn[name] + noise * frame[name].std() * rng.normal(size=rows)
    return drawn


def shuffled(frame: pd.DataFrame, rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return rows of which every column is drawn on its own."""
    return pd.DataFrame({name: frame[name].iloc[rng.integers(0, len(frame), rows)].reset_index(drop=True) for name in frame})


def mixed(patients: Patients, kind: str, noise: float, rng: np.random.Generator) -> pd.DataFrame:
    """Return nine parts of rows that copy nobody, their columns shuffled, and one part of near copies of ``kind``."""
    fresh = shuffled(patients.majority, 9 * ROWS // 10, rng)
    return pd.concat([fresh, noisy(getattr(patients, kind), ROWS // 10, noise, rng)], ignore_index=True)


def case_like(patients: Patients, rows: int) -> pd.DataFrame:
    """Return the majority patients nearest to a case."""
    near = patients.tables(patients.cases).near
    apart = np.min([np.linalg.norm(near["majority"] - case, axis=1) for case in near["cases"]], axis=0)
    return patients.majority.iloc[np.argsort(apart)[:rows]].reset_index(drop=True)


def offers(patients: Patients, seed: int) -> dict[str, pd.DataFrame]:
    """Return each attack's rows."""
    rng, cases = np.random.default_rng(seed), patients.cases
    made = {f"cases with {noise:.1%} noise": noisy(cases, ROWS, noise, rng) for noise in (0.001, 0.01, 0.05, 0.2)}
    made["case-like majority patients under other parents"] = case_like(patients, min(ROWS, len(patients.majority) // 2))
    made["every column shuffled"] = shuffled(cases, ROWS, rng)
    made["one row 600 times"] = cases.iloc[[seed % len(cases)] * ROWS].reset_index(drop=True)
    parts = {(kind, noise): mixed(patients, kind, noise, rng) for kind in ("cases", "majority") for noise in (0.01, 0.1)}
    tenths = {f"a tenth near copies of {kind}, {noise:.0%} noise": found for (kind, noise), found in parts.items()}
    return made | tenths
