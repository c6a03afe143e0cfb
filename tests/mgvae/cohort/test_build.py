"""Who is eligible, who has the event, who belongs together, and what the predictors look like."""

import numpy as np
import pandas as pd
import pytest

from mgvae.cohort.build import Cohort, FlowStep, build_cohort
from mgvae.config.strict import build
from mgvae.config.study import CohortConfig
from mgvae.errors import DataError, OutcomeError

COLUMNS = {
    "stage": {"kind": "ordinal", "categories": ["I", "II", "III"], "role": ["feature", "subgroup"]},
    "id": {"kind": "count", "role": "identifier"},
    "family": {"kind": "count", "role": "identifier"},
    "seen": {"kind": "date", "role": "excluded"},
    "born": {"kind": "date"},
    "site": {"kind": "categorical", "categories": ["a", "b"], "role": "subgroup"},
    "male": {"kind": "binary"},
    "age": {"kind": "count"},
    "dead": {"kind": "binary", "role": "excluded"},
}


def study(**changes):
    values = {
        "study": "s",
        "extract": "t.csv",
        "subject_id": "id",
        "group": "family",
        "index_date": "seen",
        "outcome": {"column": "dead"},
        "columns": {"columns": COLUMNS},
    }
    return build(CohortConfig, values | changes, source="test")


@pytest.fixture
def frame():
    n = 40
    table = pd.DataFrame(
        {
            "stage": pd.array(["I", "II", "III", None] * 10, dtype="str"),
            "id": pd.array([str(i) for i in range(n)], dtype="str"),
            "family": pd.array([str(i // 3) if i % 7 else None for i in range(n)], dtype="str"),
            "seen": pd.to_datetime("2020-03-01") + pd.to_timedelta(np.arange(n), unit="D"),
            "born": pd.to_datetime("2020-01-01"),
            "site": pd.array(["a", "b"] * 20, dtype="str"),
            "male": pd.array(["0", "1"] * 20, dtype="str"),
            "age": np.arange(n, dtype=float),
            "dead": pd.array(["1"] * 16 + ["0"] * 24, dtype="str"),
        }
    )
    table.loc[[0, 30, 31], "dead"] = np.nan
    table.loc[[1, 30], "seen"] = pd.NaT
    table.loc[5, "born"] = pd.NaT
    return table


def test_flow_and_eligible_subjects(frame):
    cohort = build_cohort(study(), frame)
    assert cohort.flow == (
        FlowStep(label="Subjects in the extract", n=40, events=None),
        FlowStep(label="Outcome known", n=37, events=15),
        FlowStep(label="Index date known", n=36, events=14),
    )
    assert list(cohort.subject) == [str(i) for i in range(40) if i not in (0, 1, 30, 31)]
    assert (len(cohort), cohort.events) == (36, 14)
    assert cohort.prevalence == 14 / 36
    assert cohort.event.dtype == bool
    assert list(cohort.subject[cohort.event]) == [str(i) for i in range(2, 16)]


def test_features_obey_the_contract(frame):
    features = build_cohort(study(), frame).features
    assert list(features) == ["stage", "born", "male", "age"]
    assert isinstance(features.index, pd.RangeIndex)
    assert features["stage"].dtype == pd.CategoricalDtype(["I", "II", "III"], ordered=True)
    assert features["male"].dtype == pd.CategoricalDtype(["0", "1"], ordered=False)
    assert features["age"].dtype == features["born"].dtype == np.float64
    assert features["born"].iloc[0] == -62.0
    assert features["born"].isna().sum() == 1
    assert features["stage"].isna().sum() == frame["stage"].drop([0, 1, 30, 31]).isna().sum()


def test_subgroups_are_the_levels_and_numbers_to_report_by(frame):
    banded = {"age": {**COLUMNS["age"], "role": ["feature", "subgroup"]}, "born": {**COLUMNS["born"], "role": "subgroup"}}
    with_age = build_cohort(study(columns={"columns": COLUMNS | banded}), frame)
    assert list(with_age.subgroups) == [name for name in COLUMNS if name in ("age", "stage", "site")]
    assert with_age.subgroups["age"].equals(with_age.features["age"])
    cohort = build_cohort(study(), frame)
    assert list(cohort.subgroups) == ["stage", "site"]
    assert list(cohort.subgroups["site"].cat.categories) == ["a", "b"]
    assert len(cohort.subgroups) == len(cohort)


def test_groups_tie_members_and_leave_the_others_alone(frame):
    cohort = build_cohort(study(), frame)
    rows = frame.set_index("id").loc[list(cohort.subject)]
    same = cohort.group[:, None] == cohort.group[None, :]
    family = rows["family"].to_numpy(object)
    expected = (family[:, None] == family[None, :]) & rows["family"].notna().to_numpy()[:, None]
    assert (same == (expected | np.eye(len(rows), dtype=bool))).all()
    assert cohort.group.dtype == np.int64
    assert [name is None for name in cohort.group_name] == [pd.isna(name) for name in family]
    assert all(name == str(told) for name, told in zip(cohort.group_name, family, strict=True) if name is not None)


def test_without_group_each_subject_is_alone(frame):
    cohort = build_cohort(study(group=None), frame)
    assert len(set(cohort.group)) == 36
    assert set(cohort.group_name) == {None}


def test_take_keeps_rows_together(frame):
    cohort = build_cohort(study(), frame)
    rows = np.array([5, 0, 9])
    part = cohort.take(rows)
    assert isinstance(part, Cohort)
    assert list(part.subject) == list(cohort.subject[rows])
    assert list(part.features["age"]) == list(cohort.features["age"].iloc[rows])
    assert list(part.index_date) == list(cohort.index_date.iloc[rows])
    assert list(part.subgroups["site"]) == list(cohort.subgroups["site"].iloc[rows])
    assert isinstance(part.features.index, pd.RangeIndex)
    mask = np.zeros(len(cohort), dtype=bool)
    mask[[0, 5, 9]] = True
    assert set(cohort.take(mask).subject) == set(part.subject)


def test_the_event_may_be_a_word_or_a_number_column(frame):
    words = frame.assign(dead=frame["dead"].map({"1": "yes", "0": "no"}))
    columns = {name: entry for name, entry in COLUMNS.items() if name != "dead"}
    config = study(outcome={"column": "dead", "event": "yes"}, columns={"columns": columns})
    assert build_cohort(config, words).events == 14
    numbers = frame.assign(dead=frame["dead"].astype(float))
    columns = COLUMNS | {"dead": {"kind": "count", "role": "excluded"}}
    assert build_cohort(study(columns={"columns": columns}), numbers).events == 14


@pytest.mark.parametrize(
    ("events", "others", "match"),
    [
        (0, 30, "none of 30 eligible subjects has it"),
        (30, 0, "none of 30 eligible subjects lacks it"),
        (4, 30, "at least 5 eligible subjects with the event and as many without; of 34, 4 have it"),
        (30, 4, "of 34, 4 do not have it"),
    ],
)
def test_too_few_of_a_class(events, others, match):
    n = events + others
    frame = pd.DataFrame({"id": [str(i) for i in range(n)], "age": 1.0, "dead": ["1"] * events + ["0"] * others})
    columns = {name: COLUMNS[name] for name in ("id", "age", "dead")}
    config = study(group=None, index_date=None, columns={"columns": columns})
    with pytest.raises(OutcomeError, match=match):
        build_cohort(config, frame)


def test_few_events_are_warned_about(frame):
    assert "Only 14 subjects have the event" in build_cohort(study(), frame).warning
    assert build_cohort(study(index_date=None, columns={"columns": _undated()}), frame).warning is None


def _undated():
    return {name: entry for name, entry in COLUMNS.items() if entry["kind"] != "date"}


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"dead": "2"}, OutcomeError, "'dead' must be one of its 2 categories.* 40 rows hold something else"),
        ({"stage": "IV"}, DataError, "'stage' must be one of its 3 categories.* 36 eligible subjects have something else"),
        ({"id": "1"}, DataError, "'id' must name each subject once; it is missing in 0 rows and repeats an earlier one in 39"),
        ({"id": np.nan}, DataError, "missing in 40 rows"),
    ],
)
def test_what_validation_should_have_stopped(frame, change, error, match):
    with pytest.raises(error, match=match):
        build_cohort(study(), frame.assign(**change))


@pytest.mark.parametrize("column", ["family", "seen", "age"])
def test_absent_column(frame, column):
    with pytest.raises(DataError, match=f"absent: {column}"):
        build_cohort(study(), frame.drop(columns=column))
