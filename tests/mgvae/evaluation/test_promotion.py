"""The comparison is paired and antisymmetric; the rule keeps what is worse out and lets what cannot be told apart pass."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgvae.evaluation.promotion import MEASURES, compare_models, rule, verdict
from mgvae.results.promotion import ModelComparison, PromotionComparison


def patients(n=600, *, seed=0):
    """Return outcome, groups of two, and the true risks."""
    rng = np.random.default_rng(seed)
    risk = 1 / (1 + np.exp(2.5 - rng.normal(size=n)))
    return (rng.random(n) < risk).astype(int), np.arange(n) // 2, risk


def compared(champion, challenger, event, group, n=200):
    return compare_models(event, group, champion=champion, challenger=challenger, n=n, seed=1)


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
    assert verdict(found, 0.0)[0]


def test_differences_change_sign_with_the_sides():
    event, group, risk = patients()
    loss, gain = compared(risk, noisy(risk, 2), event, group), compared(noisy(risk, 2), risk, event, group)
    for name in MEASURES:
        down, up = getattr(loss, name), getattr(gain, name)
        assert down.value == pytest.approx(-up.value, abs=1e-12)
        assert down.low == pytest.approx(-up.high, abs=1e-12)
    assert verdict(loss, 0.005) == (False, verdict(loss, 0.005)[1])
    assert verdict(gain, 0.005)[0]


def test_a_model_that_ranks_as_well_and_is_badly_calibrated_is_worse_and_it_is_said_in_what():
    event, group, risk = patients(2000)
    promoted, reason = verdict(compared(risk, np.sqrt(risk), event, group), 0.005)
    assert not promoted
    assert "Worse than the champion in scaled Brier score on 2,000 patients" in reason


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
LIMITS = st.floats(-0.2, 0.2)


@pytest.mark.parametrize(
    ("auroc", "brier", "promoted"),
    [
        (EQUAL, EQUAL, True),
        (difference(-0.004, -0.03, 0.02), EQUAL, True),  # within the margin, and nobody can tell
        (difference(-0.006, -0.03, 0.02), EQUAL, False),  # beyond the margin
        (difference(-0.002, -0.003, -0.001), EQUAL, False),  # within the margin, but for certain
        (EQUAL, difference(-0.006, -0.03, 0.02), False),
        (EQUAL, difference(-0.002, -0.003, -0.001), False),
        (difference(0.05, 0.01, 0.09), difference(-0.02, -0.03, 0.01), False),  # a gain in one pays for no loss in the other
        (difference(0.0, None, None), EQUAL, False),
        (difference(None, None, None), EQUAL, False),
    ],
)
def test_the_rule(auroc, brier, promoted):
    found, reason = verdict(comparison(auroc=auroc, scaled_brier=brier), 0.005)
    assert found is promoted
    assert "on 900 patients with 20 events that the champion was not trained on" in reason


@given(LIMITS, LIMITS, LIMITS, st.floats(0, 0.1), st.floats(0, 0.1))
def test_a_wider_margin_never_keeps_out_what_a_narrow_one_lets_pass(a, b, c, margin, extra):
    low, value, high = sorted([a, b, c])
    found = comparison(auroc=difference(value, low, high), scaled_brier=EQUAL)
    assert verdict(found, margin)[0] <= verdict(found, margin + extra)[0]


def test_the_rule_in_words_names_its_numbers():
    assert "below -0.005" in rule(0.005)
    assert "fewer than 15 events" in rule(0.005)


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize(
    ("found", "promoted"),
    [
        (difference(-0.005, -0.03, 0.02), True),  # as far below as the margin
        (difference(-0.005 - 1e-9, -0.03, 0.02), False),
        (difference(-0.002, -0.003, 0.0), True),  # an interval that ends at 0 does not lie wholly below it
        (difference(-0.002, -0.003, -1e-9), False),
        (difference(None, -0.01, 0.01), False),
        (difference(0.0, None, 0.01), False),
        (difference(0.0, -0.01, None), False),
    ],
    ids=str,
)
def test_each_condition_decides_alone_at_its_exact_boundary(name, found, promoted):
    chosen, reason = verdict(comparison(**{**dict.fromkeys(MEASURES, EQUAL), name: found}), 0.005)
    assert chosen is promoted
    if None not in found.values():
        assert (f"Worse than the champion in {MEASURES[name]} on" in reason) is not promoted


def test_a_comparison_is_logged_key_by_key_in_one_order():
    event, group, risk = patients()
    found = compared(risk, noisy(risk, 1), event, group, n=20)
    logged = PromotionComparison(**dict(found), left_out=3, margin=0.005).model_dump(mode="json")
    assert list(logged) == ["n", "events", "bootstrap", "auroc", "scaled_brier", "left_out", "margin"]
    assert all(list(logged[name]) == ["champion", "challenger", "value", "low", "high"] for name in MEASURES)
