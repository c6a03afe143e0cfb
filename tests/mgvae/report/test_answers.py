"""The first screen answers each question from what the report says, and links to the evidence."""

import re

import pytest

from mgvae.report.answers import DISCLOSURE, answers, study_sentence
from mgvae.report.schema import read_report
from tests.paths import ROOT
from tests.report_plain import render
from tests.report_sample import refused_report, sample_report, sparse_report

pytestmark = pytest.mark.usefixtures("empty_figures")
EXTRACT, CREDIBLE, LEAK, HELP, PREDICTS = range(5)


def verdicts(content):
    return [one.verdict for one in answers(read_report(content))]


def with_gate(name, verdict):
    content = sample_report(status="pass", columns=2)
    gate = content["synthetic"]["gates"][0] | {"name": name, "label": "The gate in question", "verdict": verdict}
    passing = [one | {"verdict": "pass"} for one in content["synthetic"]["gates"][1:]]
    content["synthetic"]["gates"] = [gate, *passing, passing[0] | {"name": "exact_copies"}]
    return content | {"status": "fail" if verdict == "fail" else "warn"}


@pytest.mark.parametrize("verdict", ["fail", "warn", "cannot_tell"])
@pytest.mark.parametrize(("name", "place", "other"), [("linkage", LEAK, CREDIBLE), ("energy", CREDIBLE, LEAK)])
def test_a_gate_counts_for_its_own_question_alone(name, place, other, verdict):
    found = answers(read_report(with_gate(name, verdict)))
    assert (found[place].verdict, found[other].verdict) == (verdict, "pass")
    assert "The gate in question" in found[place].sentence
    assert "The gate in question" not in found[other].sentence


def test_every_gate_on_copies_and_attacks_is_one_of_disclosure_and_no_other():
    written = {
        name: set(re.findall(r'"([a-z]+(?:_[a-z]+)*)"', (ROOT / "validation" / f"{name}.py").read_text(encoding="utf-8")))
        for name in ("copy_gates", "attack_gates", "fidelity_gates", "gates")
    }
    assert written["copy_gates"] | written["attack_gates"] >= DISCLOSURE
    assert not DISCLOSURE & written["fidelity_gates"]


@pytest.mark.parametrize(
    ("answer", "arm", "expected", "word"),
    [
        ("use", "mgvae", ("pass", "pass"), "Yes"),
        ("use", "smote", ("warn", "pass"), "No"),
        ("no_gain", "none", ("warn", "pass"), "No"),
        ("cannot_tell", "none", ("cannot_tell", "pass"), "Cannot tell"),
        ("deploy_none", "none", ("warn", "fail"), "No"),
    ],
)
def test_help_and_prediction_follow_the_recommendation(answer, arm, expected, word):
    content = sample_report(status="pass", columns=2, arms=("none", "smote", "mgvae"))
    content["recommendation"] |= {"answer": answer, "arm": arm}
    found = answers(read_report(content))
    assert (found[HELP].verdict, found[PREDICTS].verdict) == expected
    assert found[HELP].word == word


@pytest.mark.parametrize("arms", [("none", "smote"), ("none", "smote", "mgvae")])
def test_an_arm_without_synthetic_cases_that_helps_is_named_with_its_difference(arms):
    content = sample_report(status="pass", columns=2, arms=arms)
    content["recommendation"] |= {"answer": "use", "arm": "smote", "classifier": "logistic_regression"}
    content["evaluation"]["differences"]["smote"]["logistic_regression"]["auroc"] = {
        "value": 0.0314,
        "low": 0.011,
        "high": 0.052,
    }
    assert re.search(
        r"SMOTE is recommended.*: AUROC \+0.031 \(\+0.011 to \+0.052\)", answers(read_report(content))[HELP].sentence
    )
    content["recommendation"] |= {"answer": "no_gain", "arm": "none"}
    assert "is recommended" not in answers(read_report(content))[HELP].sentence


def test_a_severe_finding_on_the_extract_makes_it_unfit_unless_muted():
    content = sample_report(status="warn", columns=2)
    severe = content["findings"][0] | {"code": "MGV101", "severity": "severe", "title": "A predictor is the outcome"}
    content["drift"] = None
    assert verdicts(content | {"findings": [severe]})[EXTRACT] == "fail"
    assert verdicts(content | {"findings": [severe | {"muted": "it is not"}]})[EXTRACT] == "pass"


def test_a_refused_extract_is_unfit_and_nothing_else_is_asked():
    assert verdicts(refused_report()) == ["fail", None, None, None, None]


def test_no_synthetic_case_is_neither_credible_nor_a_leak():
    content = sample_report(status="pass", columns=2)
    content["synthetic"] |= {"n": 0}
    assert verdicts(content)[1:3] == [None, None]


@pytest.mark.parametrize("make", [sample_report, sparse_report, refused_report])
def test_each_link_leads_to_a_place_of_the_page(make):
    html = render(make())
    targets = set(re.findall(r'href="#([^"]+)"', html))
    assert targets <= set(re.findall(r'id="([^"]+)"', html))


def test_the_study_is_said_in_one_sentence_with_its_numbers():
    said = study_sentence(read_report(sample_report(columns=3)))
    assert all(part in said for part in ("3 predictors", "15,567 patients", "328 events", "2.11\u00a0%", "730 days"))
    assert "nobody was counted" in study_sentence(read_report(refused_report()))
