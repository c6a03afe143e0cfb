"""Rules between columns: counted on the extract, a gate on synthetic rows."""

import numpy as np
import pytest

from mgvae.config.rules import Rule
from mgvae.results.synthetic import RuleRecord
from tests.validation.simulated_patients import draw_patients, population_config
from validation.checks import synthetic_table, validate
from validation.gates import rules_gate
from validation.tables import Tables

RULE = "visits0 <= visits1"


def with_rules(*rules, **settings):
    columns = population_config().columns.model_copy(update={"rules": rules})
    return population_config(columns=columns.model_dump(exclude_unset=True), **settings)


def keeping(frame):
    """Return patients of whom none breaks the rule."""
    return frame.assign(visits1=frame["visits1"].fillna(0) + frame["visits0"].fillna(0))


def test_a_rule_that_rows_break_is_counted_and_named(extract):
    frame, unreadable = extract
    frame = keeping(frame)
    frame.loc[[3, 5], "visits1"] = frame.loc[[3, 5], "visits0"] - 1
    frame.loc[[7, 9], "visits1"] = np.nan  # undecided
    frame["visits1"] = frame["visits1"].clip(lower=0)
    broken = int((frame["visits0"] > frame["visits1"]).sum())
    found = validate(frame, unreadable, with_rules(Rule(rule=RULE))).failed
    assert [(one.column, one.rule, one.count) for one in found] == [
        ("visits0, visits1", "must keep the rule 'visits0 <= visits1'", broken)
    ]
    assert 1 <= broken <= 2


@pytest.mark.parametrize(("max_broken", "passed"), [(0.0, False), (0.0049, False), (0.005, True)])
def test_max_broken_at_its_boundary(extract, max_broken, passed):
    frame, unreadable = extract
    frame = keeping(frame)
    frame.loc[[3, 5], ["visits0", "visits1"]] = [2.0, 1.0]  # 2 of 400
    result = validate(frame, unreadable, with_rules(Rule(rule=RULE, max_broken=max_broken)))
    assert result.passed == passed


def test_rules_on_dates_levels_the_outcome_and_the_index_date(extract):
    rules = ("seen <= index_day", "died == 1 implies stage >= 1", "region == north or not region == north")
    frame, unreadable = extract
    assert validate(frame, unreadable, with_rules(*(Rule(rule=text) for text in rules))).passed
    frame.loc[:3, "died"] = "1"
    found = validate(frame, unreadable, with_rules(Rule(rule="died == 1 implies stage > 3 - 3 + 3"))).failed
    assert found[0].count == int((frame["died"] == "1").sum())


def test_an_absent_column_is_reported_by_itself_alone(extract):
    frame, unreadable = extract
    found = validate(frame.drop(columns="visits1"), unreadable, with_rules(Rule(rule=RULE))).failed
    assert [one.rule for one in found] == ["must be a column of the extract"]


def tables(rng, *, broken, rows=1000, real=0):
    """Return tables of which so many synthetic and real rows break the rule."""
    synthetic, majority = (keeping(draw_patients(rng, n, cases=False)) for n in (rows, 1000))
    for frame, count in ((synthetic, broken), (majority, real)):
        frame.loc[: count - 1, ["visits0", "visits1"]] = [2.0, 1.0]
    cases = keeping(draw_patients(rng, 10, cases=True))
    return Tables(synthetic, np.zeros(rows), majority, cases, majority.iloc[:0], cases.iloc[:0], {}, np.zeros(0))


@pytest.mark.parametrize(
    ("broken", "rows", "real", "verdict"),
    [
        (0, 1000, 0, "pass"),
        (1, 1000, 0, "warn"),
        (10, 1000, 0, "warn"),  # 1 % is the limit
        (11, 1000, 0, "fail"),
        (1, 50, 0, "fail"),  # no real row does
        (1, 50, 101, "pass"),  # a tenth of the real rows do
        (6, 50, 101, "warn"),  # 12 % may be 10 % by chance
        (150, 1000, 101, "fail"),
    ],
)
def test_the_gate_at_its_limits(rng, broken, rows, real, verdict):
    gate = rules_gate(tables(rng, broken=broken, rows=rows, real=real), config=with_rules(Rule(rule=RULE)))
    assert (gate.name, gate.verdict, gate.value) == ("broken_rules", verdict, broken / rows)
    assert gate.low <= gate.value <= gate.high
    assert f"{broken} of {rows} synthetic rows break one of 1 rules" in gate.detail
    assert f"{real} of 1010 real rows do" in gate.detail
    assert (RULE in gate.detail) == (broken > 0)


def test_the_gate_counts_rows_not_breaks(rng):
    rules = (Rule(rule=RULE), Rule(rule="visits1 >= visits0"))
    assert rules_gate(tables(rng, broken=5), config=with_rules(*rules)).value == 5 / 1000


def test_a_stated_limit(rng):
    config = with_rules(Rule(rule=RULE), gates={"broken_rules_fail": 0.5})
    assert rules_gate(tables(rng, broken=400), config=config).verdict == "warn"


@pytest.mark.parametrize("rules", [(), (Rule(rule="died == 1 implies visits0 > 0"),)])
def test_no_rules_between_predictors_is_said(rng, rules):
    gate = rules_gate(tables(rng, broken=5), config=with_rules(*rules))
    assert (gate.verdict, gate.value, gate.threshold) == ("pass", None, None)
    assert "names no rules between predictors, so none was checked" in gate.detail


def test_the_gate_says_what_keeping_the_rules_took(rng):
    record = RuleRecord(made=4000, redrawn=310, calculated=0, kept=1000, borrowed=7, broken=0)
    gate = rules_gate(tables(rng, broken=0), config=with_rules(Rule(rule=RULE)), record=record)
    assert "Of 4,000 rows made, 310 broke a rule at first and were drawn again" in gate.detail
    assert "Of the 1,000 kept, 7 have the columns of a rule from another synthetic row" in gate.detail


def test_the_suite_of_synthetic_rows_leaves_rules_to_the_gate(rng):
    frame = tables(rng, broken=9).synthetic
    assert validate(*synthetic_table(frame, with_rules(Rule(rule=RULE))), with_rules(Rule(rule=RULE)), scope="synthetic").passed
