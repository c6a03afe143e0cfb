"""Predictors: nothing of the future, exact windows, and the values of pandas."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mgvae.config.study import load_config
from mgvae.extract.read import read_extract
from tests.mgvae.ehr.event_tables import Built, Omop, built, day
from validation.checks import validate

ALL = ["any", "count", "last", "min", "max", "mean", "slope", "days_since"]


def without_bystanders(folder: Path, tables: Omop, **changes: Any) -> tuple[pd.DataFrame, Built]:
    """Return the extract with two more persons in the tables, so that no column has one value, but not in the frame."""
    codes = {(row["condition_concept_id"], None) for row in tables.tables["condition_occurrence"]}
    codes |= {(row["measurement_concept_id"], row["unit_source_value"]) for row in tables.tables["measurement"]}
    tables.person(97)
    tables.person(98)
    for code, unit in sorted(codes, key=str):
        for at, value in ((-3, 100.0), (-2, 200.0)):
            if unit is None:
                tables.condition(97, at, concept=code)
            else:
                tables.measurement(97, at, value, concept=code, unit=unit)
    frame, study = built(folder, tables, **changes)
    return frame.drop(index=["97", "98"], errors="ignore"), study


def history(generator: np.random.Generator, *, until: float) -> Omop:
    """Return 40 persons whose events lie between day -300 and ``until``."""
    tables = Omop()
    for person in range(1, 41):
        tables.person(person, born=1940 + person % 7)
        for at in generator.integers(-300, 300, size=12).tolist():
            code, value = int(generator.integers(2, 6)), float(generator.normal())
            if at <= until:
                tables.condition(person, at, concept=code)
                tables.measurement(person, at, value, concept=10 + code)
    return tables


def test_what_happens_from_the_day_of_the_prediction_on_changes_no_predictor(tmp_path):
    whole, _ = without_bystanders(
        tmp_path / "a", history(np.random.default_rng(0), until=300), predictors={"aggregations": ALL}
    )
    past, _ = without_bystanders(tmp_path / "b", history(np.random.default_rng(0), until=-1), predictors={"aggregations": ALL})
    assert whole.shape[1] > 60
    pd.testing.assert_frame_equal(whole.drop(columns="outcome"), past.drop(columns="outcome"))


def test_the_same_tables_give_the_same_bytes(tmp_path):
    for name in "ab":
        without_bystanders(tmp_path / name, history(np.random.default_rng(0), until=300), predictors={"aggregations": ALL})
    first, second = ((tmp_path / name / "out" / "extract.parquet").read_bytes() for name in "ab")
    assert first == second


@pytest.mark.parametrize(("at", "month", "ever"), [(-30, 1, 1), (-31, 0, 1), (-1, 1, 1), (0, 0, 0), (1, 0, 0)])
def test_a_window_ends_a_day_before_the_prediction(tmp_path, at, month, ever):
    tables = Omop()
    tables.person(1)
    tables.person(2)
    tables.condition(1, at, concept=5)
    tables.condition(2, -2, concept=5)
    frame, _ = without_bystanders(tmp_path, tables)
    assert frame.loc["1", ["condition:5:any:30d", "condition:5:any:all"]].tolist() == [month, ever]


@pytest.mark.parametrize(("gap", "known"), [(0, 1), (1, 0)])
def test_the_day_itself_is_known_only_without_a_gap(tmp_path, gap, known):
    tables = Omop()
    for person in (1, 2):
        tables.person(person)
        tables.measurement(person, 0 if person == 1 else -5, 1.0)
    frame, _ = without_bystanders(tmp_path, tables, predictors={"gap_days": gap, "domains": ["measurement"]})
    assert frame.loc["1", "measurement:7:any:all"] == known


@pytest.mark.parametrize(("stop", "known"), [(-1, 1), (0, 0), (5, 0)])
def test_a_diagnosis_is_known_when_its_visit_ends(tmp_path, stop, known):
    tables = Omop()
    for person in (1, 2):
        tables.person(person)
    tables.visit(1, -10, stop, identity=77)
    tables.condition(1, -10, concept=5, visit=77)
    tables.condition(2, -10, concept=5)
    at_discharge, _ = without_bystanders(tmp_path, tables, index={"first_only": True, "since": day(0)})
    assert at_discharge.loc["1", "condition:5:any:all"] == known
    at_once, _ = without_bystanders(tmp_path, tables, index={"since": day(0)}, predictors={"known_at_discharge": []})
    assert at_once.loc["1", "condition:5:any:all"] == 1


def test_values_are_those_of_pandas(tmp_path):
    generator = np.random.default_rng(1)
    tables, rows = Omop(), []
    for person in range(1, 30):
        tables.person(person)
        for at in generator.choice(np.arange(-60, 0), size=int(generator.integers(0, 6)), replace=False).tolist():
            rows.append((str(person), at, float(generator.normal())))
            tables.measurement(person, at, rows[-1][2])
    frame, _ = without_bystanders(tmp_path, tables, predictors={"aggregations": ALL, "domains": ["measurement"]})
    values = pd.DataFrame(rows, columns=["subject", "at", "value"])
    for window, kept in {"30d": values[values["at"] >= -30], "all": values}.items():
        grouped = kept.sort_values("at").groupby("subject")
        expected = {
            "count": grouped.size(), "last": grouped["value"].last(),
            "min": grouped["value"].min(), "max": grouped["value"].max(),
            "mean": grouped["value"].mean(), "days_since": -grouped["at"].max(),
            "slope": pd.Series({name: np.polyfit(one["at"], one["value"], 1)[0] for name, one in grouped if len(one) > 1}),
        }  # fmt: skip
        for name, numbers in expected.items():
            found = frame[f"measurement:7:{name}:{window}"]
            wanted = numbers.reindex(frame.index)
            np.testing.assert_allclose(found, wanted.fillna(0) if name == "count" else wanted, rtol=1e-5, atol=1e-6)


def test_units_are_not_mixed(tmp_path):
    tables = Omop()
    for person in (1, 2):
        tables.person(person)
        tables.measurement(person, -5, 5.0 * person, unit="mmol/l" if person == 1 else "mg/dl")
    frame, _ = without_bystanders(tmp_path, tables, predictors={"aggregations": ["last"]})
    assert frame["measurement:7 [mmol/l]:last:all"].to_dict() == {"1": 5.0, "2": pytest.approx(np.nan, nan_ok=True)}
    assert frame.loc["2", "measurement:7 [mg/dl]:last:all"] == 10.0


def test_rare_codes_are_left_out_or_counted_under_their_beginning(tmp_path):
    tables = Omop()
    for person in (1, 2, 3):
        tables.person(person)
        tables.condition(person, -5, concept=430 + person)
        tables.condition(person, -5, concept=9)
    rare = {"min_patients": 3, "lookback_days": ["all"], "aggregations": ["count"]}
    frame, _ = without_bystanders(tmp_path, tables, predictors=rare)
    assert [name for name in frame if ":" in name] == ["condition:9:count:all"]
    frame, _ = without_bystanders(tmp_path, tables, predictors=rare | {"hierarchy": {"prefix": 2}})
    assert frame["condition:43*:count:all"].tolist() == [1, 1, 1]


def test_an_event_counts_for_its_ancestors_too(tmp_path):
    tables = Omop()
    for person in (1, 2):
        tables.person(person)
        tables.condition(person, -5, concept=40 + person)
    tables.tables["concept_ancestor"] = [{"ancestor_concept_id": 4, "descendant_concept_id": one} for one in (4, 41, 42)]
    frame, _ = without_bystanders(tmp_path, tables, predictors={"hierarchy": {"ancestors": [4]}})
    assert frame["condition:4:any:all"].tolist() == [1, 1]
    again = {"predicates": {"mi": {"domain": None, "concepts": [4], "descendants": True}}, "prior_outcome": "keep"}
    tables.condition(1, 30, concept=41)
    frame, _ = without_bystanders(tmp_path, tables, **again)
    assert frame.outcome.to_dict() == {"1": 1, "2": 0}


def test_excluded_predicates_are_no_predictors_and_missing_values_exclude_nothing_else(tmp_path):
    tables = Omop()
    for person in (1, 2):
        tables.person(person)
        tables.measurement(person, -5, None)
        tables.measurement(person, -6, 20.0, concept=8)
    high = {"predicates": {"high": {"value_min": 10}}, "predictors": {"exclude": ["high"]}}
    frame, _ = without_bystanders(tmp_path, tables, **high)
    assert "measurement:7:any:all" in frame
    assert "measurement:8:any:all" not in frame


def test_no_more_columns_than_asked_and_the_most_frequent_first(tmp_path):
    tables = Omop()
    for person in (1, 2, 3):
        tables.person(person)
        for concept in range(10, 10 + person):
            tables.condition(person, -5, concept=concept)
    frame, _ = without_bystanders(tmp_path, tables, predictors={"max_columns": 2})
    assert [name for name in frame if ":" in name] == ["condition:10:any:30d", "condition:10:any:all"]


def test_what_is_built_passes_its_own_dictionary(tmp_path):
    tables = history(np.random.default_rng(2), until=300)
    for person in (3, 4, 5, 6, 7):
        tables.condition(person, 20)
    _, study = without_bystanders(tmp_path, tables, predictors={"aggregations": ALL, "demographics": True})
    config = load_config(study.folder / "cohort.yaml")
    extract = read_extract(config)
    assert validate(extract.frame, extract.unreadable, config).failed == ()
    assert {"age", "sex"} <= set(config.columns.features)
    assert config.outcome.label == "mi"
    assert config.attrition == study.attrition
