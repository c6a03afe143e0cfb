"""Each condition of the rule decides alone, at its exact boundary; all numbers are set by hand."""

from __future__ import annotations

import copy

import pytest

from mgvae.cohort.build import FEW_EVENTS
from mgvae.evaluation.arms import GENERATIVE
from mgvae.evaluation.recommendation import barred_arms
from mgvae.results.gates import Gate
from tests.mgvae.evaluation.results import recommend

MARGIN = 0.01
LR, TREES = "logistic_regression", "hist_gradient_boosting"
NEXT_AFTER = 1e-9


def measures(**changes):
    """Return an arm's judged measures: calibrated as well as can be."""
    plain = {name: {"value": 0.5} for name in ("balanced_accuracy", "sensitivity", "specificity", "ppv")}
    plain |= {"auroc": {"value": 0.7, "low": 0.6, "high": 0.8}, "scaled_brier": {"value": 0.05, "low": 0.02, "high": 0.08}}
    good = {"calibration_slope": {"value": 1.0, "low": 0.8, "high": 1.2}, "observed_expected": {"value": 1.0}}
    return {"recalibrated": {**plain, **good, **changes}}


def gain(**changes):
    return {
        "value": 0.05,
        "low": 0.02,
        "high": 0.08,
        "se": 0.015,
        "family_low": 0.01,
        "family_high": 0.09,
        "least_repeat": 0.03,
        **changes,
    }


def evaluation(*, events=1000, auroc=None, brier=0.0, candidate=None, reference=None):
    """Return an evaluation in which `smote` meets every condition, unless the arguments say otherwise."""
    others = {"scaled_brier": gain(value=brier, low=brier, high=brier), "net_benefit": gain(), "log_loss": gain()}
    against = {"smote": {LR: {"auroc": gain(**(auroc or {})), **others}}}
    far = {"value": 9.0, "low": 8.0, "high": 10.0}  # of a classifier without correction that is not the reference
    return {
        "contrasts": {
            "reference": {"arm": "none", "classifier": LR},
            "candidates": 1,
            "critical": 2.0,
            "against": against,
        },
        "arms": {
            "none": {LR: measures(**(reference or {})), TREES: measures(calibration_slope=far, observed_expected=far)},
            "smote": {LR: measures(**(candidate or {}))},
        },
        "events": events,
        "prevalence": 0.1,
    }


def slope(value, low=None, high=None):
    return {
        "calibration_slope": {"value": value, "low": value if low is None else low, "high": value if high is None else high}
    }


def ratio(value):
    return {"observed_expected": {"value": value}}


def arm(found, **barred):
    return recommend(found, margin=MARGIN, barred=barred)["arm"]


def test_where_every_condition_holds_the_arm_is_recommended():
    assert arm(evaluation()) == "smote"


OBJECTIONS = {
    "the lower limit of its AUROC gain is not above 0": {"auroc": {"family_low": 0.0}},
    "the gain does not show in every repeat": {"auroc": {"least_repeat": 0.0}},
    "its scaled Brier score may be more than 0.01 worse": {"brier": -MARGIN - NEXT_AFTER},
    "its calibration slope is off after recalibration": {"candidate": slope(1.2, 1.1, 1.3)},
    "its observed/expected ratio is off after recalibration": {"candidate": ratio(1.1 + NEXT_AFTER)},
}


@pytest.mark.parametrize("objection", OBJECTIONS)
def test_one_condition_that_fails_alone_decides_and_is_the_one_named(objection):
    found = recommend(evaluation(**OBJECTIONS[objection]), margin=MARGIN)
    assert found["arm"] == "none"
    assert found["reason"].rpartition("; ")[2] == f"{objection}."


def test_a_bar_alone_decides_and_is_named():
    found = recommend(evaluation(), margin=MARGIN, barred={"smote": "gate failed: Copies"})
    assert found["arm"] == "none"
    assert found["reason"].endswith("; it is barred: gate failed: Copies.")


@pytest.mark.parametrize(
    "changes",
    [
        {"auroc": {"family_low": NEXT_AFTER}},
        {"auroc": {"least_repeat": NEXT_AFTER}},
        {"brier": -MARGIN},  # the rule asks that the limit is not below
        {"brier": -MARGIN + NEXT_AFTER},
        {"candidate": slope(1.2, 1.0, 1.3)},  # the interval ends at 1
        {"candidate": slope(0.7, 0.5, 1.0)},
        {"candidate": slope(1.5), "reference": slope(1.5)},  # as far from 1 as the reference's, whatever the intervals are
        {"candidate": slope(0.5), "reference": slope(1.5)},  # on the other side of 1
        {"candidate": slope(1.5), "reference": slope(1.75)},
        {"candidate": ratio(0.9)},
        {"candidate": ratio(1.1)},
        {"candidate": ratio(1.25), "reference": ratio(0.75)},
        {"candidate": ratio(1.25), "reference": ratio(1.5)},
    ],
    ids=str,
)
def test_at_the_boundary_a_condition_holds(changes):
    assert arm(evaluation(**changes)) == "smote"


@pytest.mark.parametrize(
    "changes",
    [
        {"candidate": slope(1.2, 1.0 + NEXT_AFTER, 1.3)},
        {"candidate": slope(0.7, 0.5, 1.0 - NEXT_AFTER)},
        {"candidate": slope(1.5), "reference": slope(1.5 - NEXT_AFTER)},
        {"candidate": slope(0.5), "reference": slope(1.5 - NEXT_AFTER)},
        {"candidate": ratio(0.9 - NEXT_AFTER)},
        {"candidate": ratio(1.25), "reference": ratio(1.25 - NEXT_AFTER)},
        {"candidate": ratio(0.75), "reference": ratio(1.25 - NEXT_AFTER)},
        {"candidate": ratio(1.25), "reference": ratio(None)},
        {"candidate": ratio(None)},
        {"brier": None},
        {"auroc": {"least_repeat": None}},
    ],
    ids=str,
)
def test_beyond_the_boundary_or_undefined_it_fails(changes):
    assert arm(evaluation(**changes)) == "none"


@pytest.mark.parametrize(("events", "chosen"), [(FEW_EVENTS - 1, "none"), (FEW_EVENTS, "smote")])
def test_the_fewest_events_are_enough_and_one_less_is_not(events, chosen):
    found = recommend(evaluation(events=events), margin=MARGIN)
    assert found["arm"] == chosen
    assert (f"with {events} events no gain" in found["reason"]) is (chosen == "none")


@pytest.mark.parametrize(("events", "few"), [(FEW_EVENTS - 1, True), (FEW_EVENTS, False)])
def test_the_reason_blames_few_events_only_where_they_decide(events, few):
    reason = recommend(evaluation(events=events, auroc={"family_low": -0.0123}), margin=MARGIN)["reason"]
    assert ("no gain can be shown" in reason) is few
    gains = (
        "The best challenger, smote with logistic regression, changes AUROC by +0.0500 (lower limit -0.0123 allowing for all"
    )
    assert (gains in reason) is not few


def test_the_threshold_comes_with_its_measures_and_a_remark():
    measured = {"balanced_accuracy": {"value": 0.71}, "sensitivity": {"value": 0.6}, "specificity": {"value": 0.82}}
    found = recommend(evaluation(candidate=measured), margin=MARGIN)["threshold"]
    given = {
        "balanced_accuracy": 0.71,
        "sensitivity": 0.6,
        "specificity": 0.82,
        "ppv": 0.5,
        "value": 0.1,
        "variant": "recalibrated",
    }
    assert {name: value for name, value in found.items() if name != "remark"} == given
    assert "at the prevalence" in found["remark"]


def with_arms(**gains):
    """Return an evaluation of several arms that differ in their gains alone."""
    found = evaluation()
    for name, changes in gains.items():
        found["contrasts"]["against"][name] = copy.deepcopy(found["contrasts"]["against"]["smote"])
        found["contrasts"]["against"][name][LR]["auroc"] = gain(**changes)
        found["arms"][name] = found["arms"]["smote"]
    return found


@pytest.mark.parametrize("first", ["mgvae", "vae"])
def test_of_several_winners_the_highest_lower_limit_is_taken_not_the_highest_value(first):
    """The limit is that of the family: the plain one would choose `vae` too."""
    gains = {
        "vae": {"value": 0.2, "low": 0.1, "family_low": 0.02},
        "mgvae": {"value": 0.06, "low": 0.05, "family_low": 0.04},
    }
    found = recommend(with_arms(**{name: gains[name] for name in (first, *gains)}), margin=MARGIN)
    assert found["arm"] == found["difference"]["arm"] == "mgvae"
    assert found["difference"]["family_low"] == 0.04


def test_an_arm_that_fails_a_condition_hides_no_winner():
    assert arm(with_arms(vae={"value": 0.5, "family_low": 0.4, "least_repeat": -0.1})) == "smote"


def test_without_a_winner_the_challenger_named_is_the_best_that_is_not_barred():
    none_holds = {
        name: {"value": value, "least_repeat": -0.1} for name, value in (("vae", 0.3), ("mgvae", 0.2), ("mgvae_no_ewc", 0.1))
    }
    found = recommend(
        with_arms(smote={"value": 0.05, "least_repeat": -0.1}, **none_holds), margin=MARGIN, barred={"vae": "gate"}
    )
    assert (found["arm"], found["difference"]["arm"]) == ("none", "mgvae")


@pytest.mark.parametrize("verdict", ["pass", "warn", "fail"])
def test_a_failed_gate_alone_bars_and_only_the_arms_whose_cases_are_generated(verdict):
    measured = {"value": None, "low": None, "high": None, "threshold": None, "detail": ""}
    gates = [
        Gate(name="a", label="First", verdict="pass", **measured),
        Gate(name="b", label="Second", verdict=verdict, **measured),
    ]
    expected = dict.fromkeys(GENERATIVE, "gate failed: Second") if verdict == "fail" else {}
    assert barred_arms(gates, ["none", "smote", "threshold", *GENERATIVE]) == expected
    assert barred_arms(gates, ["none", "smote"]) == {}
