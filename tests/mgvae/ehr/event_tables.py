"""Small event tables of OMOP and MEDS, written for a test, and the studies built from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from mgvae.ehr.build import Built, build_study

INDEX_DAY = pd.Timestamp("2020-01-01")
SOURCE: dict[str, Any] = {
    "predicates": {"visit": {"domain": "visit"}, "mi": {"domain": "condition", "concepts": [1]}},
    "index": {"event": "visit"},
    "outcome": {"events": "mi", "start_days": 1, "end_days": 100},
    "predictors": {"min_patients": 1, "lookback_days": [30, "all"], "aggregations": ["any", "count"], "demographics": False},
}


def day(number: float) -> str:
    """Return the date so many days after the index day."""
    return str((INDEX_DAY + pd.Timedelta(days=number)).date())


class Omop:
    """Tables of OMOP in the making: every person is observed from day -400 to day 400."""

    def __init__(self) -> None:
        self.tables: dict[str, list[dict[str, Any]]] = {
            name: []
            for name in ("person", "visit_occurrence", "condition_occurrence", "observation_period", "measurement", "death")
        }

    def person(self, number: int, *, born: int = 1950, start: float = -400, stop: float = 400, visit: float | None = 0) -> None:
        """Add a person with a visit on the index day."""
        self.tables["person"].append(
            {"person_id": number, "gender_concept_id": 8507 + 25 * (number % 2), "year_of_birth": born}
        )
        self.tables["observation_period"].append(
            {"person_id": number, "observation_period_start_date": day(start), "observation_period_end_date": day(stop)}
        )
        if visit is not None:
            self.visit(number, visit)

    def visit(self, person: int, start: float, stop: float | None = None, *, identity: int | None = None) -> None:
        """Add a visit."""
        ends = day(start if stop is None else stop)
        self.tables["visit_occurrence"].append(
            {"visit_occurrence_id": identity, "person_id": person, "visit_concept_id": 9202,
             "visit_start_date": day(start), "visit_end_date": ends}
        )  # fmt: skip

    def condition(self, person: int, at: float, concept: int = 1, *, visit: int | None = None, source: str = "x") -> None:
        """Add a condition."""
        self.tables["condition_occurrence"].append(
            {"person_id": person, "condition_concept_id": concept, "condition_start_date": day(at),
             "visit_occurrence_id": visit, "condition_source_value": source}
        )  # fmt: skip

    def measurement(self, person: int, at: float, value: float | None, *, concept: int = 7, unit: str = "mg") -> None:
        """Add a measurement."""
        self.tables["measurement"].append(
            {"person_id": person, "measurement_concept_id": concept, "measurement_date": day(at), "value_as_number": value,
             "unit_source_value": unit}
        )  # fmt: skip

    def death(self, person: int, at: float) -> None:
        """Add a death."""
        self.tables["death"].append({"person_id": person, "death_date": day(at)})

    def write(self, folder: Path) -> Path:
        """Write the tables that have rows as CSV."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in self.tables.items():
            if rows:
                pd.DataFrame(rows).convert_dtypes().to_csv(folder / f"{name.upper()}.csv", index=False)
        return folder


def write_cohort(folder: Path, place: str, **changes: Any) -> Path:
    """Write cohort.yaml with the section source; ``changes`` go one level deep."""
    source = {key: dict(value) for key, value in SOURCE.items()} | {("meds" if "meds" in place else "omop"): place}
    for key, value in changes.items():
        source[key] = source.get(key, {}) | value if isinstance(value, dict) else value
    path = folder / "cohort.yaml"
    path.write_text(json.dumps({"study": "small", "source": source}), encoding="utf-8")
    return path


def built(folder: Path, tables: Omop, **changes: Any) -> tuple[pd.DataFrame, Built]:
    """Return the extract, by subject, and what was built."""
    tables.write(folder / "omop")
    study = build_study(write_cohort(folder, "omop", **changes), folder / "out")
    return pd.read_parquet(study.folder / "extract.parquet").set_index("subject_id"), study
