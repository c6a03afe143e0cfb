"""Each rule of a finding, on both sides of its boundary."""

from __future__ import annotations

import pytest

from mgvae.evaluation.findings import evaluation_findings
from mgvae.results.evaluation import EvaluationResult
from mgvae.results.recommendation import Recommendation
from tests.mgvae.evaluation.results import UNREAD

LR = "logistic_regression"
CHOSEN = {"arm": "none", "classifier": LR, "answer": "cannot_tell", "reason": "Because.", "rule": "r", "difference": None}
GOOD = {
    "auroc": {"value": 0.7, "low": 0.6, "high": 0.8},
    "calibration_slope": {"value": 1.0, "low": 0.8, "high": 1.2},
    "observed_expected": {"value": 1.0, "low": 0.9, "high": 1.1},
}


def part(events=200, **changes):
    scores = {LR: {"recalibrated": GOOD | changes}}
    return {"events": events, "prevalence": 0.1, "arms": {"none": scores}}


def codes(content, *, holdout=None, unavailable=None, **chosen):
    contrasts = {"reference": {"arm": "none", "classifier": LR}, "candidates": 0, "critical": None, "against": {}}
    held = None if holdout is None else {key: UNREAD[key] for key in ("n", "bootstrap", "unavailable", "differences", "curves")}
    whole = {**UNREAD, **content, "contrasts": contrasts, "unavailable": unavailable or {}}
    whole["holdout"] = None if held is None else held | holdout
    found = evaluation_findings(EvaluationResult.model_validate(whole), Recommendation.model_validate(CHOSEN | chosen))
    return [one.code for one in found]


def limits(value, low, high):
    return {"value": value, "low": low, "high": high}


def test_a_sound_study_has_no_findings():
    assert codes(part(), holdout=part()) == []


def test_where_no_model_beats_the_prevalence_that_is_a_finding():
    assert codes(part(), answer="deploy_none") == ["MGV201"]


@pytest.mark.parametrize(
    ("value", "low", "leak"),
    [
        (0.97, 0.95, False),
        (0.97, 0.95 + 1e-9, True),
        (0.99, 0.8 + 1e-9, True),
        (0.99, 0.8, False),
        (0.99 - 1e-9, 0.94, False),
        (0.99, None, False),
    ],
)
def test_a_leak_is_suspected_from_auroc_and_its_lower_limit(value, low, leak):
    assert codes(part(auroc=limits(value, low, 0.999))) == ["MGV202"] * leak


@pytest.mark.parametrize(("train", "test", "few"), [(15, 15, False), (14, 200, True), (200, 14, True)])
def test_few_events_are_counted_in_each_part(train, test, few):
    assert codes(part(train), holdout=part(test)) == ["MGV203"] * few


@pytest.mark.parametrize(
    ("measure", "estimate", "off"),
    [
        ("calibration_slope", limits(0.7, 0.5, 1.0), False),  # the interval covers 1
        ("calibration_slope", limits(0.85, 0.75, 0.95), False),  # not far from 1
        ("calibration_slope", limits(0.7, 0.5, 0.9), True),
        ("calibration_slope", limits(1.3, 1.1, 1.6), True),
        ("calibration_slope", limits(None, None, None), False),
        ("observed_expected", limits(1.3, 1.1, 1.6), True),
        ("observed_expected", limits(1.25, 1.1, 1.6), False),
    ],
)
def test_calibration_is_off_by_size_and_by_interval(measure, estimate, off):
    assert codes(part(**{measure: estimate})) == ["MGV204"] * off


@pytest.mark.parametrize(
    ("auroc", "events", "contradicts"),
    [
        (limits(0.58, 0.55, 0.6), 200, False),  # touches the lower limit of the cross-validation
        (limits(0.57, 0.55, 0.6 - 1e-9), 200, True),
        (limits(0.65, 0.5, 0.8), 15, True),  # includes chance
        (limits(0.65, 0.5 + 1e-9, 0.8), 15, False),
        (limits(0.4, 0.2, 0.55), 14, False),  # too few events to contradict anything
    ],
)
def test_a_hold_out_contradicts_by_its_interval_and_with_enough_events(auroc, events, contradicts):
    assert ("MGV206" in codes(part(), holdout=part(events, auroc=auroc))) is contradicts


def test_each_arm_that_could_not_be_run_is_a_finding():
    assert codes(part(), unavailable={"smote": "too few", "vae": "diverged"}) == ["MGV205", "MGV205"]
