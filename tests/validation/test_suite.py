import json

import numpy as np
import pandas as pd
import pytest

from mgvae.results.cohort import FailedRule
from tests.validation.simulated_patients import draw_patients, population_config
from validation import checks
from validation.checks import synthetic_table, validate
from validation.suite import build_suite

SKIPPED = {"lab1", "lab2", "lab3", "lab4", "lab5", "lab6", "lab7", "diagnosis1", "diagnosis2"}  # more of the same


@pytest.fixture(scope="module")
def config():
    columns = population_config().columns.model_dump()["columns"]
    kept = {name: column for name, column in columns.items() if name not in SKIPPED}
    return population_config(columns={"columns": kept})


@pytest.fixture
def extract(extract):
    return tuple(table.drop(columns=SKIPPED, errors="ignore") for table in extract)


def failures(frame, unreadable, config, **options):
    return [(failure.column, failure.rule, failure.count) for failure in validate(frame, unreadable, config, **options).failed]


def test_a_sound_extract_passes(extract, config):
    result = validate(*extract, config)
    assert result.passed
    assert result.failed == ()
    assert result.rows == 400
    assert result.expectations == len(build_suite(config, scope="extract"))


def break_range(frame, unreadable):
    frame.loc[[3, 5], "lab0"] = [501.0, -51.0]


def break_readable(frame, unreadable):
    frame.loc[[3, 5, 7], "lab0"] = np.nan
    unreadable.loc[[3, 5, 7], "lab0"] = True


def break_finite(frame, unreadable):
    frame.loc[3, "lab0"] = np.inf


def break_date(frame, unreadable):
    unreadable.loc[3, "seen"] = True


def break_whole(frame, unreadable):
    frame.loc[[3, 4], "visits1"] = [0.5, 2.25]


def break_negative(frame, unreadable):
    frame.loc[3, "visits1"] = -1.0


def break_categories(frame, unreadable):
    frame.loc[[3, 4, 5], "region"] = "atlantis"


def break_missing(frame, unreadable):
    frame.loc[5:, "lab0"] = np.nan


def break_constant(frame, unreadable):
    frame["stage"] = "1"


def break_unique(frame, unreadable):
    frame.loc[3, "patient"] = "p8"


def break_subject(frame, unreadable):
    frame.loc[3, "patient"] = None


def break_dates(frame, unreadable):
    frame.loc[[3, 4], "seen"] = frame.loc[[3, 4], "index_day"] + pd.Timedelta(1, "D")


def break_outcome(frame, unreadable):
    frame.loc[50, "died"] = "2"


BROKEN = [
    (break_range, "lab0", "must be between -50 and 500 mmol/l", 2),
    (break_readable, "lab0", "must be a finite number", 3),
    (break_finite, "lab0", "must be a finite number", 1),
    (break_date, "seen", "must be a date", 1),
    (break_whole, "visits1", "must be a whole number", 2),
    (break_negative, "visits1", "must be at least 0", 1),
    (break_categories, "region", "must be one of its 4 categories", 3),
    (break_missing, "lab0", "must be missing in at most 95 % of rows", 395),
    (break_constant, "stage", "must have at least two different values", None),
    (
        break_unique,
        "patient",
        "must be unique: one row per subject; where patients have several rows, name it as group, with subject_id: null",
        2,
    ),
    (break_subject, "patient", "must be given in every row", 1),
    (break_dates, "seen", "must not lie after the index date 'index_day'", 2),
    (break_outcome, "died", "must be one of its 2 categories", 1),
]


@pytest.mark.parametrize(("harm", "column", "rule", "count"), BROKEN, ids=[item[0].__name__ for item in BROKEN])
def test_each_fault_is_told_by_column_rule_and_count(extract, config, harm, column, rule, count):
    frame, unreadable = extract
    harm(frame, unreadable)
    assert failures(frame, unreadable, config) == [(column, rule, count)]


def test_the_ceiling_itself_is_tolerated(extract, config):
    frame, unreadable = extract
    frame.loc[20:, "lab0"] = np.nan  # 20 of 400 are left, exactly 5 %
    assert validate(frame, unreadable, config).passed


def test_a_wholly_missing_column_fails_under_any_ceiling(extract, config):
    frame, unreadable = extract
    columns = config.columns.model_dump()
    columns["columns"]["lab0"]["max_missing"] = 1.0
    tolerant = population_config(columns=columns)
    frame["lab0"] = np.nan
    assert failures(frame, unreadable, tolerant) == [("lab0", "must have at least two different values", None)]


@pytest.mark.parametrize("name", ["seen", "visits0", "index_day", "died", "patient"])
def test_an_absent_column_is_told_once(extract, config, name):
    frame, unreadable = extract
    result = validate(frame.drop(columns=name), unreadable, config)
    assert result.failed == (FailedRule(column=name, rule="must be a column of the extract", count=None),)
    assert result.expectations < len(build_suite(config, scope="extract"))


def test_prevalence_outside_the_expected_range_fails_with_what_was_measured(extract, config):
    frame, unreadable = extract
    frame.loc[:79, "died"] = "1"
    rule = "must show the event in 1 % to 5 % of subjects whose outcome is known (measured 20 %)"
    assert failures(frame, unreadable, config) == [("died", rule, None)]


def test_prevalence_counts_known_outcomes_only(extract, config):
    frame, unreadable = extract
    frame.loc[20:, "died"] = None  # 12 events of 20 known
    (failure,) = validate(frame, unreadable, config).failed
    assert failure.rule.endswith("(measured 60 %)")


def test_one_class_only_fails(extract, config):
    frame, unreadable = extract
    frame["died"] = "0"
    rules = [rule for _, rule, _ in failures(frame, unreadable, config)]
    assert "must be known both with and without the event (1)" in rules


def test_an_outcome_outside_the_dictionary_may_have_other_values(extract, config):
    frame, unreadable = extract
    columns = config.columns.model_dump()
    columns["columns"].pop("died")
    frame.loc[50, "died"] = "2"
    assert validate(frame, unreadable, population_config(columns=columns)).passed


def test_a_date_on_the_index_day_may_be_used_at_any_hour(extract, config):
    frame, unreadable = extract
    frame.loc[3, "seen"] = frame.loc[3, "index_day"] + pd.Timedelta(10, "h")
    assert validate(frame, unreadable, config).passed


def test_dates_without_an_index_date_are_not_compared(extract, config):
    frame, unreadable = extract
    frame.loc[3, "index_day"] = pd.NaT
    assert validate(frame, unreadable, config).passed


def test_excluded_columns_are_not_demanded(extract, config):
    columns = config.columns.model_dump()
    columns["columns"]["note"] = {"kind": "continuous", "role": "excluded"}
    assert validate(*extract, population_config(columns=columns)).passed


def test_an_empty_table_fails(extract, config):
    frame, unreadable = extract
    result = validate(frame.iloc[:0], unreadable.iloc[:0], config)
    assert ("(table)", "must have at least one row") in {(failure.column, failure.rule) for failure in result.failed}


def test_no_value_of_the_table_enters_the_result(extract, config):
    frame, unreadable = extract
    frame.loc[3, "lab0"], frame.loc[4, "region"], frame.loc[5, "patient"] = 87654.321, "secret-level", "p8-secret"
    frame.loc[6, "patient"], frame["died"] = "p8-secret", frame["died"].mask(frame.index == 7, "secret-outcome")
    frame.loc[8, "seen"] = pd.Timestamp("2099-09-09")
    text = json.dumps(validate(frame, unreadable, config).model_dump(mode="json"))
    assert len(json.loads(text)["failed"]) == 5
    assert not any(secret in text for secret in ("87654", "secret", "p8", "2099"))


def test_validating_in_portions_changes_nothing(extract, config, monkeypatch):
    frame, unreadable = extract
    for harm, *_ in BROKEN[:6]:
        harm(frame, unreadable)
    at_once = validate(frame, unreadable, config)
    monkeypatch.setattr(checks, "AT_ONCE", 7)
    assert validate(frame, unreadable, config) == at_once
    assert len(at_once.failed) == 4


def test_an_expectation_that_raises_is_told_without_its_message(extract, config, caplog):
    caplog.set_level("DEBUG")
    frame, unreadable = extract
    frame["index_day"] = frame["index_day"].astype(object)
    frame.loc[3, "index_day"] = "secret"
    result = validate(frame.assign(index_day=frame["index_day"].astype(str)), unreadable, config)
    assert not result.passed
    assert "(could not be checked)" in json.dumps(result.model_dump(mode="json"))
    assert "secret" not in json.dumps(result.model_dump(mode="json")) + caplog.text


def test_synthetic_rows_obey_the_same_dictionary(rng, config):
    features = draw_patients(rng, 200, cases=True)
    assert validate(*synthetic_table(features, config), config, scope="synthetic").passed
    features.loc[[1, 2], "lab0"], features.loc[3, "visits0"], features.loc[4, "seen"] = [np.inf, 700.0], 1.5, 1.0
    found = failures(*synthetic_table(features, config), config, scope="synthetic")
    assert found == [
        ("lab0", "must be a finite number", 1),
        ("lab0", "must be between -50 and 500 mmol/l", 1),
        ("visits0", "must be a whole number", 1),
        ("seen", "must not lie after the index date", 1),
    ]


def test_synthetic_cases_may_lack_what_is_rarely_measured(rng, config):
    features = draw_patients(rng, 200, cases=True)
    features["lab0"] = np.nan
    assert validate(*synthetic_table(features, config), config, scope="synthetic").passed


def test_a_feature_that_synthetic_rows_lack_is_told(rng, config):
    features = draw_patients(rng, 20, cases=True).drop(columns="stage")
    found = failures(*synthetic_table(features, config), config, scope="synthetic")
    assert found == [("stage", "must be a column of the synthetic rows", None)]


def test_report_form(extract, config):
    frame, unreadable = extract
    break_categories(frame, unreadable)
    record = validate(frame, unreadable, config).model_dump(mode="json")
    assert set(record) == {"passed", "expectations", "failed", "rows"}
    assert record["failed"] == [{"column": "region", "rule": "must be one of its 4 categories", "count": 3}]
