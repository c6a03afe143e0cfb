"""Gates at their exact limits: which side of a limit warns or fails, either condition alone, and which table is which."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgvae.results.drift import ChangedColumn, DriftColumns
from validation import copy_gates, fidelity_gates
from validation.copy_gates import closeness_gate, parent_gate
from validation.drift_gates import column_gate, columns_gate, judged, ratio_gate
from validation.fidelity_gates import separation_gate, two_sample_gate
from validation.intervals import Interval

E = 1e-9
WARN, FAIL = 0.25, 0.5
NAMES = ("synthetic", "majority", "cases", "majority_holdout", "cases_holdout")


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("value", "low", "verdict"),
    [
        (0.6, WARN + E, "fail"),
        (0.6, WARN, "warn"),  # the interval must lie wholly beyond the limit that warns
        (FAIL + E, 0.4, "fail"),
        (FAIL, 0.4, "warn"),
        (0.3, E, "warn"),
        (0.3, 0.0, "pass"),  # chance explains it
        (WARN + E, 0.1, "warn"),
        (WARN, 0.1, "pass"),
    ],
)
def test_drift_at_its_limits_in_either_direction(value, low, verdict, sign):
    low, high = sorted((sign * low, sign * 0.9))
    assert judged(Interval(sign * value, low, high), warn=WARN, fail=FAIL) == verdict


@given(st.floats(1.01, 20), st.floats(1.0, 3.0), st.floats(1.0, 3.0))
def test_a_ratio_and_its_inverse_have_one_verdict(value, below, above):
    up = Interval(value, value / below, value * above)
    down = Interval(1 / value, 1 / (value * above), below / value)
    one, other = (ratio_gate("rows", found, warn=1.25, fail=2.0, detail="").verdict for found in (up, down))
    assert one == other or min(abs(math.log(value / limit)) for limit in (1.25, 2.0)) < 1e-9


@pytest.mark.parametrize(("value", "verdict"), [(1.24, "pass"), (1.26, "warn"), (1.99, "warn"), (2.01, "fail"), (0.01, "fail")])
def test_a_ratio_is_held_against_factors(value, verdict):
    assert ratio_gate("rows", Interval(value, value, value), warn=1.25, fail=2.0, detail="").verdict == verdict


def test_the_worst_column_decides_though_another_moved_further():
    found = {"far": Interval(0.9, 0.0, 2.0), "sure": Interval(-0.6, -0.7, -0.5), "calm": Interval(0.0, 0.0, 0.1)}
    gate = column_gate("psi", found, warn=WARN, fail=FAIL)
    assert (gate.verdict, gate.value, gate.low, gate.high) == ("fail", 0.6, 0.5, 0.7)
    assert gate.detail.startswith("1 of 3 columns: sure ")


@pytest.mark.parametrize(
    ("came", "went", "changed", "verdict"),
    [
        ([], [], [], "pass"),
        (["used"], [], [], "warn"),
        ([], ["other"], [], "warn"),
        ([], ["used"], [], "fail"),
        ([], [], [("used", "text", "number")], "warn"),
    ],
)
def test_a_column_fails_only_where_the_study_uses_it_and_it_is_gone(came, went, changed, verdict):
    kinds = [ChangedColumn(name=name, before=before, after=after) for name, before, after in changed]
    columns = DriftColumns(came=tuple(came), went=tuple(went), changed=tuple(kinds))
    assert columns_gate(columns, used={"used"}).verdict == verdict


@pytest.fixture
def asked(config, monkeypatch):
    """Return a function that asks a gate whose measure is given, under the limits of a study."""

    def ask(gate, measure, found, **limits):
        handed = []

        def measured(*tables, **options):
            handed.append((tables, options))
            return found

        monkeypatch.setattr(fidelity_gates if measure == "separation" else copy_gates, measure, measured)
        limits = config.gates.model_copy(update=limits)
        tables = SimpleNamespace(near={name: f"near {name}" for name in NAMES}, parents="parents")
        answer = gate(tables, config=config.model_copy(update={"gates": limits}), seed=3)
        assert handed[0][1]["seed"] == 3
        return answer, handed[0][0]

    return ask


@pytest.mark.parametrize(
    ("value", "high", "verdict"),
    [
        (0.4, 0.8 - E, "fail"),
        (0.4, 0.8, "warn"),
        (0.5 - E, 0.7, "fail"),
        (0.5, 0.7, "warn"),
        (0.8 - E, 0.9, "warn"),
        (0.8, 0.9, "pass"),
    ],
)
def test_separation_at_its_limits(value, high, verdict, asked):
    found = SimpleNamespace(kept=Interval(value, 0.1, high), synthetic=0.7, real=Interval(0.8, 0.7, 0.9))
    answer, tables = asked(separation_gate, "separation", found, separation_warn=0.8, separation_fail=0.5)
    assert answer.verdict == verdict
    assert tables == tuple(f"near {name}" for name in NAMES)


@pytest.mark.parametrize(
    ("value", "low", "verdict"),
    [
        (0.4, 0.05 + E, "fail"),
        (0.4, 0.05, "warn"),
        (0.25 + E, 0.1, "fail"),
        (0.25, 0.1, "warn"),
        (0.05 + E, 0.01, "warn"),
        (0.05, 0.01, "pass"),
    ],
)
def test_closeness_to_parents_at_its_limits(value, low, verdict, asked):
    found = SimpleNamespace(share=Interval(value, low, 0.9), median_distance=1.0, median_neighbour=1.0)
    answer, tables = asked(parent_gate, "parent_closeness", found, parent_share_warn=0.05, parent_share_fail=0.25)
    assert answer.verdict == verdict
    assert tables == ("near synthetic", "parents", "near majority")


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.55, 0.9, "pass"), (0.55 + E, 0.9, "warn"), (0.1, 0.45, "pass"), (0.1, 0.45 - E, "warn"), (0.1, 0.9, "pass")],
)
def test_closeness_to_training_warns_where_the_interval_lies_outside(low, high, verdict, asked):
    answer, tables = asked(closeness_gate, "closer_to_training", Interval(0.5, low, high), dcr_low=0.45, dcr_high=0.55)
    assert answer.verdict == verdict
    assert tables == ("near synthetic", "near cases", "near cases_holdout")


@pytest.mark.parametrize(("value", "verdict"), [(0.85, "pass"), (0.85 + E, "warn"), (1.0, "warn")])
def test_the_two_sample_test_at_its_limit(value, verdict, config, monkeypatch, rng):
    frames = {name: fidelity_gates.pd.DataFrame({"a": [number]}) for number, name in enumerate(NAMES)}
    asked = []

    def measured(real, other, **options):
        asked.append((real["a"].tolist(), other["a"].tolist()))
        return Interval(value, value, value)

    monkeypatch.setattr(fidelity_gates, "two_sample_auc", measured)
    limits = config.gates.model_copy(update={"c2st_warn": 0.85})
    gate = two_sample_gate(SimpleNamespace(**frames), config=config.model_copy(update={"gates": limits}), seed=3)
    assert gate.verdict == verdict
    assert asked == [([2, 4], [0]), ([2], [4])]  # all real cases against synthetic ones, then real against real
