"""The comparison is paired and antisymmetric; each number of the rule decides alone, at its exact boundary."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgvae.config.promotion import Promotion
from mgvae.evaluation.bootstrap import resamples
from mgvae.evaluation.promotion import MEASURES, change_of, compare_models, floor_of, judge, performance, rule, with_rule
from mgvae.results.numbers import Estimate
from mgvae.results.promotion import ChampionChange, HoldoutUse, ModelComparison

NUMBERS = Promotion()


def patients(n=600, *, seed=0):
    """Return outcome, groups of two, and the true risks."""
    rng = np.random.default_rng(seed)
    risk = 1 / (1 + np.exp(2.5 - rng.normal(size=n)))
    return (rng.random(n) < risk).astype(int), np.arange(n) // 2, risk


def compared(champion, challenger, event, group, n=200):
    return compare_models(resamples(event, group, n=n, seed=1), champion=champion, challenger=challenger)


def noisy(risk, amount, seed=9):
    noise = np.random.default_rng(seed).normal(size=len(risk)) * amount
    return 1 / (1 + np.exp(-(np.log(risk / (1 - risk)) + noise)))


def test_the_same_predictions_differ_by_nothing_and_are_promoted():
    event, group, risk = patients()
    found = compared(risk, risk, event, group)
    for name in MEASURES:
        difference = getattr(found, name)
        assert (difference.value, difference.low, difference.high) == (0, 0, 0)
        assert difference.champion == difference.challenger
    assert judged(found).outcome == "promoted"


def test_differences_change_sign_with_the_sides():
    event, group, risk = patients()
    loss, gain = compared(risk, noisy(risk, 2), event, group), compared(noisy(risk, 2), risk, event, group)
    for name in MEASURES:
        down, up = getattr(loss, name), getattr(gain, name)
        assert down.value == pytest.approx(-up.value, abs=1e-12)
        assert down.low == pytest.approx(-up.high, abs=1e-12)
    assert judged(loss).outcome == "kept"
    assert judged(gain).outcome == "promoted"


def test_a_model_that_ranks_as_well_and_is_badly_calibrated_is_worse_and_it_is_said_in_what():
    event, group, risk = patients(2000)
    found = judged(compared(risk, np.sqrt(risk), event, group))
    assert found.outcome == "kept"
    assert "Worse than the champion in scaled Brier score on 2,000 patients" in found.reason


def test_the_interval_is_paired_and_draws_whole_groups():
    """Two models that err alike differ by little; a group given twice tells no more than once."""
    event, group, risk = patients(1500)
    near = compared(noisy(risk, 1.0), noisy(noisy(risk, 1.0), 0.05, seed=3), event, group).auroc
    far = compared(noisy(risk, 1.0), noisy(risk, 1.0, seed=5), event, group).auroc
    assert near.high - near.low < 0.2 * (far.high - far.low)
    twice = np.tile(np.arange(1500), 2)
    again = compared(noisy(risk, 1.0)[twice], noisy(risk, 1.0, seed=5)[twice], event[twice], group[twice]).auroc
    assert again.high - again.low == pytest.approx(far.high - far.low, rel=1e-9)


def comparison(**differences):
    return ModelComparison.model_validate({"n": 900, "events": 20, "bootstrap": 200, **differences})


def difference(value, low, high):
    return {"champion": 0.8, "challenger": 0.8, "value": value, "low": low, "high": high}


EQUAL = difference(0.0, -0.01, 0.01)
BETTER = difference(0.02, 0.001, 0.04)
TINY = 1e-9
LIMITS = st.floats(-0.2, 0.2)


def judged(found, numbers=NUMBERS, *, floor=0.7, change=(0.0, -0.1, 0.1), ratio=(1.0, 0.8, 1.25), new=0.05, lost=0.0):
    """Judge a comparison whose other numbers are all well, unless stated otherwise."""
    changed = {"auroc_change": change, "calibration_change": ratio}
    complete = with_rule(
        found,
        numbers,
        left_out=0,
        floor=Estimate(value=0.8, low=floor, high=0.9),
        change=ChampionChange(
            events=20, auroc=0.8, **{name: Estimate(value=v, low=a, high=b) for name, (v, a, b) in changed.items()}
        ),
        new_patients=new,
        lost_before={"auroc": lost},
        use=HoldoutUse(median=1.0, most=1, window=0, next_window=0),
    )
    return judge(complete, numbers)


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (difference(0.0, -0.03 + TINY, 0.01), "promoted"),  # a loss of the margin is excluded, just so
        (difference(0.0, -0.03, 0.01), "kept"),
        (difference(-0.002, -0.003, 0.0), "promoted"),  # an interval that ends at 0 does not lie wholly below it
        (difference(-0.002, -0.003, -TINY), "kept"),
        (difference(None, -0.01, 0.01), "cannot_judge"),
        (difference(0.0, None, 0.01), "cannot_judge"),
        (difference(0.0, -0.01, None), "cannot_judge"),
    ],
    ids=str,
)
def test_each_difference_decides_alone_at_its_exact_boundary(name, found, outcome):
    decided = judged(comparison(**{**dict.fromkeys(MEASURES, EQUAL), name: found}))
    assert decided.outcome == outcome
    assert "on 900 patients with 20 events that the champion was not trained on" in decided.reason
    if found == difference(-0.002, -0.003, -TINY):
        assert f"Worse than the champion in {MEASURES[name]} on" in decided.reason


@pytest.mark.parametrize(
    ("others", "code"),
    [
        ({"floor": 0.5 + TINY}, None),
        ({"floor": 0.5}, "MGV402"),
        ({"floor": None}, "MGV402"),
        ({"change": (-0.05 - TINY, -0.2, -TINY)}, "MGV401"),
        ({"change": (-0.05, -0.2, -TINY)}, None),  # no farther than the drop that is allowed
        ({"change": (-0.05 - TINY, -0.2, 0.0)}, None),  # chance may explain it
        ({"change": (None, None, None)}, None),
        ({"ratio": (1.5 + TINY, 1 + TINY, 3.0)}, "MGV401"),
        ({"ratio": (1 / 1.5 - TINY, 0.2, 1 - TINY)}, "MGV401"),
        ({"ratio": (1.5, 1 + TINY, 3.0)}, None),
        ({"ratio": (1.6, 1.0, 3.0)}, None),
        ({"change": (-0.3, -0.4, -0.2), "floor": 0.4}, "MGV401"),
    ],
    ids=str,
)
@pytest.mark.parametrize("better", [False, True], ids=["alike", "better"])
def test_what_makes_a_comparison_untrustworthy_decides_before_all_else(others, code, better):
    """Also a model that looks clearly better is not promoted then."""
    found = judged(comparison(auroc=BETTER if better else EQUAL, scaled_brier=EQUAL), **others)
    assert (found.finding and found.finding.code) == code
    assert found.outcome == ("promoted" if code is None else "cannot_judge")


@pytest.mark.parametrize(
    ("auroc", "others", "outcome"),
    [
        (EQUAL, {"new": 0.05}, "promoted"),
        (EQUAL, {"new": 0.05 - TINY}, "kept"),
        (BETTER, {"new": 0.0, "lost": -1.0}, "promoted"),
        (difference(0.02, 0.0, 0.04), {"new": 0.0}, "kept"),  # not wholly above 0
        (EQUAL, {"lost": -0.03}, "promoted"),
        (EQUAL, {"lost": -0.03 - TINY}, "kept"),
        (difference(-0.01, -0.02, 0.01), {"lost": -0.02 - TINY}, "kept"),  # its own loss counts
        (difference(0.01, -0.01, 0.02), {"lost": -0.04}, "promoted"),
    ],
    ids=str,
)
def test_of_equal_models_the_newer_one_serves_within_bounds(auroc, others, outcome):
    assert judged(comparison(auroc=auroc, scaled_brier=EQUAL), **others).outcome == outcome


@given(LIMITS, LIMITS, LIMITS, st.floats(0.001, 0.1), st.floats(0, 0.1))
def test_a_wider_margin_never_keeps_out_what_a_narrow_one_lets_pass(a, b, c, margin, extra):
    low, value, high = sorted([a, b, c])
    found = comparison(auroc=difference(value, low, high), scaled_brier=EQUAL)
    narrow, wide = (judged(found, Promotion(margin=one)).outcome == "promoted" for one in (margin, margin + extra))
    assert narrow <= wide


def test_the_rule_in_words_names_its_numbers():
    text = rule(Promotion(level=0.98, auroc_drop=0.04, calibration_change=1.6, margin=0.02, new_patients=0.07, most_nights=9))
    for words in ("0.98 interval", "0.04 below", "more than 1.6", "-0.02", "7%", "9 times", "fewer than 15 events"):
        assert words in text


@pytest.mark.parametrize("events", [15, 40, 200])
def test_the_floor_seldom_takes_chance_for_a_model(events):
    """A score without meaning is above 0.5 by its 0.99 limit in about 0.5 % of samples."""
    rng, passed = np.random.default_rng(events), 0
    for seed in range(200):
        event = (np.arange(20 * events) < events).astype(int)
        found = performance(resamples(event, np.arange(len(event)), n=60, seed=seed), rng.random(len(event)))
        passed += floor_of(found, 0.99).low > 0.5
    assert passed <= 5  # a binomial count of 200 at 0.5 % exceeds 5 in 0.06 %


def test_a_champion_s_change_is_none_for_the_same_patients_and_of_the_right_sign():
    event, group, risk = patients(2000)
    then = performance(resamples(event, group, n=100, seed=1), risk)
    same = change_of(then, then, 0.99)
    assert (same.auroc_change.value, same.calibration_change.value, same.events) == (0, 1, len(np.unique(group[event == 1])))
    shuffled = np.random.default_rng(0).permutation(event)
    worse = change_of(then, performance(resamples(shuffled, group, n=100, seed=1), risk), 0.99)
    assert worse.auroc_change.high < -0.05
    halved = change_of(then, performance(resamples(event, group, n=100, seed=1), risk * 2), 0.99)
    assert halved.calibration_change.value == pytest.approx(0.5)
    assert halved.calibration_change.low < 0.5 < halved.calibration_change.high < 1
