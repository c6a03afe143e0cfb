"""Tables of visits become one row per patient: nothing of the future, exact values, NAFLD's raw tables."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.nafld.prepare import DIAGNOSES, TESTS
from flows.study.event_tables import runnable
from mgvae.config.visits import load_visits
from mgvae.ehr.visits import reduce_visits
from mgvae.errors import ConfigError, DataError, ExtractError
from tests.paths import ROOT

RAW = ROOT.parent / "shared" / "data" / "nafld"


def reduced(folder: Path, visits, **changes) -> pd.DataFrame:
    """Return the extract, by subject, after cohort.yaml was built."""
    values = {
        "study": "small", "extract": "visits.csv", "subject_id": "id", "index_date": "index",
        "outcome": {"column": "died", "event": 1}, "visits": visits, **changes,
    }  # fmt: skip
    path = folder / "cohort.yaml"
    path.write_text(json.dumps(values), encoding="utf-8")
    reduce_visits(path, load_visits(path), folder / "out")
    return pd.read_parquet(folder / "out" / "extract.parquet").set_index("id")


@pytest.fixture
def visits(tmp_path) -> pd.DataFrame:
    frame = pd.DataFrame(
        [
            ("b", "2020-01-01", 1.0, "x", "2020-01-10", 0),
            ("a", "2020-01-01", 5.0, "y", "2020-01-03", 1),
            ("a", "2020-01-03", 7.0, None, "2020-01-03", 1),
            ("a", "2020-01-04", 99.0, "z", "2020-01-03", 1),
            ("b", "2020-01-09", None, "w", "2020-01-10", 0),
            ("b", "someday", 50.0, "v", "2020-01-10", 0),
        ],
        columns=["id", "seen", "sbp", "note", "index", "died"],
    )
    frame.to_csv(tmp_path / "visits.csv", index=False)
    return frame


def test_the_last_known_value_up_to_the_index_date(visits, tmp_path):
    frame = reduced(tmp_path, {"date": "seen"})
    assert frame.index.tolist() == ["b", "a"]
    assert frame["sbp"].astype(float).to_dict() == {"b": 1.0, "a": 7.0}
    assert frame["note"].to_dict() == {"b": "w", "a": "y"}
    assert frame["died"].astype(int).to_dict() == {"b": 0, "a": 1}


def test_later_rows_change_nothing(visits, tmp_path):
    every = {"date": "seen", "reduce": ["first", "last", "min", "max", "mean", "count", "any"]}
    before = reduced(tmp_path, every)
    late = visits["seen"] > visits["index"]
    visits[~late].to_csv(tmp_path / "visits.csv", index=False)
    pd.testing.assert_frame_equal(reduced(tmp_path, every), before)
    assert before.loc["a", ["sbp_first", "sbp_min", "sbp_max", "sbp_mean", "sbp_count", "sbp_any"]].astype(float).tolist() == [
        5.0, 5.0, 7.0, 6.0, 2.0, 1.0,
    ]  # fmt: skip


@pytest.mark.parametrize(("days", "value"), [(1, 7.0), (2, 6.0)])
def test_rows_before_the_look_back_are_not_used(visits, tmp_path, days, value):
    frame = reduced(tmp_path, {"date": "seen", "reduce": {"sbp": "mean"}, "lookback_days": days})
    assert frame["sbp"]["a"] == value


def test_patients_without_rows_stay_and_tables_of_codes_become_columns(tmp_path):
    pd.DataFrame({"id": [1, 2, 3], "died": [0, 1, 0]}).to_csv(tmp_path / "visits.csv", index=False)
    pd.DataFrame(
        {"who": [1, 1, 2, 9], "day": [-5, 0, 1, -1], "test": ["hdl", "hdl", "hdl", "chol"], "value": [40, 50, 60, 70]}
    ).to_csv(tmp_path / "tests.csv", index=False)
    pd.DataFrame({"id": [3, 2], "day": [-9, 5], "dx": ["mi", "mi"]}).to_csv(tmp_path / "dx.csv", index=False)
    tables = [
        {"file": "tests.csv", "subject": "who", "date": "day", "index": 0, "code": "test", "value": "value"},
        {"file": "dx.csv", "date": "day", "index": 0, "code": "dx", "reduce": "any"},
    ]
    frame = reduced(tmp_path, tables, index_date=None)
    assert frame["hdl"].dropna().astype(float).to_dict() == {"1": 50.0}
    assert frame["mi"].tolist() == [0, 0, 1]
    assert "chol" not in frame


def test_a_patient_with_two_outcomes_is_refused(visits, tmp_path):
    visits.assign(died=[0, 1, 0, 1, 0, 0]).to_csv(tmp_path / "visits.csv", index=False)
    with pytest.raises(DataError, match="'died' must be the same in all rows of a patient; 1 patients have several"):
        reduced(tmp_path, {"date": "seen"})


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"date": "sen"}, ExtractError, "must have the column 'sen'; it is absent. Did you mean 'seen'"),
        ({"date": "seen", "value": "sbp"}, ConfigError, "value needs code"),
        ({"date": "seen", "reduce": "median"}, ConfigError, "reduce"),
        ([{"date": "seen"}, {"date": "seen"}], ConfigError, "only one of visits may be the extract itself"),
        ({"file": "visits.csv", "date": "seen", "reduce": "last"}, DataError, "must have one row per patient; 2 have several"),
    ],
)
def test_what_cannot_be_reduced_is_refused(visits, tmp_path, given, error, message):
    with pytest.raises(error, match=message.replace(".", r"\.")):
        reduced(tmp_path, given)


def test_days_need_their_index(visits, tmp_path):
    with pytest.raises(ConfigError, match="visits need the study's index_date, or index"):
        reduced(tmp_path, {"date": "seen"}, index_date=None)


@pytest.mark.skipif(not RAW.is_dir(), reason="the data sets for measuring are not here")
def test_the_raw_tables_of_nafld_give_the_shipped_cohort(tmp_path):
    people = pd.read_csv(RAW / "nafld1.csv.gz")
    event = (people["status"] == 1) & (people["futime"] <= 730)
    people.assign(death_2y=event.astype("Int8").where(event | (people["futime"] >= 730))).to_csv(
        tmp_path / "people.csv", index=False
    )
    values = {
        "study": "nafld", "extract": "people.csv", "subject_id": "id", "outcome": {"column": "death_2y", "event": 1},
        "visits": [
            {"file": str(RAW / "nafld2.csv.gz"), "date": "days", "index": 0, "code": "test", "value": "value"},
            {"file": str(RAW / "nafld3.csv.gz"), "date": "days", "index": 0, "code": "event", "reduce": "any"},
        ],
        "columns": {},
    }  # fmt: skip
    (tmp_path / "cohort.yaml").write_text(json.dumps(values), encoding="utf-8")
    found = pd.read_parquet(runnable(tmp_path / "cohort.yaml").with_name("extract.parquet"))
    found = found.astype(float).set_index("id").sort_index()
    shipped = pd.read_parquet(ROOT / "data" / "nafld" / "nafld.parquet").set_index("id").astype(float)
    assert len(found) == len(shipped) == 17_549
    for raw, name in {**TESTS, **DIAGNOSES, "death_2y": "death_2y"}.items():
        np.testing.assert_array_equal(found[raw].round(2) if raw == "fib4" else found[raw], shipped[name], err_msg=name)
