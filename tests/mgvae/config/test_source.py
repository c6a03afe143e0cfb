"""The section source: what it refuses, and in which words."""

import pytest

from mgvae.config.source import Source
from mgvae.config.strict import build
from mgvae.errors import ConfigError

SOURCE = {
    "omop": "tables",
    "predicates": {"visit": {"domain": "visit"}, "mi": {"code": 1}},
    "index": {"event": "visit"},
    "outcome": {"events": "mi", "end_days": 30},
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"omop": None}, "give omop or meds"),
        ({"meds": "shards"}, "give omop or meds"),
        ({"index": {"event": "vist"}}, r"index\.event names the predicate 'vist', which is absent\. Did you mean 'visit'"),
        ({"outcome": {"events": "mi"}}, "outcome: give end_days, or until"),
        ({"outcome": {"events": "mi", "end_days": 1, "until": "visit"}}, "outcome: give end_days, or until"),
        ({"outcome": {"events": "mi", "start_days": 2, "end_days": 1}}, "end_days must be at least start_days, 2"),
        (
            {"predicates": {**SOURCE["predicates"], "a": {"expr": "or(mi, b)"}}},
            r"predicates\.a: expr names 'b', which is absent",
        ),
        (
            {"predicates": {**SOURCE["predicates"], "a": {"expr": "or(mi, b)"}, "b": {"expr": "and(mi, a)"}}},
            "expr must not lead back to itself",
        ),
        ({"predicates": {**SOURCE["predicates"], "a": {"expr": "mi and visit"}}}, r"expr must read or\(a, b\) or and\(a, b\)"),
        ({"predicates": {**SOURCE["predicates"], "a": {}}}, "must say which events are meant"),
        ({"predicates": {**SOURCE["predicates"], "a": {"code": {"regex": "("}}}}, "must be a regular expression"),
        ({"predicates": {**SOURCE["predicates"], "a": {"code": {"regex": "x", "any": ["y"]}}}}, "give one of regex, any, file"),
        ({"predicates": {**SOURCE["predicates"], "a": {"code": "x", "descendants": True}}}, "descendants needs concepts"),
        (
            {"omop": None, "meds": "x", "predicates": {"visit": {"code": "v"}, "mi": {"concepts": [1]}}},
            "concepts belong to OMOP",
        ),
        ({"predictors": {"lookback_days": [30, 30]}}, "each once"),
        ({"predictors": {"lookback_days": [0]}}, "must be above 0, or all"),
        ({"index": {"event": "visit", "since": "1.1.2020"}}, "must be a date such as 2019-12-31"),
        ({"censoring": "weights"}, "censoring"),
    ],
)
def test_what_cannot_be_asked_is_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        build(Source, {key: value for key, value in {**SOURCE, **change}.items() if value is not None}, source="cohort.yaml")


def test_the_day_of_the_prediction_is_known_where_times_are_times():
    assert build(Source, SOURCE, source="x").gap_days == 1
    meds = {**SOURCE, "meds": "shards"}
    del meds["omop"]
    assert build(Source, meds, source="x").gap_days == 0
    assert build(Source, meds | {"predictors": {"gap_days": 2}}, source="x").gap_days == 2


def test_a_code_may_be_a_number_and_a_prior_outcome_a_word():
    source = build(Source, {**SOURCE, "prior_outcome": "keep"}, source="x")
    assert source.predicates["mi"].code == "1"
    assert source.prior_outcome.action == "keep"
