"""Synthetic rows as somebody might offer them to the gates: copies, near copies, broken and repeated rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial

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


@cache
def other(name: str) -> Patients:
    """Return the patients of a cohort that does not ship, a quarter held out; for the benchmark."""
    from tests.benchmarks.oversamplers.cohorts import load

    table, rng = load(name), np.random.default_rng(0)
    rows = {event: rng.permutation(np.flatnonzero(table.event == event)) for event in (False, True)}
    cut = {event: 3 * len(found) // 4 for event, found in rows.items()}
    taken = [rows[event][: cut[event]] for event in rows] + [rows[event][cut[event] :] for event in rows]
    return Patients(population_config(), *(table.features.iloc[found].reset_index(drop=True) for found in taken))


COHORTS: Mapping[str, Callable[[], Patients]] = {
    "nafld": lambda: shipped("nafld"),
    "actg320": lambda: shipped("actg320"),
    "simulated": simulated,
}
OTHERS: Mapping[str, Callable[[], Patients]] = {
    name: partial(other, name) for name in ("crash2", "mi_rupture", "mi_fibrillation", "diabetes130")
}


def resplit(patients: Patients, seed: int) -> Patients:
    """Return the same patients, others of them held out; as many as before."""
    rng, changed = np.random.default_rng(seed), {}
    for kind in ("majority", "cases"):
        parts = [getattr(patients, kind), getattr(patients, f"{kind}_holdout")]
        rows = pd.concat(parts, ignore_index=True).iloc[rng.permutation(sum(map(len, parts)))].reset_index(drop=True)
        changed |= {kind: rows.iloc[: len(parts[0])], f"{kind}_holdout": rows.iloc[len(parts[0]) :].reset_index(drop=True)}
    return replace(patients, **changed)


def third(patients: Patients, seed: int) -> tuple[Patients, pd.DataFrame]:
    """Return patients newly divided, and cases that are neither trained on nor held out, as many as those held out."""
    cases = pd.concat([patients.cases, patients.cases_holdout], ignore_index=True)
    order, count = np.random.default_rng(seed).permutation(len(cases)), min(len(patients.cases_holdout), len(cases) // 3)
    apart = replace(resplit(patients, seed), cases=cases.iloc[order[2 * count :]].reset_index(drop=True))
    held, offered = (cases.iloc[rows].reset_index(drop=True) for rows in (order[:count], order[count : 2 * count]))
    return replace(apart, cases_holdout=held), offered


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


def between(cases: pd.DataFrame, rows: int, most: float, rng: np.random.Generator) -> pd.DataFrame:
    """Return rows a short step from one case towards another, levels and gaps those of the first."""
    first, second = (cases.iloc[rng.integers(0, len(cases), rows)].reset_index(drop=True) for _ in range(2))
    step, out = most * rng.random(rows), first.copy()
    for name in cases:
        if cases[name].dtype.kind == "f":
            out[name] = (first[name] + step * (second[name] - first[name])).fillna(first[name])
    return out


def swapped_pairs(cases: pd.DataFrame, rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return rows whose columns come in pairs from different cases: dependence is kept inside a pair alone."""
    names = list(rng.permutation(list(cases.columns)))
    drawn = {
        name: cases[name].iloc[at].reset_index(drop=True)
        for pair in (names[place : place + 2] for place in range(0, len(names), 2))
        for at in [rng.integers(0, len(cases), rows)]
        for name in pair
    }
    return pd.DataFrame({name: drawn[name] for name in cases})


def relabelled(rows: pd.DataFrame, cases: pd.DataFrame) -> pd.DataFrame:
    """Return rows whose commonest level and rarest other level change places, in the column that this changes most."""
    shares = {name: cases[name].value_counts(normalize=True) for name in cases if cases[name].dtype.kind not in "fiM"}
    worst = max(shares, key=lambda name: shares[name].iloc[0] - shares[name].iloc[-1])
    levels, named = list(rows[worst].cat.categories), shares[worst].index
    swap = {named[0]: named[-1], named[-1]: named[0]}
    codes = [levels.index(swap.get(level, level)) for level in levels]
    out = rows.copy()
    old = rows[worst].cat.codes.to_numpy()
    out[worst] = pd.Categorical.from_codes(np.where(old < 0, -1, np.array(codes)[old]), dtype=rows[worst].dtype)
    return out


def filled(rows: pd.DataFrame, cases: pd.DataFrame) -> pd.DataFrame:
    """Return rows without missing cells: medians and commonest levels stand in."""
    known = {
        name: cases[name].median() if cases[name].dtype.kind == "f" else cases[name].mode()
        for name in cases
        if cases[name].notna().any()
    }
    return rows.fillna({name: one if np.isscalar(one) else one.iloc[0] for name, one in known.items()})


def offers(patients: Patients, seed: int) -> dict[str, pd.DataFrame]:
    """Return each attack's rows."""
    rng, cases = np.random.default_rng(seed), patients.cases
    made = {f"cases with {noise:.1%} noise": noisy(cases, ROWS, noise, rng) for noise in (0.001, 0.01, 0.05, 0.2)}
    made["case-like majority patients under other parents"] = case_like(patients, min(ROWS, len(patients.majority) // 2))
    made["every column shuffled"] = shuffled(cases, ROWS, rng)
    made["columns in pairs from different cases"] = swapped_pairs(cases, ROWS, rng)
    made["one row 600 times"] = cases.iloc[[seed % len(cases)] * ROWS].reset_index(drop=True)
    collapsed = cases.iloc[rng.permutation(len(cases))[:20]]
    made["20 rows repeated, 30 % noise"] = noisy(noisy(collapsed, 20, 0.3, rng), ROWS, 0.0, rng)
    made["steps of at most 10 % from case to case"] = between(cases, ROWS, 0.1, rng)
    fresh = shuffled(patients.majority, ROWS, rng)
    made["12 training cases among fresh rows"] = pd.concat([fresh[12:], cases[:12]], ignore_index=True)
    parts = {(kind, noise): mixed(patients, kind, noise, rng) for kind in ("cases", "majority") for noise in (0.01, 0.1)}
    return made | {f"a tenth near copies of {kind}, {noise:.0%} noise": found for (kind, noise), found in parts.items()}


def changed(patients: Patients, seed: int) -> dict[str, pd.DataFrame]:
    """Return rows that are wrong in one respect alone: cases held out, a column relabelled, or gaps filled."""
    held = patients.cases_holdout
    made = {"a column's levels permuted": relabelled(held, patients.cases)}
    return made | ({"gaps filled": filled(held, patients.cases)} if held.isna().any(axis=None) else {})
