"""Laws of drift: nothing found between two halves of one cohort, found and named where a column, or the rows, changed."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance as reference

from mgvae.config.drift import Drift
from mgvae.config.strict import build
from mgvae.config.study import CohortConfig
from mgvae.errors import ConfigError, ShapeError
from mgvae.results.drift import ChangedColumn
from mgvae.results.gates import worst
from tests.reference.columns import drawn, of_all_kinds
from validation.drift import Table, drift
from validation.drift_gates import column_gate, ratio_gate
from validation.intervals import Interval, difference, rate_ratio
from validation.stability import binned, distance, noise, psi, stability


def study(columns=5, **limits):
    """A study of columns of all kinds, by turns."""
    own = {"id": {"role": "identifier"}, "died": {"kind": "binary", "role": "excluded", "categories": [0, 1]}}
    own |= {"day": {"kind": "date", "role": "excluded"}, "seen": {"kind": "date"}}
    own |= of_all_kinds(columns)
    outcome = {"column": "died", "event": 1, "label": "Death"}
    values = {"study": "s", "extract": "x", "subject_id": "id", "index_date": "day", "outcome": outcome}
    return build(CohortConfig, values | {"columns": {"columns": own}, "drift": limits}, source="test")


def rows(n, seed, *, columns=5, prevalence=0.03):
    """An extract as read, with columns of all kinds."""
    rng = np.random.default_rng(seed)
    day = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 300, n), unit="D")
    frame = {"id": [f"{seed}-{i}" for i in range(n)], "died": np.where(rng.random(n) < prevalence, "1", "0"), "day": day}
    frame["died"][:4] = "1"
    frame["seen"] = day - pd.to_timedelta(rng.integers(0, 900, n), unit="D")
    return pd.DataFrame(frame | drawn(n, columns, rng))


def compare(before, after, config=None):
    return drift(Table(before), Table(after), config or study())


def gate(found, name):
    return next(gate for gate in found.gates if gate.name == f"drift_{name}")


def _numbers(gate):
    return gate.value, gate.low, gate.high


def verdict_of(gates):
    return worst(gate.verdict for gate in gates)


ROWS_TOGETHER = ("joint", "dependence", "relation", "revised", "tails")  # see test_joint_drift.py


def verdicts(found):
    """The gates that judge column by column and do not pass."""
    gates = {gate.name.removeprefix("drift_"): gate.verdict for gate in found.gates}
    return {name: verdict for name, verdict in gates.items() if verdict != "pass" and name not in ROWS_TOGETHER}


def test_the_same_table_has_not_moved():
    frame = rows(1000, 0)
    found = compare(frame, frame)
    assert verdict_of(found.gates) == "pass"
    assert gate(found, "rows").value == gate(found, "prevalence").value == 1
    assert {feature.psi for feature in found.features} == {0.0}
    assert {feature.ks for feature in found.features if feature.ks is not None} == {0.0}
    assert {feature.missing_after - feature.missing_before for feature in found.features} == {0.0}
    assert [feature.name for feature in found.features] == ["died", "seen", "c0", "c1", "c2", "c3", "c4"]


@pytest.mark.parametrize(("n", "columns", "seeds"), [(200, 20, 12), (2000, 20, 3), (200, 300, 1)])
def test_two_halves_of_one_cohort_pass(n, columns, seeds):
    config, passed = study(columns), 0
    for seed in range(seeds):
        frame = rows(n, seed, columns=columns)
        order = np.random.default_rng(seed + 1).permutation(n)
        passed += (
            worst(gate.verdict for gate in compare(frame.iloc[order[::2]], frame.iloc[order[1::2]], config).gates) == "pass"
        )
    assert passed >= 0.95 * seeds


def test_a_small_extract_against_a_large_one_passes():
    assert [verdict_of(compare(rows(3000, 2 * s), rows(150, 2 * s + 1)).gates[2:]) for s in range(6)].count("pass") == 6


@pytest.mark.parametrize("n", [200, 2000])
def test_a_change_of_unit_fails_and_is_named(n):
    before, after = rows(n, 0), rows(n, 1)
    found = compare(before, after.assign(c0=after["c0"] / 18.016))
    assert verdicts(found) == {"psi": "fail", "ks": "fail"}
    assert "c0 " in gate(found, "psi").detail
    assert "1 of 7 columns" in gate(found, "psi").detail
    assert [feature.name for feature in found.features if feature.verdict == "fail"] == ["c0"]


def test_a_level_that_swells_fails():
    before, after = rows(1000, 0), rows(1000, 1)
    before["c4"], after["c4"] = (np.where(np.arange(1000) < share * 1000, "1", "2") for share in (0.05, 0.4))
    found = compare(before, after)
    assert verdicts(found) == {"psi": "fail"}
    assert gate(found, "psi").value == pytest.approx(2 * 0.35 * np.log(8) / 2 + 0.35 * np.log(0.95 / 0.6), rel=0.05)


def test_missing_cells_fail():
    before, after = rows(1000, 0), rows(1000, 1)
    after["c0"] = after["c0"].mask(np.arange(1000) < 400)
    found = compare(before, after)
    assert verdicts(found)["missing"] == "fail"
    assert gate(found, "missing").detail.startswith("1 of 7 columns: c0 0.3")
    other = gate(compare(after, before), "missing")
    assert other.detail.startswith("1 of 7 columns: c0 -0.3")
    assert _numbers(other) == pytest.approx(_numbers(gate(found, "missing")))


def test_a_threefold_prevalence_fails_where_there_are_rows_enough():
    before, after = (rows(3000, seed, prevalence=share) for seed, share in ((0, 0.02), (1, 0.06)))
    assert verdicts(compare(before, after)) == {"prevalence": "fail"}
    assert verdicts(compare(after, before)) == {"prevalence": "fail"}
    assert verdicts(compare(before.iloc[:150], after.iloc[:150])) == {}


@pytest.mark.parametrize(
    ("n", "m", "expected"), [(1000, 500, "warn"), (1000, 490, "fail"), (1000, 700, "warn"), (1000, 900, None)]
)
def test_fewer_rows(n, m, expected):
    assert verdicts(compare(rows(n, 0), rows(m, 1))).get("rows") == expected
    assert verdicts(compare(rows(m, 1), rows(n, 0))).get("rows") == expected


def test_an_outcome_that_is_lost_fails():
    before, after = rows(1000, 0), rows(1000, 1)
    found = compare(before, after.assign(died=after["died"].mask(np.arange(1000) >= 500)))
    assert verdicts(found)["missing"] == "fail"
    assert found.features[0].label == "Death"


def test_dates_are_judged_by_their_distance_from_the_index_date():
    before, after = rows(1000, 0), rows(1000, 1)
    year = pd.Timedelta(days=365)
    assert verdicts(compare(before, after.assign(day=after["day"] + year, seen=after["seen"] + year))) == {}
    assert verdicts(compare(before, after.assign(day=after["day"] + year)))["ks"] == "fail"


def test_columns_that_came_went_or_changed_kind():
    before, after = rows(500, 0), rows(500, 1)
    kinds = dict.fromkeys(before.columns, "text")
    found = drift(Table(before, kinds | {"note": "text"}), Table(after, kinds | {"c3": "number", "new": "date"}), study())
    assert found.columns.model_dump(mode="json") == {
        "came": ["new"],
        "went": ["note"],
        "changed": [{"name": "c3", "before": "text", "after": "number"}],
    }
    assert verdicts(found) == {"columns": "warn"}
    assert "c3 (text before, number now)" in gate(found, "columns").detail


def test_a_column_of_the_study_that_is_gone_fails():
    found = compare(rows(500, 0), rows(500, 1).drop(columns="c1"))
    assert verdicts(found) == {"columns": "fail"}
    assert "c1" not in [feature.name for feature in found.features]


def test_a_column_read_as_another_kind_is_told_and_not_compared():
    before = rows(500, 0)
    found = compare(before.assign(c1=before["c1"].astype(str)), rows(500, 1))
    assert found.columns.changed == (ChangedColumn(name="c1", before="text", after="number"),)
    assert "c1" not in [feature.name for feature in found.features]


@settings(max_examples=5)
@given(seed=st.integers(0, 10_000), n=st.integers(30, 300), m=st.integers(30, 300))
def test_the_order_of_rows_does_not_matter(seed, n, m):
    before, after = rows(n, seed), rows(m, seed + 1)
    mixed = [frame.sample(frac=1, random_state=seed) for frame in (before, after)]
    assert compare(*mixed).model_dump(mode="json") == compare(before, after).model_dump(mode="json")


COUNTS = st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 5000)), min_size=2, max_size=12)


@given(COUNTS)
def test_the_index_is_symmetric_not_negative_and_finite(pairs):
    first, second = (np.array(part) + 1 * (sum(part) == 0) for part in zip(*pairs, strict=True))
    assert psi(first, second) == pytest.approx(psi(second, first))
    assert 0 <= psi(first, second) < 40
    assert psi(first, first) == 0


def test_the_index_is_jeffreys_divergence_in_large_tables():
    p, q = np.array([0.2, 0.3, 0.5]), np.array([0.25, 0.35, 0.4])
    expected = stats.entropy(p, q) + stats.entropy(q, p)
    assert psi(p * 1e7, q * 1e7) == pytest.approx(expected, rel=1e-4)
    assert reference.jensenshannon(p, q) ** 2 == pytest.approx(expected / 8, rel=0.05)


def test_chance_makes_the_index_as_large_as_stated():
    raw, left = [], []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        counted = binned(pd.Series(rng.normal(size=3000)), pd.Series(rng.normal(size=2000)))
        raw.append(psi(counted.before, counted.after))
        left.append(stability(counted, tail=0.025))
    assert np.mean(raw) == pytest.approx(noise(counted), rel=0.06)
    assert np.mean([limits.low > 0 for limits in left]) <= 0.05


def test_limits_hold_what_they_are_to_hold():
    true = 0.3**2  # of a normal distribution moved by 0.3 standard deviations
    inside = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        found = stability(binned(pd.Series(rng.normal(size=2000)), pd.Series(rng.normal(size=1000) + 0.3)), tail=0.025)
        assert found.low <= found.value <= found.high
        inside.append((found.low < true, true < found.high))
    below, above = np.mean(inside, axis=0)
    assert below >= 0.96
    assert above >= 0.9  # ten bins do not see all of it


def test_the_distance_is_that_of_scipy():
    rng = np.random.default_rng(0)
    a, b = pd.Series(rng.normal(size=400)), pd.Series(rng.normal(size=300) + 0.2)
    found = distance(a.mask(a > 2), b, tail=0.025)
    assert found.value == pytest.approx(stats.ks_2samp(a[a <= 2], b).statistic)
    assert found.low < found.value < found.high
    assert distance(a * np.nan, b, tail=0.025) is None


@pytest.mark.parametrize("method", [difference, rate_ratio])
def test_intervals_of_two_counts_are_wrong_no_more_often_than_stated(method):
    rng, wrong = np.random.default_rng(0), 0
    for _ in range(1500):
        found = method(int(rng.binomial(300, 0.05)) + 0, 300, int(rng.binomial(200, 0.15)), 200)
        wrong += found is not None and not found.low <= (0.1 if method is difference else 3) <= found.high
    assert wrong <= 0.06 * 1500


@pytest.mark.parametrize("name", ["rows", "prevalence"])
def test_with_more_columns_the_interval_of_a_ratio_is_wider(name):
    before, after = rows(1000, 0, columns=40), rows(900, 1, columns=40)
    few, many = (gate(compare(before, after, study(columns)), name) for columns in (5, 40))
    assert few.value == many.value
    assert many.low < few.low < few.high < many.high


def test_a_ratio_to_nothing_is_unknown_and_warns():
    before = rows(300, 0)
    found = compare(before.assign(died="0"), rows(300, 1))
    assert rate_ratio(0, 300, 9, 300) is None
    assert verdicts(found)["prevalence"] == "warn"
    assert gate(found, "prevalence").value is None


def test_limits_are_the_study_s():
    before, after = rows(1000, 0), rows(1000, 1)
    moved = after.assign(c0=after["c0"] * 1.6)
    assert verdicts(compare(before, moved)) == {"psi": "fail", "ks": "fail"}
    assert verdicts(compare(before, moved, study(psi_warn=1, psi_fail=1, ks_warn=1, ks_fail=1))) == {}
    with pytest.raises(ConfigError, match="psi_warn must not lie beyond psi_fail"):
        study(psi_warn=0.5)
    assert Drift().against == "last_accepted"


def test_a_ratio_may_be_as_far_below_one_as_above():
    for value in (1.3, 1 / 1.3):
        found = ratio_gate("rows", Interval(value, value, value), warn=1.25, fail=2.0, detail="")
        assert found.threshold == pytest.approx((0.8, 1.25))
        assert found.verdict == "warn"


def test_of_columns_the_one_that_drifted_most_is_shown_and_those_that_fail_come_first():
    def changed(value, error=0.01):
        return Interval(value, value - error, value + error)

    found = column_gate("missing", {"a": changed(0.02), "b": changed(-0.04), "c": changed(0.01)}, warn=0.05, fail=0.2)
    assert (found.value, found.low, found.high, found.threshold) == pytest.approx((0.04, 0.03, 0.05, 0.05))
    assert (found.verdict, found.detail) == ("pass", "None of 3 columns; the largest is b.")
    found = column_gate("psi", {"a": changed(0.3), "b": changed(0.9, error=0.88), "c": changed(0.4)}, warn=0.1, fail=0.25)
    assert found.verdict == "fail"
    assert found.value == pytest.approx(0.4)
    assert found.detail.startswith("3 of 3 columns: c 0.400 (0.390 to 0.410); a 0.300 (0.290 to 0.310); b 0.900")


def test_no_rows_are_refused():
    with pytest.raises(ShapeError, match="at least one row in each"):
        compare(rows(100, 0), rows(100, 0).iloc[:0])


def test_plain_json_without_a_value_of_a_patient():
    frame = rows(400, 0)
    text = json.dumps(compare(frame, rows(400, 1)).model_dump(mode="json"), allow_nan=False)
    assert frame["id"][0] not in text
    assert {field.name for field in dataclasses.fields(Table)} == {"frame", "stored"}
