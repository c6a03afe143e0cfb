"""Index, outcome, time at risk and attrition, at their exact limits."""

import pandas as pd
import pytest

from mgvae.config.study import load_config
from mgvae.errors import ConfigError, DataError
from mgvae.extract.read import read_extract
from tests.mgvae.ehr.event_tables import Omop, built


def labels(steps) -> list[tuple[int, int]]:
    return [(step.rows, step.events) for step in steps]


@pytest.fixture
def tables() -> Omop:
    made = Omop()
    made.person(99)  # one who has nothing, so that nobody is left is a case of its own
    return made


@pytest.mark.parametrize(("at", "event"), [(1, 1), (100, 1), (101, 0), (50, 1)])
def test_both_ends_of_the_window_belong_to_it(tables, tmp_path, at, event):
    tables.person(1)
    tables.condition(1, at)
    frame, _ = built(tmp_path, tables)
    assert frame.outcome["1"] == event


@pytest.mark.parametrize(("at", "there"), [(0, False), (-1, False), (-365, False), (1, True)])
def test_who_had_the_outcome_before_the_window_leaves(tables, tmp_path, at, there):
    tables.person(1)
    tables.condition(1, at)
    tables.condition(1, 20)
    frame, _ = built(tmp_path, tables)
    assert ("1" in frame.index) == there


@pytest.mark.parametrize(("at", "there"), [(-30, False), (-31, True)])
def test_only_so_far_back_where_a_look_back_is_given(tables, tmp_path, at, there):
    tables.person(1)
    tables.condition(1, at)
    frame, _ = built(tmp_path, tables, prior_outcome={"action": "drop", "lookback_days": 30})
    assert ("1" in frame.index) == there
    frame, _ = built(tmp_path, tables, prior_outcome="keep")
    assert "1" in frame.index


@pytest.mark.parametrize(("stop", "there"), [(100, True), (99, False)])
def test_without_the_event_follow_up_reaches_the_end_of_the_window(tables, tmp_path, stop, there):
    tables.person(1, stop=stop)
    frame, study = built(tmp_path, tables)
    assert ("1" in frame.index) == there
    assert study.attrition[-1].note.startswith(f"{0 if there else 1} are followed for less")


def test_the_event_and_the_dead_stay_however_short_the_follow_up_and_both_counts_are_stated(tables, tmp_path):
    for person in (1, 2, 3):
        tables.person(person, stop=50)
    tables.condition(1, 40)
    tables.death(2, 50)
    frame, study = built(tmp_path, tables)
    assert frame.outcome.to_dict() == {"1": 1, "2": 0, "99": 0}
    assert study.attrition[-1].note == "3 are followed for less: 1 with the event, 1 who died without it."
    frame, _ = built(tmp_path, tables, follow_up={"keep_dead": False, "keep_events": False})
    assert set(frame.index) == {"99"}


def test_death_after_the_window_is_not_followed_to_its_end(tables, tmp_path):
    tables.person(1, stop=50)
    tables.death(1, 101)
    frame, _ = built(tmp_path, tables)
    assert "1" not in frame.index


@pytest.mark.parametrize(("start", "there"), [(-365, True), (-364, False)])
def test_the_washout_is_continuous_observation_before(tables, tmp_path, start, there):
    tables.person(1, start=start)
    frame, _ = built(tmp_path, tables, observation={"washout_days": 365})
    assert ("1" in frame.index) == there


def test_the_first_index_event_that_can_be_used_or_the_very_first_or_all(tables, tmp_path):
    tables.person(1, start=-10, stop=800, visit=0)
    tables.visit(1, 300)
    washed = {"observation": {"washout_days": 100}}
    first, study = built(tmp_path, tables, **washed)
    assert str(first.prediction_time["1"].date()) == "2020-10-27"
    assert [step.rows for step in study.attrition[:4]] == [3, 3, 2, 2]
    ever, _ = built(tmp_path, tables, index={"first_only": "ever"}, **washed)
    assert "1" not in ever.index
    every, _ = built(tmp_path, tables, index={"first_only": False})
    assert list(every.loc[["1"]].prediction_time.dt.strftime("%m-%d")) == ["01-01", "10-27"]


@pytest.mark.parametrize(("born", "there"), [(1980, True), (1981, False)])
def test_an_age_is_counted_at_the_prediction(tables, tmp_path, born, there):
    tables.person(1, born=born)
    frame, _ = built(tmp_path, tables, index={"min_age": 39.4})
    assert ("1" in frame.index) == there


def test_dates_bound_the_index(tables, tmp_path):
    tables.person(1, visit=10)
    frame, _ = built(tmp_path, tables, index={"since": "2020-01-11"})
    assert set(frame.index) == {"1"}
    frame, _ = built(tmp_path, tables, index={"until": "2020-01-10"})
    assert set(frame.index) == {"99"}


@pytest.mark.parametrize(("at", "there"), [(-5, True), (-4, False), (5, False), (6, True)])
def test_events_that_must_not_be_near(tables, tmp_path, at, there):
    tables.person(1)
    tables.condition(1, at, concept=2)
    near = {"without": [{"events": "other", "start_days": -5, "end_days": 5}]}
    frame, _ = built(tmp_path, tables, index=near, predicates={"other": {"concepts": [2]}})
    assert ("1" in frame.index) == there


def test_the_attrition_names_the_step_that_emptied_the_cohort(tables, tmp_path):
    with pytest.raises(DataError, match="after the step 'At least 150 years old' nobody is left"):
        built(tmp_path, tables, index={"min_age": 150})


def test_a_window_that_ends_at_an_event_needs_that_event(tables, tmp_path):
    tables.person(1)
    tables.condition(1, 20)
    tables.condition(1, 30, concept=3)
    tables.person(2)
    tables.condition(2, 40, concept=3)
    tables.condition(2, 41)
    ends = {"predicates": {"end": {"concepts": [3]}}, "outcome": {"end_days": None, "until": "end"}}
    frame, _ = built(tmp_path, tables, **ends)
    assert frame.outcome.to_dict() == {"1": 1, "2": 0}


def test_with_weights_nobody_leaves_and_nobody_lost_is_without_the_event(tables, tmp_path):
    for person, stop in ((1, 50), (2, 50), (3, 99), (4, 100), (5, 50), (6, 400)):
        tables.person(person, stop=stop)
    tables.condition(1, 40)
    tables.condition(1, 30)
    tables.death(2, 50)
    tables.death(5, 101)
    tables.condition(6, 101)
    tables.condition(4, -10, concept=5)  # a predictor
    frame, study = built(tmp_path, tables, censoring="ipcw")
    assert frame.outcome.to_dict() == {"1": 1, "2": 2, "3": 0, "4": 0, "5": 0, "6": 0, "99": 0}
    assert frame.follow_up_days.to_dict() == {"1": 30, "2": 50, "3": 99, "4": 100, "5": 50, "6": 400, "99": 400}
    assert study.attrition[-1].rows == 7
    assert study.attrition[-1].note.startswith("Of 2 the outcome is unknown")
    labels = pd.read_parquet(study.folder / "labels.parquet").set_index("subject_id")["boolean_value"]
    assert labels.to_dict() == {1: True, 2: False, 4: False, 6: False, 99: False}
    config = load_config(study.folder / "cohort.yaml")
    assert (config.outcome.follow_up, config.outcome.competing, config.horizon_days) == ("follow_up_days", (2,), 100)
    known = read_extract(config).frame.set_index("subject_id")["outcome"]
    assert known[known.isna()].index.tolist() == ["3", "5"]
    plain, _ = built(tmp_path / "plain", tables)
    assert set(plain.index) == set(known.dropna().index)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"outcome": {"events": "mi", "end_days": None, "until": "visit"}}, "needs outcome.end_days"),
        ({"outcome": {"events": "mi", "end_days": 1.5}}, "a whole number of days"),
        ({"outcome": {"events": "mi", "start_days": 0, "end_days": 0}}, "a whole number of days"),
        ({"follow_up": {"min_days": 30}}, "leave out follow_up"),
        ({"follow_up": {"keep_dead": False}}, "leave out follow_up"),
    ],
)
def test_what_weights_cannot_do_is_refused(tables, tmp_path, changes, words):
    with pytest.raises(ConfigError, match=words):
        built(tmp_path, tables, censoring="ipcw", **changes)
