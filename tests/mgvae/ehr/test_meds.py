"""MEDS: the labels of ACES' in-hospital mortality task, and shards that depart from the standard."""

import json
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mgvae.ehr.build import build_study
from mgvae.errors import ExtractError
from tests.paths import ROOT

DATA = ROOT.parent / "shared" / "data"
TASK = {
    "predicates": {
        "admission": {"code": {"regex": "^ADMISSION//.*"}},
        "discharge": {"code": {"regex": "^DISCHARGE//.*"}},
        "death": {"code": {"regex": "^DISCHARGE//PULMONARY$"}},  # nobody dies in the sample: one department stands for it
        "discharge_or_death": {"expr": "or(discharge, death)"},
    },
    "index": {
        "event": "admission", "offset_days": 1, "first_only": False,
        "without": [{"events": name, "start_days": -1, "end_days": 1} for name in ("admission", "discharge_or_death")],
    },
    "outcome": {"events": "death", "start_days": 1, "until": "discharge_or_death"},
    "prior_outcome": "keep",
    "predictors": {"lookback_days": [1], "aggregations": ["count", "last"]},
}  # fmt: skip


def cohort(folder: Path, place: Path, **changes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "cohort.yaml"
    path.write_text(json.dumps({"study": "icu", "source": {"meds": str(place), **TASK, **changes}}), encoding="utf-8")
    return path


@pytest.mark.skipif(not (DATA / "meds_sample").is_dir(), reason="the data sets for measuring are not here")
def test_labels_are_those_of_aces(tmp_path):
    # made with es-aces 0.7.3, its task inhospital_mortality with these predicates, one shard at a time
    expected = pd.read_csv(Path(__file__).with_name("aces_mortality.csv"), parse_dates=["prediction_time"])
    study = build_study(cohort(tmp_path, DATA / "meds_sample"), tmp_path / "out")
    found = pd.read_parquet(study.folder / "extract.parquet")
    labels = found.assign(subject_id=found.subject_id.astype(int)).rename(columns={"outcome": "boolean_value"})
    labels = labels[list(expected)].sort_values(["subject_id", "prediction_time"], ignore_index=True)
    pd.testing.assert_frame_equal(labels, expected, check_dtype=False)
    written = pq.read_table(study.folder / "labels.parquet")
    assert written.schema.types == [pa.int64(), pa.timestamp("us"), pa.bool_()]  # the label schema of MEDS 0.4
    pd.testing.assert_frame_equal(written.to_pandas(), expected, check_dtype=False)


def shard(path: Path, **renamed: str) -> Path:
    """Write the admission of 60 hours of three subjects: one dies, one has no laboratory values."""
    times = pd.to_datetime(["2150-01-01 08:00", "2150-01-02 07:00", "2150-01-02 09:00", "2150-01-03 20:00"])
    rows = pd.concat(
        pd.DataFrame(
            {"subject_id": subject, "time": [*times, None],
             "code": ["ADMISSION//A", lab, "LAB//x", f"DISCHARGE//{end}", "SEX//female"],
             "numeric_value": [None, subject + 0.5, 9.0, None, None]}
        )
        for subject, end, lab in ((1, "HOME", "LAB//x"), (2, "PULMONARY", "LAB//x"), (3, "HOME", "LAB//y"))
    )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.rename(columns=renamed).to_parquet(path)
    return path


def test_a_prediction_at_24_hours_knows_what_came_before_and_at_that_time(tmp_path):
    shard(tmp_path / "meds" / "data" / "train" / "0.parquet")
    study = build_study(
        cohort(tmp_path, tmp_path / "meds", predictors={"lookback_days": [1], "aggregations": ["count"], "min_patients": 1}),
        tmp_path / "out",
    )
    frame = pd.read_parquet(study.folder / "extract.parquet")
    assert frame.outcome.tolist() == [0, 1, 0]
    assert frame["event:LAB//x:count:1d"].tolist() == [1, 1, 0]


def test_a_column_of_another_name_is_named(tmp_path):
    shard(tmp_path / "meds.parquet", numeric_value="value")
    rest = {"predictors": {"lookback_days": [1], "aggregations": ["last"], "min_patients": 1}}
    named = cohort(tmp_path / "a", tmp_path / "meds.parquet", columns={"numeric_value": "value"}, **rest)
    frame = pd.read_parquet(build_study(named, tmp_path / "out").folder / "extract.parquet")
    assert frame["event:LAB//x:last:1d"].dropna().tolist() == [1.5, 2.5]
    wrong = cohort(tmp_path / "b", tmp_path / "meds.parquet", columns={"numeric_value": "valeu"}, **rest)
    with pytest.raises(ExtractError, match=r"must have the column 'valeu'.*Did you mean 'value'"):
        build_study(wrong, tmp_path / "out2")


def test_what_is_no_meds_is_refused_and_nothing_is_written(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ExtractError, match=r"no \*\.parquet is there"):
        build_study(cohort(tmp_path / "a", tmp_path / "empty"), tmp_path / "out")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 secret patient PAR1")
    with pytest.raises(ExtractError, match="must be readable event tables") as caught:
        build_study(cohort(tmp_path / "b", tmp_path / "broken.parquet"), tmp_path / "out")
    assert "secret" not in str(caught.value)
    assert list((tmp_path / "out").iterdir()) == []


MIMIC = DATA / "mimic_demo_meds" / "mimic_iv_demo_meds_events.parquet"
DEATHS = """
WITH e AS (SELECT subject_id, time, code FROM read_parquet(?) WHERE code LIKE 'HOSPITAL_%'),
     stays AS (SELECT a.subject_id, a.time AS began, min_by(d.code, d.time) AS ended_as, min(d.time) AS ended
               FROM e a JOIN e d ON a.subject_id = d.subject_id AND d.time > a.time AND d.code LIKE 'HOSPITAL_DISCHARGE%'
               WHERE a.code LIKE 'HOSPITAL_ADMISSION%' GROUP BY ALL)
SELECT count(*), count(*) FILTER (ended_as = 'HOSPITAL_DISCHARGE//DIED') FROM stays WHERE ended > began + INTERVAL 1 DAY
"""


@pytest.mark.skipif(not MIMIC.is_file(), reason="the data sets for measuring are not here")
def test_admissions_of_a_real_icu_are_those_of_a_query(tmp_path):
    predicates = {
        "admission": {"code": {"regex": "^HOSPITAL_ADMISSION//.*"}},
        "discharge": {"code": {"regex": "^HOSPITAL_DISCHARGE//.*"}},
        "death": {"code": "HOSPITAL_DISCHARGE//DIED"},
    }
    index = {"event": "admission", "offset_days": 1, "first_only": False,
             "without": [{"events": "discharge", "start_days": -1, "end_days": 0}]}  # fmt: skip
    outcome = {"events": "death", "start_days": 0, "until": "discharge"}
    asked = cohort(tmp_path, MIMIC, predicates=predicates, index=index, outcome=outcome, columns={"numeric_value": "value"})
    frame = pd.read_parquet(build_study(asked, tmp_path / "out").folder / "extract.parquet")
    assert frame.prediction_time.dt.year.between(2110, 2220).all()
    assert (len(frame), frame.outcome.sum()) == duckdb.execute(DEATHS, [str(MIMIC)]).fetchone()
    assert frame.outcome.sum() == 14  # the fifteenth died on the first day
