"""What `mgvae init` proposes for five raw cohorts, against a table written by hand from their README files before any draft.

python -m tests.benchmarks.drafts                       # hits and misses
python -m tests.benchmarks.drafts --data DIR --only nafld_long
"""

from __future__ import annotations

import argparse
import io
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mgvae.draft.draft import Draft, draft
from tests.paths import ROOT

DATA = ROOT.parent / "shared" / "data"
VISITS = 3  # of a person in the long table of NAFLD


@dataclass(frozen=True)
class Expected:
    """What a person who has read the README would write.

    Attributes:
        outcomes: columns that may be the outcome, any of them.
        given: the outcome where no name gives it away, and its event.
        event: the event; None where several will do.
        subject: column with one value per row; None if there is none.
        group: the column that keeps a patient's rows, or a matched set, together.
        excluded: what is known only after the prediction, or is no predictor.
        kept: some of the predictors that must stay.
    """

    outcomes: tuple[str, ...]
    subject: str | None
    group: str | None
    excluded: tuple[str, ...]
    kept: tuple[str, ...]
    given: tuple[str, str] | None = None
    event: object = None


EVENTS = ("nafld", "htn", "dyslipidemia", "diabetes", "ang/isc", "stroke", "afib", "heart failure", "MI", "cardiac arrest")
COMPLICATIONS = "FIBR_PREDS PREDS_TAH JELUD_TAH FIBR_JELUD A_V_BLOK OTEK_LANC DRESSLER ZSN REC_IM P_IM_STEN LET_IS"
LATER_DAYS = "R_AB_1_n R_AB_2_n R_AB_3_n NA_R_1_n NA_R_2_n NA_R_3_n NOT_NA_1_n NOT_NA_2_n NOT_NA_3_n"
EXPECTED = {
    # three visits a person; days and events reach up to 24 years past the index date. The README splits by case.id, which is
    # missing in some rows; the person is known in all
    "nafld_long": Expected(("status",), None, "id", ("futime", "days", *EVENTS), ("age", "male", "bmi", "hdl"), event=1),
    # follow-up times and the other endpoint; no missing values, no identifier, one row per patient
    "aids_actg320": Expected(("censor", "censor_d"), None, None, ("time", "time_d"), ("cd4", "karnof", "age", "sex"), event=1),
    # myocardial rupture; the other complications and what is recorded on later days
    "mi_complications": Expected(
        ("RAZRIV",),
        "ID",
        None,
        (*COMPLICATIONS.split(), *LATER_DAYS.split()),
        ("AGE", "SEX", "S_AD_ORIT"),
        given=("RAZRIV", "1"),
        event=1,
    ),
    # cause of death; follow-up time and the recoded status
    "crash2": Expected(("status",), None, None, ("time", "statusSE"), ("age", "sex", "sbp", "gcs", "injurytime")),
    "diabetes130": Expected(
        ("readmitted",),
        "encounter_id",
        "patient_nbr",
        ("discharge_disposition_id", "weight"),
        ("race", "gender", "age"),
        event="<30",
    ),
    # death in hospital: what is counted over the whole stay goes as well
    "diabetes130_death": Expected(
        ("discharge_disposition_id",),
        "encounter_id",
        "patient_nbr",
        ("readmitted", "time_in_hospital", "weight"),
        ("race", "gender", "age", "diag_1"),
        given=("discharge_disposition_id", "11"),
        event=11,
    ),
}


def nafld_long(data: Path) -> pd.DataFrame:
    """Return the raw tables as one file: three visits a person, its later events as days from the index date."""
    persons, values, events = (pd.read_csv(data / "nafld" / f"nafld{number}.csv.gz") for number in (1, 2, 3))
    visits = values.pivot_table(index=["id", "days"], columns="test", values="value", aggfunc="first").reset_index()
    visits = visits[visits.groupby("id")["days"].transform("size") >= VISITS]
    visits = visits[visits.groupby("id").cumcount() < VISITS]
    first = events.pivot_table(index="id", columns="event", values="days", aggfunc="min").reset_index()
    return visits.merge(persons, on="id").merge(first, on="id", how="left")


def _aids(data: Path) -> pd.DataFrame:
    lines = (data / "aids_actg320" / "actg320.arff").read_text().splitlines()
    names = [line.split()[1] for line in lines if line.startswith("@attribute")]
    rows = "\n".join(line for line in lines if line and line[0] not in "@%")
    return pd.read_csv(io.StringIO(rows), names=names)


def _complications(data: Path) -> pd.DataFrame:
    folder = data / "mi_complications"
    names = (folder / "column_names.txt").read_text().split()
    return pd.read_csv(folder / "MI.data", names=names, dtype=str, keep_default_na=False)


def _diabetes(data: Path) -> pd.DataFrame:
    with zipfile.ZipFile(data / "diabetes130" / "dataset_diabetes.zip") as archive:
        return pd.read_csv(archive.open("dataset_diabetes/diabetic_data.csv"), dtype=str, keep_default_na=False)


RAW: dict[str, Callable[[Path], pd.DataFrame]] = {
    "nafld_long": nafld_long,
    "aids_actg320": _aids,
    "mi_complications": _complications,
    "crash2": lambda data: pd.read_csv(data / "crash2" / "crash2.csv.gz", dtype=str, keep_default_na=False),
    "diabetes130": _diabetes,
    "diabetes130_death": _diabetes,
}


def judged(made: Draft, expected: Expected) -> Iterator[tuple[str, bool]]:
    """Yield what was expected and whether the draft proposes it."""
    roles = {column.name: column.role for column in made.columns}
    yield f"outcome {' or '.join(expected.outcomes)}", made.outcome_name in expected.outcomes
    if expected.event is not None:
        yield f"event {expected.event}", made.outcome is not None and made.outcome.event == expected.event
    yield f"subject {expected.subject}", made.subject == expected.subject
    yield f"group {expected.group}", made.group == expected.group
    for name in expected.excluded:
        yield f"excludes {name}", name in roles and "feature" not in roles[name]
    for name in expected.kept:
        yield f"keeps {name}", "feature" in roles.get(name, ())
    others = [
        column.name
        for column in made.columns
        if column.role == ("excluded",) and column.name not in (*expected.excluded, made.outcome_name)
    ]
    yield f"excludes little else ({', '.join(others) or 'nothing'})", len(others) <= 0.25 * len(made.columns)


def drafted(name: str, data: Path, folder: Path) -> Draft:
    """Return the draft of a raw cohort, as a newcomer would ask for it."""
    path = folder / f"{name}.csv"
    RAW[name](data).to_csv(path, index=False)
    outcome, event = EXPECTED[name].given or (None, None)
    return draft(str(path), outcome=outcome, event=event)


def main() -> None:
    """Print hits and misses of each cohort."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--only", choices=list(RAW), nargs="*", default=list(RAW))
    asked = parser.parse_args()
    for name in asked.only:
        with tempfile.TemporaryDirectory() as folder:
            made = drafted(name, asked.data, Path(folder))
        found = list(judged(made, EXPECTED[name]))
        print(f"{name}: {sum(hit for _, hit in found)} of {len(found)}")
        for text, hit in found:
            if not hit or "little else" in text:
                print(f"  {'hit ' if hit else 'miss'} {text}")


if __name__ == "__main__":
    main()
