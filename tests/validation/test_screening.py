"""What exact aggregates clear, Great Expectations clears too; verdicts, counts and messages are the same without them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mgvae.config.rules import Rule
from tests.validation.simulated_patients import as_extract, draw_patients, population_config
from validation import checks
from validation.checks import run, synthetic_table, validate, with_derived
from validation.screening import CLEARS, surely_holds
from validation.suite import build_suite

ROWS = 40
RULES = (Rule(rule="visits0 <= visits1"), Rule(rule="lab0 < 3", max_broken=0.05), Rule(rule="died == 1 implies stage >= 1"))


def study():
    kept = {"patient", "index_day", "died", "lab0", "lab1", "visits0", "visits1", "diagnosis0", "region", "stage", "seen"}
    columns = {name: column for name, column in population_config().columns.model_dump()["columns"].items() if name in kept}
    columns["lab1"]["max_missing"] = 0.5
    return population_config(columns={"columns": columns, "rules": RULES})


def spoil_unreadable(frame, unreadable, at):
    unreadable.loc[at, "lab1"] = True


def spoil_unread_day(frame, unreadable, at):
    unreadable.loc[at, "seen"] = True


def spoil_infinite(frame, unreadable, at):
    frame.loc[at, "lab0"] = -np.inf


def spoil_range(frame, unreadable, at):
    frame.loc[at, "lab1"] = 500.0 + np.arange(len(at))  # the first at the bound


def spoil_rule(frame, unreadable, at):
    frame.loc[at, "lab0"] = 3.0


def spoil_whole(frame, unreadable, at):
    frame.loc[at, "visits0"] = 1.5


def spoil_huge(frame, unreadable, at):
    frame.loc[at, "visits1"] = 2.0**53 - 1 + np.arange(len(at))


def spoil_negative(frame, unreadable, at):
    frame.loc[at, "visits0"] = -1.0


def spoil_level(frame, unreadable, at):
    frame.loc[at, "region"] = "moon"


def spoil_other_spelling(frame, unreadable, at):
    frame.loc[at, "region"] = " north"


def spoil_shares(frame, unreadable, at):
    frame.loc[: ROWS // 2 - 1 + len(at) % 3 - 1, "lab1"] = np.nan  # below, at and above its ceiling


def spoil_all(frame, unreadable, at):
    frame["diagnosis0"] = pd.Series([None] * len(frame), dtype="str")
    frame["visits1"] = np.nan


def spoil_constant(frame, unreadable, at):
    frame["lab0"] = 1.0
    frame["stage"] = "2"


def spoil_subject(frame, unreadable, at):
    frame.loc[at, "patient"] = None


def spoil_unique(frame, unreadable, at):
    frame.loc[at, "patient"] = "p0"


def spoil_after(frame, unreadable, at):
    frame.loc[at, "seen"] = frame.loc[at, "index_day"] + pd.Timedelta(1, "D")


def spoil_same_day(frame, unreadable, at):
    frame.loc[at, "seen"] = frame.loc[at, "index_day"] + pd.Timedelta(9, "h")


def spoil_sentinel(frame, unreadable, at):
    frame.loc[at, "seen"] = pd.Timestamp("1900-01-01")


def spoil_index(frame, unreadable, at):
    frame.loc[at, "index_day"] = pd.NaT


def spoil_outcome(frame, unreadable, at):
    frame.loc[at, "died"] = "maybe"


def spoil_no_event(frame, unreadable, at):
    frame["died"] = "0"


def spoil_column(frame, unreadable, at):
    del frame["visits1"], frame["stage"]


def spoil_type(frame, unreadable, at):
    frame["seen"] = frame["seen"].astype(str)


TOGETHER = (
    (),
    (spoil_unreadable, spoil_infinite, spoil_whole, spoil_level, spoil_subject, spoil_after),
    (spoil_unread_day, spoil_range, spoil_rule, spoil_huge, spoil_other_spelling, spoil_unique, spoil_same_day),
    (spoil_negative, spoil_shares, spoil_sentinel, spoil_outcome, spoil_constant),
    (spoil_shares, spoil_index, spoil_all, spoil_no_event),
    (spoil_shares, spoil_column, spoil_type),
)


def sound(rng):
    features = draw_patients(rng, ROWS, cases=False)
    features["visits1"] += features["visits0"]
    features["lab0"] = features["lab0"].clip(upper=2.9)
    return as_extract(rng, features, np.arange(ROWS) < 2)


def spoilt(seed, harms):
    """Return an extract with some faults, each in one to four random rows."""
    rng = np.random.default_rng(seed)
    frame, unreadable = sound(rng)
    for harm in harms:
        harm(frame, unreadable, np.sort(rng.choice(ROWS, (seed + len(harms)) % 4 + 1, replace=False)))
    return frame, unreadable


def by_great_expectations(frame, unreadable, config, scope):
    """Return the whole derived table, the expectations that apply, and what they say of it."""
    table = with_derived(frame, unreadable, config, scope=scope)
    suite = [item for item in build_suite(config, scope=scope) if checks._applies(item, table)]
    return table, suite, run(table, suite, name="all")


@pytest.mark.parametrize("seed", range(len(TOGETHER) + 1))
def test_verdicts_counts_and_messages_are_those_of_the_whole_suite(seed, caplog):
    caplog.set_level("CRITICAL")
    config, (frame, unreadable) = study(), spoilt(seed, TOGETHER[seed % len(TOGETHER)])
    if seed == len(TOGETHER):
        frame, unreadable = frame.iloc[:0], unreadable.iloc[:0]
    table, suite, results = by_great_expectations(frame, unreadable, config, "extract")
    verdicts = {checks._key(item.expectation_config.meta): item for item in results}
    cleared = [item for item in suite if surely_holds(item, table)]
    assert all(verdicts[item.subject, item.rule].success for item in cleared)
    failed = [
        checks._failure(verdicts[key]) for key in ((item.subject, item.rule) for item in suite) if not verdicts[key].success
    ]
    found = validate(frame, unreadable, config)
    assert list(found.failed) == failed
    assert (found.expectations, found.rows, found.passed) == (len(suite), len(frame), not failed)


def test_a_sound_table_is_cleared_as_a_whole(rng, monkeypatch):
    config, (frame, unreadable) = study(), sound(rng)
    frame.loc[1, "died"] = "0"  # one event of 40: a prevalence at its bound is left to Great Expectations
    _, suite, results = by_great_expectations(frame, unreadable, config, "extract")
    assert {item.kind for item in suite} == set(CLEARS)
    assert all(item.success for item in results)
    monkeypatch.setattr(checks, "run", None)  # it is not even imported
    assert validate(frame, unreadable, config).passed


def test_synthetic_rows_too(rng):
    config, features = study(), draw_patients(rng, ROWS, cases=True)
    features = features[[*study().columns.features]]
    features.loc[[1, 2], "lab0"], features.loc[3, "visits0"], features.loc[4, "seen"] = [np.inf, 700.0], 1.5, 1.0
    frame, unreadable = synthetic_table(features, config)
    _, suite, results = by_great_expectations(frame, unreadable, config, "synthetic")
    failed = [checks._failure(item) for item in results if not item.success]
    found = validate(frame, unreadable, config, scope="synthetic")
    assert sorted(found.failed, key=repr) == sorted(failed, key=repr)
    assert len(found.failed) == 4
    assert found.expectations == len(suite)
