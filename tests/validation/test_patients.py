"""Checks of patients to predict say of a table what Great Expectations says of it."""

from __future__ import annotations

import pytest

from mgvae.extract.read import typed_rows
from mgvae.prediction.predictor import _arrow
from tests.flows.simulated_study import study_config, table
from validation.checks import run, with_derived
from validation.patients import PatientChecks
from validation.suite import build_suite


@pytest.fixture(scope="module")
def config():
    return study_config()


def typed(config, frame):
    return typed_rows(config, {name: _arrow(frame[name]) for name in frame})


def broken():
    frame = table(300).drop(columns=["died", "family"]).astype(object)
    for row, column, value in (
        (0, "age", 200),
        (1, "age", "x"),
        (2, "visits", 1.5),
        (3, "ward", "south"),
        (4, "first_seen", "2031-01-01"),
        (5, "first_seen", "1700-01-01"),
        (6, "stage", 9),
    ):
        frame.loc[row, column] = value
    frame.loc[8, "patient"] = frame.loc[7, "patient"]
    return frame


def test_as_great_expectations_says(config):
    frame = broken()
    frame["crp"] = [None] * 297 + [1, 2, 3]
    read, unreadable = typed(config, frame)
    checks = PatientChecks(config, frozenset(read))
    for start in (0, 100, 200):
        checks.add(read.iloc[start : start + 100], unreadable.iloc[start : start + 100])
    derived = with_derived(read, unreadable, config, scope="prediction")
    suite = build_suite(config, scope="prediction")
    results = run(derived, [item for item in suite if "RowCount" not in item.kind], name="x")
    expected = {
        (item.expectation_config.meta["column"], item.expectation_config.meta["rule"], item.result.get("unexpected_count"))
        for item in results
        if not item.success
    }
    assert {(one.column, one.rule, one.count) for one in checks.result().failed} == expected
    assert len(expected) == 9


def test_single_rows_are_flagged_and_an_odd_extract_is_refused(config):
    def refused(share, rows=200):
        frame = table(rows, events=10).drop(columns="died").astype(object)
        frame.loc[: round(share * rows) - 1, "age"] = 400
        checks = PatientChecks(config, frozenset(frame))
        checks.add(*typed(config, frame))
        return checks.refused()

    assert refused(0.10).passed
    assert [(one.column, one.count) for one in refused(0.105).failed] == [("age", 21)]
    assert refused(1.0, rows=99).passed
    assert not refused(1.0, rows=100).passed


def test_a_patient_named_twice_or_not_at_all_and_an_absent_column(config):
    frame = broken()
    checks = PatientChecks(config, frozenset(frame) - {"age"})
    assert [one.column for one in checks.absent] == ["age"]
    checks = PatientChecks(config, frozenset(frame))
    frame.loc[9, "patient"] = None
    checks.add(*typed(config, frame.iloc[:8]))
    checks.add(*typed(config, frame.iloc[8:]))
    assert {(one.column, one.count) for one in checks.refused().failed} == {("patient", 2), ("patient", 1)}
    assert len(checks.refused(strict=True).failed) > 2


def test_the_outcome_and_the_group_are_not_asked_for(config):
    frame = table(50, events=5).drop(columns=["died", "family"])
    checks = PatientChecks(config, frozenset(frame))
    checks.add(*typed(config, frame))
    assert checks.result().passed
