"""Drift that no column shows alone: seen with its fault in, not seen without, and exact at the boundaries of its gates."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mgvae.config.strict import build
from mgvae.config.study import CohortConfig
from mgvae.results.drift import ColumnProfile, ExtractProfile
from validation.drift import Table, drift
from validation.drift_gates import evidence_gate
from validation.joint_drift import Evidence, newcomers
from validation.slow_drift import ALLOWANCE, chart, chart_limit, profile, slow_gates
from validation.tail_drift import far_out


def study(**limits):
    own = {"id": {"role": "identifier"}, "died": {"kind": "binary", "role": "excluded", "categories": [0, 1]}}
    own |= {name: {"kind": "continuous"} for name in ("a", "b", "c")}
    own |= {"ward": {"kind": "categorical", "categories": ["x", "y"]}}
    values = {"study": "s", "extract": "x", "subject_id": "id", "outcome": {"column": "died", "event": 1}}
    return build(CohortConfig, values | {"columns": {"columns": own}, "drift": limits}, source="test")


def patients(n, seed, *, first=0):
    rng = np.random.default_rng(seed)
    a, b, c = rng.normal(size=(3, n))
    died = rng.random(n) < 1 / (1 + np.exp(2.5 - 1.2 * a - 0.8 * b))
    ids = [f"p{first + i}" for i in range(n)]
    ward = np.where(rng.random(n) < 0.3, "x", "y")
    return pd.DataFrame({"id": ids, "died": np.where(died, "1", "0"), "a": a, "b": b, "c": np.exp(c), "ward": ward})


def verdicts(before, after):
    found = drift(Table(before), Table(after), study())
    return {gate.name.removeprefix("drift_"): gate.verdict for gate in found.gates if gate.verdict != "pass"}


BEFORE = patients(1500, 0)


@pytest.mark.slow
def test_nothing_is_seen_between_two_samples_of_one_population():
    seen = [verdicts(patients(800, 2 * seed), patients(400, 2 * seed + 1, first=9000)) for seed in range(6)]
    assert [found for found in seen if found not in ({}, {"rows": "fail"}, {"rows": "warn"})] == []


def test_outcomes_of_other_patients_are_seen_and_columns_do_not_show_them():
    after = patients(1500, 1, first=5000)
    after["died"] = np.random.default_rng(0).permutation(after["died"])
    assert verdicts(BEFORE, after) == {"relation": "fail"}


def test_outcomes_of_other_patients_are_seen_where_the_extracts_share_nearly_all():
    after = pd.concat([BEFORE, patients(60, 1, first=5000)], ignore_index=True)
    assert verdicts(BEFORE, after) == {}
    after["died"] = np.random.default_rng(0).permutation(after["died"])
    assert verdicts(BEFORE, after) == {"relation": "fail", "revised": "fail"}


@pytest.mark.parametrize(("share", "verdict"), [(0.0, "pass"), (0.02, "pass"), (0.08, "warn"), (0.3, "fail")])
def test_events_that_are_no_more_are_seen_beyond_a_few_corrections(share, verdict):
    had = np.flatnonzero(BEFORE["died"] == "1")
    after = BEFORE.copy()
    after.loc[had[: int(share * len(had))], "died"] = "0"
    gate = next(g for g in drift(Table(BEFORE), Table(after), study()).gates if g.name == "drift_revised")
    assert (gate.verdict, gate.value) == (verdict, pytest.approx(int(share * len(had)) / len(had)))
    unknown = BEFORE.assign(died=BEFORE["died"].mask(BEFORE["died"] == "1"))
    assert verdicts(BEFORE, unknown).get("revised") is None


@pytest.mark.slow
@pytest.mark.parametrize("factor", [2.2, 0.1, 100.0])
def test_an_error_of_unit_in_one_row_of_twenty_is_seen_in_the_tails_and_named(factor):
    after = patients(1500, 1, first=5000).assign(c=lambda frame: 30 + frame["c"])
    before = BEFORE.assign(c=30 + BEFORE["c"])
    after.loc[::20, "c"] *= factor
    assert verdicts(before, after).get("tails") == "fail"
    gate = next(one for one in drift(Table(before), Table(after), study()).gates if one.name == "drift_tails")
    assert gate.detail.startswith("c, all patients: ")


def test_a_reversed_dependence_is_seen_though_each_column_is_as_before():
    twin = {"b": BEFORE["a"] * 0.8 + 0.6 * BEFORE["b"]}
    after = patients(1500, 1, first=5000)
    after["b"] = -0.8 * after["a"] + 0.6 * after["b"]
    found = verdicts(BEFORE.assign(**twin), after)
    assert found["dependence"] == "fail"
    assert {"psi", "ks", "missing"} & set(found) == set()


def test_the_tails_p_value_is_exact():
    """Of 1,000 values and 200 new ones of one population, the number beyond the fifth from the end is beta-binomial."""
    rng, names = np.random.default_rng(0), ["v"]
    p = []
    for _ in range(200):
        before, after = (pd.DataFrame({"v": rng.normal(size=n)}) for n in (1000, 200))
        p.append(far_out(before, after, np.ones(200, bool), names).p)
    for level in (0.01, 0.05, 0.2):
        assert np.mean(np.array(p) <= level) <= level + 3 * np.sqrt(level / 200)


def test_order_of_rows_and_a_missing_outcome_change_nothing():
    after = patients(500, 3, first=5000)
    turned = after.sample(frac=1, random_state=0)
    one, other = (drift(Table(BEFORE), Table(frame), study()).gates for frame in (after, turned))
    names = {"drift_tails", "drift_relation"}
    assert [(g.name, g.verdict) for g in one] == [(g.name, g.verdict) for g in other]
    assert [g.value for g in one if g.name in names] == pytest.approx([g.value for g in other if g.name in names])
    blind = next(g for g in drift(Table(BEFORE), Table(after.assign(died=np.nan)), study()).gates if g.name == "drift_relation")
    assert (blind.value, blind.verdict) == (None, "pass")


@pytest.mark.parametrize(
    ("value", "p", "verdict"),
    [
        (0.05, 0.0, "pass"),
        (0.05 + 1e-9, 0.001, "warn"),
        (0.05 + 1e-9, 0.001 + 1e-9, "pass"),
        (0.2, 0.0, "warn"),
        (0.2 + 1e-9, 0.0, "fail"),
        (-0.2 - 1e-9, 0.0, "fail"),
        (0.9, 0.5, "pass"),
    ],
)
def test_size_and_evidence_decide_at_their_exact_boundaries(value, p, verdict):
    assert evidence_gate("joint", Evidence(value, p), level=0.001, warn=0.05, fail=0.2).verdict == verdict


def test_newcomers_are_whom_the_earlier_extract_did_not_have_if_they_are_enough():
    after = pd.concat([BEFORE, patients(40, 1, first=5000)], ignore_index=True)
    assert newcomers(BEFORE, after, study()).sum() == 40
    assert newcomers(BEFORE, after.iloc[:-1], study()).all()


def night(mean, sha, *, n=200):
    return ExtractProfile(
        extract_sha256=sha,
        rows=n,
        columns={"v": ColumnProfile(n=n, mean=mean, sd=1.0, missing=0.0, new=n, new_mean=mean)},
    )


def test_the_chart_adds_up_what_lies_beyond_the_allowance():
    nights = [night(0.0, "0"), night(1.0, "1"), night(1.0, "2")]
    first = 1.0 / np.sqrt(1 / 200 + 1 / 200) - ALLOWANCE
    second = 0.5 / np.sqrt(1 / 200 + 1 / 400) - ALLOWANCE
    assert chart(nights, "v") == pytest.approx([first, first + second])
    falling = [night(0.0, "0"), night(-1.0, "1")]
    assert chart(falling, "v") == pytest.approx([-first])
    assert chart(nights, "w") == []


def test_the_chart_s_limit_keeps_its_rate_of_false_alarms():
    """Nights to the first alarm of one side, over simulated charts of standard normal values."""
    rng, limit, waits = np.random.default_rng(0), chart_limit(0.01), []
    for _ in range(200):
        level, wait = 0.0, 0
        while level <= limit:
            level, wait = max(0.0, level + rng.normal() - ALLOWANCE), wait + 1
        waits.append(wait)
    assert 80 < np.mean(waits) < 130


def test_a_slow_shift_is_seen_before_a_third_of_a_standard_deviation_and_a_quiet_chain_is_not():
    rng, config = np.random.default_rng(1), study()
    for step, seen in ((0.03, True), (0.0, False)):
        chain, at = [], None
        for number in range(25):
            frame = patients(300, int(rng.integers(1 << 30)), first=1000 * number)
            frame["a"] += step * number
            now = profile(frame, np.ones(300, bool), config, str(number))
            gates = slow_gates(chain, now, config)
            if at is None and any(gate.verdict != "pass" for gate in gates):
                at = step * number
            assert all(gate.verdict != "fail" for gate in gates)
            chain.append(now)
        assert (at is not None) == seen
        assert at is None or at < 0.4


def test_a_chain_of_one_extract_has_no_slow_gates():
    assert slow_gates([night(0, "0")], night(5, "1"), study()) == ()
    assert len(slow_gates([night(0, "0"), night(0, "1")], night(5, "2"), study())) == 2
