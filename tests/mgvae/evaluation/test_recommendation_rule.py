"""Each condition of the rule decides alone, at its exact boundary; all numbers are set by hand."""

from __future__ import annotations

from statistics import NormalDist

import pytest

from mgvae.evaluation.arm_kinds import GENERATIVE
from mgvae.evaluation.evidence import PRIOR
from mgvae.evaluation.recommendation import barred_arms
from mgvae.results.gates import Gate
from mgvae.results.numbers import FEW_EVENTS
from tests.mgvae.evaluation.results import recommend

RELEVANT = 0.02
LR, TREES = "logistic_regression", "hist_gradient_boosting"
NEXT_AFTER = 1e-9
CRITICAL = NormalDist().inv_cdf(0.975**0.25)  # of four independent arms


def measures(**changes):
    """Return an arm's judged measures: calibrated as well as can be."""
    plain = {name: {"value": 0.5} for name in ("balanced_accuracy", "sensitivity", "specificity", "ppv")}
    plain |= {
        "auroc": {"value": 0.7, "low": 0.6, "high": 0.8},
        "scaled_brier": {"value": 0.05, "low": 0.02, "high": 0.08},
        "net_benefit": {"value": 0.003},
    }
    good = {
        "calibration_slope": {"value": 1.0, "low": 0.8, "high": 1.2},
        "observed_expected": {"value": 1.0, "low": 0.9, "high": 1.1},
    }
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


def evaluation(*, events=1000, evidence=3.0, auroc=None, candidate=None, reference=None):
    """Return an evaluation in which `smote` meets every condition, unless the arguments say otherwise."""
    far = {"value": 9.0, "low": 8.0, "high": 10.0}  # of a classifier without correction that is not the reference
    return {
        "contrasts": {
            "reference": {"arm": "none", "classifier": LR},
            "candidates": 4,
            "critical": CRITICAL,
            "against": {"smote": {LR: contrast(evidence, **(auroc or {}))}},
        },
        "arms": {
            "none": {LR: measures(**(reference or {})), TREES: measures(calibration_slope=far, observed_expected=far)},
            "smote": {LR: measures(**(candidate or {}))},
        },
        "events": events,
        "prevalence": 0.1,
    }


def contrast(evidence, **auroc):
    """Return differences whose mean gain in net benefit and log loss is ``evidence`` standard errors."""
    numbers = {"net_benefit": (evidence + 1) * 0.001, "log_loss": -(evidence - 1) * 0.001}
    others = {name: gain(value=value, se=0.001) for name, value in numbers.items()}
    return {"auroc": gain(**auroc), "scaled_brier": gain(), **others}


def limits(value, low=None, high=None):
    return {"value": value, "low": value if low is None else low, "high": value if high is None else high}


def slope(*numbers):
    return {"calibration_slope": limits(*numbers)}


def ratio(*numbers):
    return {"observed_expected": limits(*numbers)}


def judged(found, **barred):
    return recommend(found, relevant_gain=RELEVANT, barred=barred)


def arm(found, **barred):
    return judged(found, **barred)["arm"]


def test_where_every_condition_holds_the_arm_is_recommended():
    found = judged(evaluation())
    assert (found["arm"], found["answer"]) == ("smote", "use")


LUCKY = NormalDist().inv_cdf(0.75**0.25)
OBJECTIONS = {
    "its evidence in net benefit and log loss is no more than luck among the arms explains": {
        "evidence": LUCKY - NEXT_AFTER,
        "auroc": {"se": 0.05},
    },
    "too little is left of its gain once it is shrunk towards the published results": {"auroc": {"se": 0.001}},
    "its AUROC is lower": {"auroc": {"value": -NEXT_AFTER}},
    "its calibration slope is off after recalibration": {"candidate": slope(1.3, 1.1, 1.5)},
    "its observed/expected ratio is off after recalibration": {"candidate": ratio(1.3, 1.1, 1.5)},
    "it does not predict better than the prevalence": {"candidate": {"auroc": limits(0.7, 0.5, 0.9)}},
}


@pytest.mark.parametrize("objection", OBJECTIONS)
def test_one_condition_that_fails_alone_decides_and_is_the_one_named(objection):
    found = judged(evaluation(**OBJECTIONS[objection]))
    assert found["arm"] == "none"
    assert found["reason"].split(". Whether")[0].split(". There")[0].rpartition("; ")[2] == objection


def test_a_bar_alone_decides_and_is_named():
    found = judged(evaluation(), smote="gate failed: Copies")
    assert found["arm"] == "none"
    assert "; it is barred: gate failed: Copies. " in found["reason"]


def shrunk_to(gain):
    """Return the standard error at which 3 standard errors of evidence leave ``gain``."""
    low, high = 0.001, 0.02
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if PRIOR.shrunk(3.0, middle)[0] < gain else (low, middle)
    return high


@pytest.mark.parametrize(
    "changes",
    [
        {"evidence": LUCKY + NEXT_AFTER, "auroc": {"se": 0.05}},
        {"auroc": {"se": shrunk_to(RELEVANT / 2) + NEXT_AFTER}},
        {"auroc": {"value": 0.0}},
        {"auroc": {"least_repeat": -0.01}},  # a repeat that shows no gain is noise
        {"candidate": slope(1.3, 1.0, 1.5)},  # the interval ends at 1
        {"candidate": slope(0.7, 0.5, 1.0)},
        {"candidate": slope(1.25, 1.1, 1.4)},  # off by its interval, and not by its size
        {"candidate": slope(0.8, 0.7, 0.9)},
        {"candidate": slope(1.5, 1.2, 1.8), "reference": slope(1.5)},  # as far from 1 as the reference's
        {"candidate": slope(0.5, 0.4, 0.6), "reference": slope(1.5)},  # on the other side of 1
        {"candidate": ratio(1.25, 1.1, 1.4)},
        {"candidate": ratio(1.3, 1.0, 1.5)},
        {"candidate": ratio(1.5, 1.2, 1.8), "reference": ratio(0.5)},
        {"candidate": {"auroc": limits(0.7, 0.5 + NEXT_AFTER, 0.9)}},
        {"candidate": {"scaled_brier": limits(-0.01)}},  # the net benefit is above 0
        {"candidate": {"net_benefit": limits(0.0)}},  # the scaled Brier score is
        {"reference": {"auroc": limits(0.55, 0.4, 0.7)}},  # the arm predicts better than the prevalence, the reference not
    ],
    ids=str,
)
def test_at_the_boundary_a_condition_holds(changes):
    assert arm(evaluation(**changes)) == "smote"


@pytest.mark.parametrize(
    "changes",
    [
        {"auroc": {"se": shrunk_to(RELEVANT / 2) - NEXT_AFTER}},
        {"candidate": slope(1.25 + NEXT_AFTER, 1.0 + NEXT_AFTER, 1.5)},
        {"candidate": slope(0.8 - NEXT_AFTER, 0.5, 1.0 - NEXT_AFTER)},
        {"candidate": slope(1.5, 1.2, 1.8), "reference": slope(1.5 - NEXT_AFTER)},
        {"candidate": ratio(1.25 + NEXT_AFTER, 1.0 + NEXT_AFTER, 1.5)},
        {"candidate": ratio(0.5, 0.4, 0.6), "reference": ratio(1.5 - NEXT_AFTER)},
        {"candidate": ratio(1.5, 1.2, 1.8), "reference": ratio(None)},
        {"candidate": ratio(None)},
        {"candidate": slope(None)},
        {"candidate": {"net_benefit": limits(0.0), "scaled_brier": limits(0.0)}},
        {"candidate": {"auroc": limits(0.7, None, None) | {"low": None}}},
        {"auroc": {"value": None}},
        {"auroc": {"se": None}},
    ],
    ids=str,
)
def test_beyond_the_boundary_or_undefined_it_fails(changes):
    assert arm(evaluation(**changes)) == "none"


@pytest.mark.parametrize(("events", "chosen"), [(FEW_EVENTS - 1, "none"), (FEW_EVENTS, "smote")])
def test_the_fewest_events_are_enough_and_one_less_is_not(events, chosen):
    found = judged(evaluation(events=events))
    assert found["arm"] == chosen
    assert (f"with {events} events no gain" in found["reason"]) is (chosen == "none")
    assert found["answer"] == ("use" if chosen == "smote" else "cannot_tell")


def test_the_reason_names_gain_shrunk_gain_and_evidence():
    found = judged(evaluation(evidence=0.5, auroc={"se": 0.01}))
    expected = PRIOR.shrunk(0.5, 0.01)[0]
    assert f"SMOTE with logistic regression, changes AUROC by +0.0500 ({expected:+.4f} once shrunk" in found["reason"]
    assert "net benefit and log loss by +0.50 standard errors" in found["reason"]
    difference = found["difference"]
    assert (difference["metric"], difference["value"], difference["evidence"]) == ("net_benefit", 0.0015, pytest.approx(0.5))
    assert difference["needed"] == pytest.approx(LUCKY)
    assert difference["expected_auroc"]["value"] == pytest.approx(expected)


@pytest.mark.parametrize(("error", "answer"), [(0.003, "no_gain"), (0.05, "cannot_tell")])
def test_no_gain_and_cannot_tell_differ_by_what_the_study_could_have_found(error, answer):
    found = judged(evaluation(evidence=0.0, auroc={"se": error}))
    smallest = found["smallest_gain"]
    assert (found["answer"], found["arm"]) == (answer, "none")
    assert (smallest["auroc"] <= RELEVANT) is (answer == "no_gain")
    assert f"{smallest['auroc']:.3f} in AUROC" in found["reason"]


def test_exactly_the_relevant_gain_is_found():
    smallest = judged(evaluation(evidence=0.0, auroc={"se": 0.02}))["smallest_gain"]["auroc"]
    just = {"relevant_gain": smallest}
    found = recommend(evaluation(evidence=0.0, auroc={"se": 0.02}), **just)
    assert (found["smallest_gain"]["auroc"] <= smallest) is (found["answer"] == "no_gain")


@pytest.mark.parametrize(
    ("high", "answer"), [(RELEVANT - NEXT_AFTER, "no_gain"), (RELEVANT, "cannot_tell"), (None, "cannot_tell")]
)
def test_an_imprecise_arm_counts_only_while_its_interval_reaches_the_relevant_gain(high, answer):
    found = with_arms(smote=0.0, vae=-4.0)
    found["contrasts"]["against"]["smote"][LR]["auroc"] |= {"value": 0.0, "high": 0.004, "se": 0.002}
    found["contrasts"]["against"]["vae"][LR]["auroc"] |= {"value": -0.2, "high": high, "se": 0.1}
    assert judged(found)["answer"] == answer


NOTHING = {"auroc": limits(0.6, 0.5, 0.7)}


def test_where_nothing_beats_the_prevalence_the_answer_is_to_deploy_none():
    found = judged(evaluation(candidate=NOTHING, reference=NOTHING))
    assert (found["answer"], found["arm"]) == ("deploy_none", "none")
    assert found["reason"] == "No model here predicts the outcome better than its prevalence; deploy none."


@pytest.mark.parametrize("barred", [{}, {"smote": "gate failed"}])
def test_a_reference_that_beats_the_prevalence_is_kept_where_no_arm_wins(barred):
    assert judged(evaluation(evidence=0.0), **barred)["answer"] != "deploy_none"


def test_the_threshold_comes_with_its_measures_and_a_remark():
    measured = {"balanced_accuracy": {"value": 0.71}, "sensitivity": {"value": 0.6}, "specificity": {"value": 0.82}}
    found = judged(evaluation(candidate=measured))["threshold"]
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


def with_arms(**evidence):
    """Return an evaluation of several arms that differ in their evidence alone."""
    found = evaluation(evidence=evidence.pop("smote", 3.0))
    for name, seen in evidence.items():
        found["contrasts"]["against"][name] = {LR: contrast(seen)}
        found["arms"][name] = found["arms"]["smote"]
    return found


@pytest.mark.parametrize("first", ["mgvae", "vae"])
def test_of_several_winners_the_strongest_evidence_is_taken(first):
    seen = {"vae": 3.5, "mgvae": 4.0}
    found = judged(with_arms(**{name: seen[name] for name in (first, *seen)}))
    assert found["arm"] == found["difference"]["arm"] == "mgvae"


def test_an_arm_that_fails_a_condition_hides_no_winner():
    found = with_arms(vae=9.0)
    found["contrasts"]["against"]["vae"][LR]["auroc"]["value"] = -0.1
    assert arm(found) == "smote"


def test_without_a_winner_the_challenger_named_is_the_best_that_is_not_barred():
    found = judged(with_arms(smote=0.1, vae=0.7, mgvae=0.6, mgvae_no_ewc=0.3), vae="gate")
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
