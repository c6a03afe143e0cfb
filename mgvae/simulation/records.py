"""What an extract would hold of simulated children: measured with error, recorded in part, and missing for a reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.special import expit

from mgvae.arrays import FloatArray
from mgvae.reproducibility import numpy_generator
from mgvae.simulation.children import BLOCK, Children, draw_children
from mgvae.simulation.code_book import FACTORS, code_book

SITES = ("north", "east", "south", "west")
SITE_EFFECT = np.array([0.3, 0.0, -0.2, -0.5])  # log of how much is recorded
SEASONS = ("winter", "spring", "summer", "autumn")
EDUCATION = ("no certificate", "school certificate", "college", "graduate")
RESIDENCE = ("urban", "suburban", "rural")
INSURANCE = ("private", "public", "none")
FIRST_INDEX, LAST_INDEX = np.datetime64("2014-01-01"), np.datetime64("2022-01-01")
EVENT, SUBJECT, FAMILY, INDEX = "autism", "subject_id", "family_id", "index_date"


@dataclass(frozen=True)
class RecordColumn:
    """A predictor beside the codes.

    Attributes:
        kind: as in the data dictionary.
        label, unit: for the report.
        range: of possible values, or none.
        levels: of a categorical or ordinal column.
        subgroup: whether performance is reported by it.
        max_missing: largest tolerable share of missing cells.
    """

    kind: Literal["continuous", "count", "binary", "categorical", "ordinal"]
    label: str
    unit: str | None = None
    range: tuple[float, float] | None = None
    levels: tuple[str, ...] = ()
    subgroup: bool = False
    max_missing: float = 0.05


def _asked(label: str) -> RecordColumn:
    return RecordColumn("binary", label, max_missing=0.7)


def _visits(label: str) -> RecordColumn:
    return RecordColumn("count", label, range=(0, 2000))


COLUMNS: dict[str, RecordColumn] = {
    "male": RecordColumn("binary", "Male sex", subgroup=True),
    "birth_season": RecordColumn("categorical", "Season of birth", levels=SEASONS),
    "residence": RecordColumn("categorical", "Residence", levels=RESIDENCE),
    "insurance": RecordColumn("categorical", "Insurance", levels=INSURANCE),
    "english": RecordColumn("binary", "English spoken at home", max_missing=0.5),
    "maternal_education": RecordColumn("ordinal", "Mother's education", levels=EDUCATION, max_missing=0.8),
    "paternal_age_years": RecordColumn("continuous", "Father's age at birth", "years", (12, 90), max_missing=0.6),
    "maternal_age_years": RecordColumn("continuous", "Mother's age at birth", "years", (12, 60)),
    "gestation_weeks": RecordColumn("continuous", "Gestation", "weeks", (20, 45), max_missing=0.5),
    "birth_weight_g": RecordColumn("continuous", "Birth weight", "g", (200, 7000), max_missing=0.5),
    "apgar_5_min": RecordColumn("count", "Apgar score after five minutes", range=(0, 10), max_missing=0.6),
    "maternal_bmi_kg_m2": RecordColumn("continuous", "Mother's body mass index", "kg/m2", (10, 80), max_missing=0.7),
    "parity": RecordColumn("count", "Mother's earlier births", range=(0, 20), max_missing=0.7),
    "interpregnancy_months": RecordColumn(
        "continuous", "Interval since the earlier birth", "months", (0, 240), max_missing=0.9
    ),
    "caesarean": _asked("Caesarean section"),
    "gestational_diabetes": _asked("Gestational diabetes"),
    "hypertension_in_pregnancy": _asked("Hypertension in pregnancy"),
    "maternal_infection": _asked("Mother in hospital with infection"),
    "maternal_valproate": _asked("Valproate in pregnancy"),
    "folic_acid": _asked("Folic acid around conception"),
    "parental_psychiatric": _asked("Mental disorder of a parent"),
    "sibling_autism": _asked("Sibling with autism"),
    "sibling_adhd": _asked("Sibling with ADHD"),
    "head_12_months_z": RecordColumn("continuous", "Head circumference at 12 months", "z", (-8, 8), max_missing=0.7),
    "weight_24_months_z": RecordColumn("continuous", "Weight at 24 months", "z", (-8, 8), max_missing=0.7),
    "height_24_months_z": RecordColumn("continuous", "Height at 24 months", "z", (-8, 8), max_missing=0.7),
    "haemoglobin_g_dl": RecordColumn("continuous", "Haemoglobin", "g/dl", (3, 22), max_missing=0.8),
    "lead_ug_dl": RecordColumn("continuous", "Lead in blood", "ug/dl", (0, 100), max_missing=0.8),
    "ferritin_ug_l": RecordColumn("continuous", "Ferritin", "ug/l", (0, 2000), max_missing=0.98),
    "vitamin_d_nmol_l": RecordColumn("continuous", "Vitamin D", "nmol/l", (0, 400), max_missing=0.98),
    "well_child_visits": _visits("Well-child visits"),
    "outpatient_visits": _visits("Outpatient visits"),
    "specialist_visits": _visits("Visits to specialists"),
    "emergency_visits": _visits("Emergency visits"),
    "hospital_days": _visits("Days in hospital"),
    "intensive_care_days": _visits("Days in neonatal intensive care"),
    "providers": _visits("Providers seen"),
    "first_visit_days": RecordColumn("count", "Age at the first visit", "days", (0, 1095), max_missing=0.3),
}


@dataclass(frozen=True)
class Records:
    """A block of the extract, N rows.

    Attributes:
        first: number of the first child.
        children: whose records these are.
        special: by name, subject, family, site, index date and outcome, each ``(N,)``.
        columns: by name, the predictors of `COLUMNS`; numbers and 0 or 1 as float64 with NaN where missing, levels as text
            with None, each ``(N,)``.
        codes: int8 in {0, 1}, in the order of `code_book`, ``(N, P)``.
    """

    first: int
    children: Children
    special: dict[str, Any]
    columns: dict[str, Any]
    codes: np.ndarray[Any, np.dtype[np.int8]]

    def __len__(self) -> int:
        return len(self.children)


def draw_records(children: Children, rng: np.random.Generator, *, first: int = 0) -> Records:
    """Draw the records of children.

    Args:
        children: N of them.
        rng: the source of all draws.
        first: number of the first child; subjects are numbered from 1.
    """
    n = len(children)
    site = rng.integers(len(SITES), size=n)
    contact = 0.45 * children.general - 0.25 * children.social + SITE_EFFECT[site] + 0.15 * children.conditions.sum(axis=1)
    contact = contact + 0.35 * rng.standard_normal(n)
    span = int((LAST_INDEX - FIRST_INDEX).astype(int))
    special = {
        SUBJECT: np.arange(first + 1, first + 1 + n, dtype=np.int64),
        FAMILY: first + 1 + children.family,
        "site": np.array(SITES, dtype=object)[site],
        INDEX: FIRST_INDEX + rng.integers(span, size=n),
        EVENT: children.event,
    }
    columns = _demographics(children, contact, rng) | _pregnancy(children, contact, rng)
    columns |= _measurements(children, contact, rng) | _encounters(children, contact, rng)
    return Records(first, children, special, {name: columns[name] for name in COLUMNS}, _codes(children, contact, rng))


def blocks(n: int, *, seed: int, prevalence: float) -> Iterator[Records]:
    """Yield the records of ``n`` children, `BLOCK` at a time.

    Each block has a random stream of its own and is drawn whole, so that a child is the same whatever ``n`` is.
    """
    for block, first in enumerate(range(0, n, BLOCK)):
        rng = numpy_generator(seed, "autism", block)
        children = draw_children(BLOCK, rng, prevalence=prevalence)
        records = draw_records(children, rng, first=first)
        yield records if n - first >= BLOCK else head(records, n - first)


def head(records: Records, n: int) -> Records:
    """Return the first ``n`` rows."""
    one = records.children
    cut = Children(
        family=one.family[:n],
        general=one.general[:n],
        factors=one.factors[:n],
        social=one.social[:n],
        measures={name: values[:n] for name, values in one.measures.items()},
        exposures={name: values[:n] for name, values in one.exposures.items()},
        log_odds=one.log_odds[:n],
        event=one.event[:n],
    )
    special = {name: values[:n] for name, values in records.special.items()}
    columns = {name: values[:n] for name, values in records.columns.items()}
    return Records(records.first, cut, special, columns, records.codes[:n])


def _seen(values: FloatArray, log_odds: FloatArray | float, rng: np.random.Generator) -> FloatArray:
    """Return values where they are recorded, else NaN."""
    return np.where(rng.random(len(values)) < expit(log_odds), values, np.nan)


def _demographics(children: Children, contact: FloatArray, rng: np.random.Generator) -> dict[str, Any]:
    n, social = len(children), children.social
    public = rng.random(n) < expit(-0.3 + 1.2 * social)
    none = ~public & (rng.random(n) < 0.04)
    education: Any = np.array(EDUCATION, dtype=object)[np.digitize(-social + 0.8 * rng.standard_normal(n), [-1.4, 0.0, 1.1])]
    education[rng.random(n) >= expit(0.9 + 0.4 * contact)] = None
    return {
        "male": children.exposures["male"],
        "birth_season": np.array(SEASONS, dtype=object)[rng.integers(4, size=n)],
        "residence": np.array(RESIDENCE, dtype=object)[rng.choice(3, n, p=[0.45, 0.35, 0.2])],
        "insurance": np.array(INSURANCE, dtype=object)[np.where(none, 2, public.astype(int))],
        "english": _seen((rng.random(n) < expit(1.8 - 0.6 * social)).astype(np.float64), 2.0 + 0.3 * contact, rng),
        "maternal_education": education,
    }


def _pregnancy(children: Children, contact: FloatArray, rng: np.random.Generator) -> dict[str, Any]:
    n, measures, exposures = len(children), children.measures, children.exposures
    linked = rng.random(n) < expit(0.9 - 0.6 * children.social + 0.4 * contact)  # the mother's record was found
    born_here = rng.random(n) < expit(1.8 + 0.3 * contact + 0.4 * (measures["gestation_weeks"] < 37))
    asked = [name for name, column in COLUMNS.items() if column.max_missing == 0.7 and column.kind == "binary"]
    found = {name: np.where(linked, exposures[name], np.nan) for name in asked}
    for name in ("sibling_autism", "sibling_adhd", "parental_psychiatric"):  # asked at visits
        found[name] = _seen(exposures[name], 0.8 + 0.5 * contact + 1.0 * exposures[name], rng)
    for name, digits in (("maternal_bmi_kg_m2", 1), ("parity", 0), ("interpregnancy_months", 0)):
        found[name] = np.where(linked, np.round(measures[name], digits), np.nan)
    for name, digits in (("gestation_weeks", 1), ("birth_weight_g", 0), ("apgar_5_min", 0)):
        found[name] = np.where(born_here, np.round(measures[name], digits), np.nan)
    found["maternal_age_years"] = np.round(measures["maternal_age_years"], 1)
    absent = 0.8 * children.social + 1.0 * (measures["maternal_age_years"] < 21)
    found["paternal_age_years"] = _seen(np.round(measures["paternal_age_years"], 1), 1.9 - absent, rng)
    return found


def _measurements(children: Children, contact: FloatArray, rng: np.random.Generator) -> dict[str, Any]:
    n, at = len(children), {name: children.factors[:, place] for place, name in enumerate(FACTORS)}
    small = (children.measures["birth_weight_g"] - 3400) / 900

    def noise() -> FloatArray:
        return rng.standard_normal(n)

    haemoglobin = 12.2 - 0.4 * at["blood"] + 0.9 * noise()
    lead = np.exp(0.4 + 0.25 * children.social + 0.6 * noise())
    ferritin = np.exp(3.2 - 0.25 * at["blood"] + 0.6 * noise())
    vitamin = np.exp(4.1 - 0.15 * at["metabolic"] + 0.35 * noise())
    return {
        "head_12_months_z": _seen(np.round(0.3 * small - 0.15 * at["congenital"] + noise(), 2).clip(-8, 8), 0.9 + contact, rng),
        "weight_24_months_z": _seen(
            np.round(0.4 * small - 0.1 * at["gastrointestinal"] + noise(), 2).clip(-8, 8), 1 + contact, rng
        ),
        "height_24_months_z": _seen(
            np.round(0.4 * small - 0.1 * at["congenital"] + noise(), 2).clip(-8, 8), 0.9 + contact, rng
        ),
        "haemoglobin_g_dl": _seen(np.round(haemoglobin, 1).clip(4, 21), 0.4 + 0.5 * contact + 0.4 * at["blood"], rng),
        "lead_ug_dl": _seen(np.round(lead, 1).clip(0, 100), 0.2 + 0.6 * children.social + 0.3 * contact, rng),
        "ferritin_ug_l": _seen(np.round(ferritin).clip(1, 2000), -2.4 + 0.9 * at["blood"] + 0.4 * contact, rng),
        "vitamin_d_nmol_l": _seen(np.round(vitamin).clip(1, 400), -2.6 + 0.8 * at["metabolic"] + 0.4 * contact, rng),
    }


def _encounters(children: Children, contact: FloatArray, rng: np.random.Generator) -> dict[str, Any]:
    n, at = len(children), {name: children.factors[:, place] for place, name in enumerate(FACTORS)}

    def visits(mean: float, line: FloatArray, spread: float) -> FloatArray:
        rate = mean * np.exp(line) * rng.gamma(spread, 1 / spread, n)
        return rng.poisson(rate.clip(0, 1000)).clip(0, 2000).astype(np.float64)

    specialist = contact + 0.3 * (at["neurology"] + at["congenital"])
    intensive = visits(0.8, 0.9 * at["prematurity"] - 0.35 * (children.measures["gestation_weeks"] - 38), 0.5)
    outpatient = visits(12.0, contact, 4.0)
    return {
        "well_child_visits": visits(8.0, 0.3 * contact - 0.1 * children.social, 20.0),
        "outpatient_visits": outpatient,
        "specialist_visits": visits(1.5, specialist, 0.8),
        "emergency_visits": visits(1.6, contact + 0.25 * children.social + 0.2 * at["injury"], 1.2),
        "hospital_days": visits(0.6, contact + 0.5 * at["infection"] + 0.4 * at["congenital"], 0.3),
        "intensive_care_days": intensive.clip(0, 200),
        "providers": 1 + visits(4.0, 0.6 * contact, 6.0),
        "first_visit_days": _seen(np.floor(rng.exponential(20 * np.exp(-0.4 * contact))).clip(0, 1095), 2.5 + contact, rng),
    }


def _codes(children: Children, contact: FloatArray, rng: np.random.Generator) -> np.ndarray[Any, np.dtype[np.int8]]:
    book = code_book()
    sources = np.column_stack([children.factors, contact, children.conditions])
    share = expit(sources @ book.weights + book.base)
    recorded: np.ndarray[Any, np.dtype[np.int8]] = (rng.random(share.shape) < share).astype(np.int8)
    return recorded
