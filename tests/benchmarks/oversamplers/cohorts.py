"""The cohorts as typed tables: numbers are float64 with NaN, levels are categories (ordered where they have an order)."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mgvae.cohort.build import build_cohort
from mgvae.config.study import load_config
from mgvae.extract.read import read_extract
from mgvae.reproducibility import numpy_generator
from tests.paths import ROOT

DATA = ROOT.parent / "shared" / "data"
SHIPPED = ("nafld", "actg320")
MI_OUTCOMES = {"mi_rupture": "RAZRIV", "mi_fibrillation": "FIBR_JELUD"}
NAMES = (*SHIPPED, *MI_OUTCOMES, "crash2", "diabetes130")
BUNDLES = {"mi_complications": tuple(MI_OUTCOMES)}  # one data set, several outcomes

CRASH2_MULTI_ORGAN_FAILURE = "4"
MI_NUMBERS = [
    *("AGE", "S_AD_KBRIG", "D_AD_KBRIG", "S_AD_ORIT", "D_AD_ORIT"),
    *("K_BLOOD", "NA_BLOOD", "ALT_BLOOD", "AST_BLOOD", "KFK_BLOOD", "L_BLOOD", "ROE"),
]
MI_LATER = r"^(R_AB|NA_R|NOT_NA)_\d_n$"  # pain and its treatment on the first to third day, after admission
DIABETES_ROWS = 20_000
DIABETES_DIED = "11"
DIABETES_DIAGNOSES = ("diag_1", "diag_2", "diag_3")
DIABETES_DROPPED = [
    *("encounter_id", "patient_nbr", "discharge_disposition_id", "readmitted"),
    *("time_in_hospital", "num_lab_procedures", "num_procedures", "num_medications"),  # known only when the stay is over
]
DIABETES_NUMBERS = ["number_outpatient", "number_emergency", "number_inpatient", "number_diagnoses"]
DIABETES_UNKNOWN = {  # codes that IDs_mapping.csv calls not available, NULL, not mapped or invalid; tests that were not done
    "gender": ["Unknown/Invalid"],
    "admission_type_id": ["5", "6", "8"],
    "admission_source_id": ["9", "15", "17", "20", "21"],
    "max_glu_serum": ["None"],
    "A1Cresult": ["None"],
}
DIABETES_ORDERED = {
    "age": [f"[{low}-{low + 10})" for low in range(0, 100, 10)],
    "weight": [*(f"[{low}-{low + 25})" for low in range(0, 200, 25)), ">200"],
    "max_glu_serum": ["Norm", ">200", ">300"],
    "A1Cresult": ["Norm", ">7", ">8"],
}


@dataclass(frozen=True, eq=False)
class Table:
    """A cohort with N rows.

    Attributes:
        name: of the cohort.
        features: predictors, typed as `mgvae.cohort.build.Cohort.features`, ``(N, P)``.
        event: bool ``(N,)``.
        group: int64 ``(N,)``: rows of one group stay on one side of a split.
    """

    name: str
    features: pd.DataFrame
    event: np.ndarray
    group: np.ndarray


def expand(names: Iterable[str]) -> list[str]:
    """Return the cohorts that ``names`` stand for.

    Raises:
        ValueError: a name is unknown.
    """
    out = [one for name in names for one in BUNDLES.get(name, (name,))]
    unknown = sorted(set(out) - set(NAMES))
    if unknown:
        raise ValueError(f"Cohorts must be among {', '.join((*NAMES, *BUNDLES))}; got {', '.join(unknown)}.")
    return list(dict.fromkeys(out))


def load(name: str, *, data: Path = DATA) -> Table:
    """Return the cohort ``name``.

    Args:
        name: one of ``NAMES``.
        data: the folder of data sets that do not ship with the project; not needed for those that do.
    Raises:
        ValueError: the name is unknown.
        FileNotFoundError: the data set is not in the folder.
    """
    expand([name])
    if name in SHIPPED:
        return _shipped(name)
    if name == "crash2":
        return _crash2(file_of(data, "crash2", "crash2.csv.gz"))
    if name == "diabetes130":
        return _diabetes130(file_of(data, "diabetes130", "dataset_diabetes.zip"))
    columns = file_of(data, "mi_complications", "column_names.txt").read_text(encoding="utf-8").replace(",", " ").split()
    return _mi(name, file_of(data, "mi_complications", "MI.data"), columns)


def file_of(data: Path, *parts: str) -> Path:
    """Return the path of a data set that does not ship.

    Raises:
        FileNotFoundError: it is not in the folder.
    """
    path = data.joinpath(*parts)
    if not path.is_file():
        raise FileNotFoundError(
            f"{'/'.join(parts)} must lie in the folder of data sets, {data}; it does not. Name that folder with --data, "
            f"or use only cohorts that ship: --cohorts {','.join(SHIPPED)}."
        )
    return path


def _shipped(name: str) -> Table:
    config = load_config(ROOT / "data" / name / "cohort.yaml")
    cohort = build_cohort(config, read_extract(config).frame)
    return Table(name, cohort.features, cohort.event, cohort.group)


def _crash2(path: Path) -> Table:
    """Death by multi-organ failure after trauma, among those whose outcome is known."""
    frame = pd.read_csv(path, dtype={"status": str})
    frame = frame[frame["status"].notna()].reset_index(drop=True)
    numbers = ["age", "injurytime", "sbp", "hr", "rr", "cc", "gcs"]
    features = frame[["sex", "age", "injurytime", "injurytype", "sbp", "hr", "rr", "cc", "gcs"]]
    return typed("crash2", features, frame["status"] == CRASH2_MULTI_ORGAN_FAILURE, numbers=numbers)


def _mi(name: str, path: Path, columns: Sequence[str]) -> Table:
    """A complication of myocardial infarction, from what was known at admission; graded findings keep their order."""
    frame = pd.read_csv(path, header=None, names=list(columns), na_values="?")
    last = list(columns).index("FIBR_PREDS")  # the twelve outcomes begin here
    features = frame.iloc[:, 1:last]
    features = features.loc[:, ~features.columns.str.match(MI_LATER)]
    levels = features.columns.difference(MI_NUMBERS)
    ordered = {column: sorted(features[column].dropna().unique()) for column in levels if features[column].nunique() > 2}
    return typed(name, features, frame[MI_OUTCOMES[name]] == 1, numbers=MI_NUMBERS, ordered=ordered)


def _diabetes130(path: Path) -> Table:
    """In-hospital death in a patient's first encounter; diagnoses by the root of their ICD-9 code. A fixed random sample."""
    first = first_encounters(path)
    drawn = numpy_generator(0, "benchmark", "diabetes130").choice(len(first), DIABETES_ROWS, replace=False)
    rows = first.iloc[np.sort(drawn)].reset_index(drop=True)
    features = known_at_admission(rows)
    for column in DIABETES_DIAGNOSES:
        features[column] = features[column].str.partition(".")[0]
    died = rows["discharge_disposition_id"] == DIABETES_DIED
    return typed("diabetes130", features, died, numbers=DIABETES_NUMBERS, ordered=DIABETES_ORDERED)


def first_encounters(path: Path) -> pd.DataFrame:
    """Return each patient's first encounter of diabetes130 as text; missing is NaN."""
    with zipfile.ZipFile(path) as archive, archive.open("dataset_diabetes/diabetic_data.csv") as stream:
        frame = pd.read_csv(stream, dtype=str, keep_default_na=False, na_values=["?"])
    order = frame["encounter_id"].astype("int64").argsort(kind="stable")
    return frame.iloc[order].drop_duplicates("patient_nbr").reset_index(drop=True)


def known_at_admission(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the predictors of encounters, without drugs that nobody was given."""
    features = rows.drop(columns=DIABETES_DROPPED)
    for column, codes in DIABETES_UNKNOWN.items():
        features[column] = features[column].where(~features[column].isin(codes))
    return features.drop(columns=[column for column in features if len(features[column].unique()) == 1])


def typed(
    name: str,
    features: pd.DataFrame,
    event: pd.Series,
    *,
    numbers: Sequence[str],
    ordered: dict[str, list] | None = None,
) -> Table:
    """Return a table of ungrouped rows: ``numbers`` become float64, all other columns levels."""
    ordered = ordered or {}
    out = {}
    for column in features:
        if column in numbers:
            out[column] = features[column].astype("float64")
        else:
            levels = ordered.get(column, sorted(features[column].dropna().unique()))
            cells = pd.Categorical(features[column], categories=levels, ordered=column in ordered)
            out[column] = pd.Series(cells.rename_categories(map(_text, levels)), index=features.index)
    return Table(name, pd.DataFrame(out), event.to_numpy(bool), np.arange(len(event), dtype=np.int64))


def _text(level: object) -> str:
    """Return a level as the library's dictionary would spell it: whole numbers without a decimal point."""
    return f"{level:g}" if isinstance(level, float) else str(level)
