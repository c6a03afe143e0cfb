"""OMOP tables as hospitals export them: absent, empty, renamed, odd."""

import gzip
import shutil

import duckdb
import pandas as pd
import pytest

from mgvae.config.source import load_source
from mgvae.ehr.build import build_study, source_digest
from mgvae.errors import ConfigError, ExtractError
from tests.mgvae.ehr.event_tables import Omop, built, write_cohort
from tests.paths import ROOT

MIMIC = ROOT.parent / "shared" / "data" / "mimic_demo_omop"


@pytest.fixture
def tables() -> Omop:
    made = Omop()
    for person in (1, 2, 3):
        made.person(person)
        made.condition(person, -5, concept=5)
    made.condition(1, 50)
    return made


def test_parquet_gz_and_a_database_give_what_csv_gives(tables, tmp_path):
    expected, _ = built(tmp_path / "csv", tables)
    for name in ("parquet", "gz"):
        folder = tmp_path / name / "omop"
        folder.mkdir(parents=True)
        for path in (tmp_path / "csv" / "omop").iterdir():
            if name == "gz":
                (folder / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
            else:
                pd.read_csv(path).to_parquet(folder / f"{path.stem}.parquet")
        study = build_study(write_cohort(tmp_path / name, "omop"), tmp_path / name / "out")
        pd.testing.assert_frame_equal(pd.read_parquet(study.folder / "extract.parquet").set_index("subject_id"), expected)
    with duckdb.connect(str(tmp_path / "cdm.db")) as connection:
        for path in (tmp_path / "csv" / "omop").iterdir():
            connection.read_csv(str(path)).create(path.stem.lower())
    study = build_study(write_cohort(tmp_path, f"duckdb:///{tmp_path / 'cdm.db'}"), tmp_path / "out")
    pd.testing.assert_frame_equal(pd.read_parquet(study.folder / "extract.parquet").set_index("subject_id"), expected)


def test_a_table_of_another_name_is_named_and_an_empty_one_is_no_fault(tables, tmp_path):
    folder = tables.write(tmp_path / "omop")
    (folder / "PERSON.csv").rename(folder / "1_persons.csv")
    (folder / "DRUG_EXPOSURE.csv").write_text("person_id,drug_concept_id,drug_exposure_start_date\n")
    with pytest.raises(ExtractError, match=r"must have the OMOP table person.*source\.tables: \{person"):
        build_study(write_cohort(tmp_path, "omop"), tmp_path / "out")
    study = build_study(write_cohort(tmp_path, "omop", tables={"person": "1_persons.csv"}), tmp_path / "out")
    assert study.attrition[-1].rows == 3


def test_rows_without_a_readable_date_are_counted_and_none_is_quoted(tables, tmp_path):
    tables.condition(1, -3, concept=6)
    tables.tables["condition_occurrence"][-1]["condition_start_date"] = "Smith, John"
    _, study = built(tmp_path, tables)
    assert study.remarks == ("condition_occurrence: 1 rows have no readable person or date and are not read.",)


def test_without_observation_periods_the_first_and_last_event_count(tables, tmp_path):
    del tables.tables["observation_period"]
    for person in (1, 2, 3):
        tables.condition(person, -40, concept=5)
        tables.condition(person, 200, concept=5)
    _, study = built(tmp_path, tables)
    assert study.attrition[-1].rows == 3
    assert study.remarks[0].startswith("observation_period is absent or empty")


def test_longer_rows_than_the_header_and_a_header_that_is_none(tables, tmp_path):
    folder = tables.write(tmp_path / "omop")
    path = folder / "CONDITION_OCCURRENCE.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], *(line + ",," for line in lines[1:])]) + "\n")
    assert build_study(write_cohort(tmp_path, "omop"), tmp_path / "out").attrition[-1].events == 1
    path.write_text("Smith,Smith\n")
    with pytest.raises(ExtractError, match="the first row must name each column once") as caught:
        build_study(write_cohort(tmp_path, "omop"), tmp_path / "out")
    assert "Smith" not in str(caught.value)


def test_descendants_need_their_table(tables, tmp_path):
    tables.write(tmp_path / "omop")
    source = {"domain": "condition", "concepts": [1], "descendants": True}
    path = write_cohort(tmp_path, "omop", predicates={"mi": source})
    with pytest.raises(ConfigError, match="descendants needs the OMOP table concept_ancestor"):
        build_study(path, tmp_path / "out")


def test_a_build_never_replaces_other_files(tables, tmp_path):
    tables.write(tmp_path / "omop")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigError, match="must be absent, empty, or an earlier build"):
        build_study(write_cohort(tmp_path, "omop"), tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_the_digest_sees_changed_tables_questions_and_code_lists(tables, tmp_path):
    tables.write(tmp_path / "omop")
    (tmp_path / "codes.txt").write_text("1  # infarction\n")
    listed = {"predicates": {"mi": {"concepts": [], "code": {"file": "codes.txt"}}}}
    path = write_cohort(tmp_path, "omop", **listed)
    before = source_digest(load_source(path), path)
    assert source_digest(load_source(path), path) == before
    (tmp_path / "codes.txt").write_text("1\n5\n")
    lists = source_digest(load_source(path), path)
    tables.condition(2, 60)
    tables.write(tmp_path / "omop")
    rows = source_digest(load_source(path), path)
    shutil.rmtree(tmp_path / "omop" / "missing", ignore_errors=True)
    path = write_cohort(tmp_path, "omop", outcome={"end_days": 99}, **listed)
    assert len({before, lists, rows, source_digest(load_source(path), path)}) == 4


@pytest.mark.skipif(not MIMIC.is_dir(), reason="the data sets for measuring are not here")
def test_real_tables_of_an_icu_are_read(tmp_path):
    changes = {
        "tables": {"concept": "2b_concept.csv.gz"},
        "predicates": {"visit": {"domain": "visit"}, "mi": {"domain": "death"}},
        "outcome": {"start_days": 0, "end_days": 30},
        "predictors": {"demographics": True, "min_patients": 10},
    }
    study = build_study(write_cohort(tmp_path, str(MIMIC), **changes), tmp_path / "out")
    frame = pd.read_parquet(study.folder / "extract.parquet")
    assert frame.prediction_time.dt.year.between(2110, 2220).all()
    assert 0 < study.attrition[-1].events <= 15
