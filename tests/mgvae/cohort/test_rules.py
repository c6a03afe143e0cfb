"""Rules between columns on tables, compared with pandas' nullable types, whose logic is Kleene's as well."""

import numpy as np
import pandas as pd
import pytest

from mgvae.cohort.rules import Place, RowRules, definition, rules_within
from mgvae.config.dictionary import Column, Dictionary
from mgvae.config.rules import Rule

COLUMNS = {
    "dbp": Column(kind="continuous"),
    "sbp": Column(kind="continuous"),
    "cigs": Column(kind="count"),
    "smoker": Column(kind="binary", categories=("no", "yes")),
    "spouse": Column(kind="categorical", categories=("yes", "no", "former")),
    "flag": Column(kind="binary"),
    "nyha": Column(kind="ordinal", categories=("I", "II", "III")),
    "before": Column(kind="ordinal", categories=("I", "II", "III")),
    "first": Column(kind="date"),
    "last": Column(kind="date"),
}


def table(n=3000):
    """Return random cells with a fifth of each column missing; nullable, for the reference."""
    rng = np.random.default_rng(5)
    out = {}
    for name, column in COLUMNS.items():
        if column.kind in ("binary", "categorical", "ordinal"):
            cells = pd.array(rng.choice([str(level) for level in column.levels], n), dtype=pd.StringDtype("python"))
        else:
            cells = pd.array(rng.integers(0, 4, n).astype(float), dtype="Float64")
        cells[rng.random(n) < 0.2] = pd.NA
        out[name] = cells
    return pd.DataFrame(out)


def as_features(nullable):
    """Return the table typed as `Cohort.features`."""
    out = {}
    for name, column in COLUMNS.items():
        if column.levels:
            levels = [str(level) for level in column.levels]
            out[name] = pd.Categorical(nullable[name].astype(object), categories=levels, ordered=column.kind == "ordinal")
        else:
            out[name] = nullable[name].to_numpy(float, na_value=np.nan)
    return pd.DataFrame(out)


def as_extract(nullable):
    """Return the table typed as `Extract.frame`: levels are text, dates are days of the calendar."""
    frame = as_features(nullable)
    for name, column in COLUMNS.items():
        if column.levels:
            frame[name] = frame[name].astype(object)
        elif column.kind == "date":
            frame[name] = pd.Timestamp("2020-01-01 13:00") + pd.to_timedelta(frame[name], unit="D")
    return frame


def rank(cells):
    return cells.map({"I": 0, "II": 1, "III": 2}).astype("Float64")


RULES = {
    "dbp <= sbp": lambda t: t.dbp <= t.sbp,
    "dbp < sbp": lambda t: t.dbp < t.sbp,
    "dbp >= sbp": lambda t: t.dbp >= t.sbp,
    "dbp > sbp": lambda t: t.dbp > t.sbp,
    "dbp != sbp": lambda t: t.dbp != t.sbp,
    "1 < dbp < sbp": lambda t: (t.dbp > 1) & (t.sbp > t.dbp),
    "cigs > 0 implies smoker == yes": lambda t: ~(t.cigs > 0) | (t.smoker == "yes"),
    "smoker == no implies cigs == 0 and flag == 0": lambda t: ~(t.smoker == "no") | ((t.cigs == 0) & (t.flag == "0")),
    "not (smoker == no or cigs + 1 == 2 * dbp)": lambda t: ~((t.smoker == "no") | (t.cigs + 1 == 2 * t.dbp)),
    "cigs * dbp - sbp == -flag": lambda t: t.cigs * t.dbp - t.sbp == -t.flag.astype("Float64"),
    "spouse in (former, no)": lambda t: (t.spouse == "former") | (t.spouse == "no"),
    "spouse not in (former, no)": lambda t: t.spouse == "yes",
    "smoker == spouse": lambda t: t.smoker == t.spouse,
    "smoker != spouse": lambda t: t.smoker != t.spouse,
    "nyha >= II": lambda t: rank(t.nyha) >= 1,
    "I < nyha": lambda t: rank(t.nyha) > 0,
    "before <= nyha": lambda t: rank(t.before) <= rank(t.nyha),
    "flag == true": lambda t: t.flag == "1",
    "flag > 0.5": lambda t: t.flag.astype("Float64") > 0.5,
    "missing(cigs) implies smoker == no": lambda t: ~t.cigs.isna() | (t.smoker == "no"),
    "first <= last": lambda t: t["first"] <= t["last"],
    "last - first <= 1": lambda t: t["last"] - t["first"] <= 1,
    "first + 1 < last": lambda t: t["first"] + 1 < t["last"],
}


@pytest.mark.parametrize("typed", [as_features, as_extract])
@pytest.mark.parametrize("text", RULES)
def test_broken_rows_are_those_of_kleenes_logic(text, typed):
    nullable = table()
    expected = (~RULES[text](nullable)).fillna(False).to_numpy(bool)
    found = RowRules((Rule(rule=text),), COLUMNS).broken(typed(nullable))
    assert 0 < expected.sum() < len(expected)
    assert np.array_equal(found[:, 0], expected)


def test_missing_together():
    nullable = table()
    found = RowRules((Rule(missing_together=("dbp", "smoker", "first")),), COLUMNS).broken(as_features(nullable))
    missing = nullable[["dbp", "smoker", "first"]].isna().sum(axis=1)
    assert np.array_equal(found[:, 0], missing.between(1, 2))


def rows(**cells):
    return pd.DataFrame({name: np.array(values, dtype=float) for name, values in cells.items()})


def numbers(*names):
    return {name: Column(kind="continuous") for name in names}


@pytest.mark.parametrize(
    ("tolerance", "gap", "broken"), [(0, 0.0, False), (0, 0.01, True), (0.5, 0.5, False), (0.5, -0.5, False), (0.5, 0.51, True)]
)
def test_tolerance_at_its_boundary(tolerance, gap, broken):
    rule = Rule(rule="a + b == total", tolerance=tolerance)
    found = RowRules((rule,), numbers("a", "b", "total")).broken(rows(a=[1], b=[2], total=[3 + gap]))
    assert bool(found[0, 0]) == broken


def test_sums_of_decimals_are_equal_although_floats_are_not():
    table = rows(a=[0.1], b=[0.2], total=[0.3])
    assert 0.1 + 0.2 != 0.3
    for text in ("a + b == total", "a + b <= total", "not a + b > total"):
        assert not RowRules((Rule(rule=text),), numbers("a", "b", "total")).broken(table).any()
    assert RowRules((Rule(rule="a + b > total"),), numbers("a", "b", "total")).broken(table).all()


def test_levels_that_the_dictionary_lacks_are_undecided():
    frame = pd.DataFrame({"smoker": ["maybe", "no", "yes"]}, dtype=object)
    assert RowRules((Rule(rule="smoker == yes"),), COLUMNS).broken(frame)[:, 0].tolist() == [False, True, False]


def test_no_rules_and_no_rows():
    frame = as_features(table(4))
    assert RowRules((), COLUMNS).broken(frame).shape == (4, 0)
    assert not RowRules((), COLUMNS)
    assert RowRules((Rule(rule="dbp < sbp"),), COLUMNS).broken(frame.iloc[:0]).shape == (0, 1)


def test_columns_under_other_names_by_position_and_in_steps():
    rules = RowRules(
        (Rule(rule="size < limit implies mark == b"),),
        {**numbers("size", "limit"), "mark": Column(kind="categorical", categories=("a", "b"))},
        {"size": Place("0", origin=10, step=2), "limit": Place("1"), "mark": Place("2", positions=2)},
    )
    frame = pd.DataFrame({"0": [1.0, 1, 1, 2], "1": [13.0, 13, 13, 13], "2": pd.Categorical(list("0120"))})
    assert rules.broken(frame)[:, 0].tolist() == [True, False, False, False]  # the third level has no name


def test_a_definition_is_an_equation_for_a_number_that_stands_alone():
    columns = COLUMNS | numbers("x", "y", "z")
    for text, name in {"x + y == z": "z", "z == x - 2 * y": "z", "x == y": "y", "5 == x": "x"}.items():
        assert definition(Rule(rule=text).bound(columns), columns)[0] == name
    for text in ("x <= y", "x + y == z - y", "x == x + y", "flag == x + y", "x == y and y == z", "first == last"):
        assert text == "flag == x + y" or definition(Rule(rule=text).bound(columns), columns) is None


def test_rules_within_some_columns():
    dictionary = Dictionary(columns=COLUMNS, rules=(Rule(rule="dbp <= sbp"), Rule(rule="cigs > 0 implies smoker == yes")))
    assert [rule.text for rule in rules_within(dictionary, ["dbp", "sbp", "cigs"]).rules] == ["dbp <= sbp"]
