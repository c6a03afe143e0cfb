"""Make nafld.parquet from the data sets nafld1, nafld2 and nafld3 of the R package survival (Debian: r-cran-survival).

Usage: python data/nafld/prepare.py [--out PATH]
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

HORIZON_DAYS = 730
TABLES = ("nafld1", "nafld2", "nafld3")
PERSON = {
    "id": "id",
    "case.id": "case_id",
    "age": "age_years",
    "male": "male",
    "weight": "weight_kg",
    "height": "height_cm",
    "bmi": "bmi_kg_m2",
}
TESTS = {
    "hdl": "hdl_mg_dl",
    "chol": "chol_mg_dl",
    "sbp": "sbp_mmhg",
    "dbp": "dbp_mmhg",
    "smoke": "smoke",
    "fib4": "fib4",
}
DIAGNOSES = {
    "nafld": "dx_nafld",
    "htn": "dx_hypertension",
    "dyslipidemia": "dx_dyslipidemia",
    "diabetes": "dx_diabetes",
    "ang/isc": "dx_angina_ischemia",
    "MI": "dx_myocardial_infarction",
    "heart failure": "dx_heart_failure",
    "afib": "dx_atrial_fibrillation",
    "stroke": "dx_stroke",
    "cardiac arrest": "dx_cardiac_arrest",
}
WHOLE = ("case_id", "age_years", "male", "height_cm", "hdl_mg_dl", "chol_mg_dl", "sbp_mmhg", "dbp_mmhg", "smoke")
COMPUTED = ("bmi_kg_m2", "fib4")  # ratios with up to 13 decimals in the source: a person's fingerprint, and no information


def export(folder: Path) -> None:
    """Write the three data sets as CSV into ``folder``.

    Raises:
        SystemExit: Rscript or the package is missing.
    """
    if shutil.which("Rscript") is None:
        sys.exit("Rscript is needed; install the Debian packages r-base-core and r-cran-survival.")
    writes = "; ".join(f'write.csv({name}, "{name}.csv", row.names = FALSE, na = "")' for name in TABLES)
    call = ["Rscript", "-e", f"library(survival); {writes}"]
    done = subprocess.run(call, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"Rscript could not export the data sets; install r-cran-survival. It said:\n{done.stderr}")


def build_table(people: pd.DataFrame, tests: pd.DataFrame, diagnoses: pd.DataFrame) -> pd.DataFrame:
    """Return one row per person: baseline, last test values and diagnoses up to the index date, and the outcome.

    Args:
        people: nafld1.
        tests: nafld2, in days from the index date.
        diagnoses: nafld3, in days from the index date.
    """
    table = people[list(PERSON)].rename(columns=PERSON).set_index("id")
    table = table.join(last_values(tests)).join(diagnosed(diagnoses))
    flags = list(DIAGNOSES.values())
    table[flags] = table[flags].astype("Int8").fillna(0)
    table["death_2y"] = died(people.set_index("id"))
    table[list(COMPUTED)] = table[list(COMPUTED)].round(2)
    table = table.astype(dict.fromkeys(WHOLE, "Int32") | dict.fromkeys(("male", "smoke"), "Int8"))
    return table.sort_index().reset_index()


def last_values(tests: pd.DataFrame) -> pd.DataFrame:
    """Return each person's last value of each test on or before the index date; a column per test."""
    past = tests[tests["days"] <= 0].sort_values(["id", "test", "days"], kind="stable")
    last = past.pivot_table(index="id", columns="test", values="value", aggfunc="last")
    return last[list(TESTS)].rename(columns=TESTS)


def diagnosed(diagnoses: pd.DataFrame) -> pd.DataFrame:
    """Return 1 where a person had a diagnosis on or before the index date; a column per diagnosis."""
    past = diagnoses[diagnoses["days"] <= 0].drop_duplicates(["id", "event"])
    flags = past.assign(known=1).pivot_table(index="id", columns="event", values="known", aggfunc="max")
    return flags[list(DIAGNOSES)].rename(columns=DIAGNOSES)


def died(people: pd.DataFrame) -> pd.Series:
    """Return 1 for a death within the horizon, 0 for those alive at its end, missing for those lost before it."""
    event = (people["status"] == 1) & (people["futime"] <= HORIZON_DAYS)
    known = event | (people["futime"] >= HORIZON_DAYS)
    return event.astype("Int8").where(known)


def main() -> None:
    """Make the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("nafld.parquet"))
    out: Path = parser.parse_args().out
    with tempfile.TemporaryDirectory() as folder:
        export(Path(folder))
        table = build_table(*(pd.read_csv(Path(folder) / f"{name}.csv") for name in TABLES))
    table.to_parquet(out, index=False, compression="zstd", compression_level=19)
    known = table["death_2y"].dropna()
    print(f"{out}: {len(table)} persons, {len(known)} with known status at {HORIZON_DAYS} days, {int(known.sum())} deaths")


if __name__ == "__main__":
    main()
