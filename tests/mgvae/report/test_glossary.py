"""Every abbreviation of the page is explained; the decision curve is read rightly; alerts are those of report.json."""

import re

import pytest

from mgvae.report.glossary import GLOSSARY
from mgvae.report.readings import decision_reading
from mgvae.results.evaluation import DecisionCurve, DecisionCurves
from tests.report_plain import drawn_page
from tests.report_reading import Reading, says_estimate
from tests.report_sample import sample_report

NAMES = {"NAFLD", "FIB", "HDL", "BMJ", "EMA", "PRCI"}  # of a study, of journals and offices
LR = "logistic_regression"


@pytest.fixture(scope="module")
def report():
    return sample_report()


@pytest.fixture(scope="module")
def html(report):
    return drawn_page(report)


def test_each_abbreviation_of_the_page_is_in_the_glossary(html):
    body = re.sub(r'<section id="(glossary|guidelines|lineage)".*?</section>', "", html, flags=re.DOTALL)
    found = set(re.findall(r"\b[A-Z]{2,}\b(?![0-9])", re.sub(r"\b(MGV\d+|arXiv\S+|doi \S+)", "", Reading(body).text)))
    known = {word for term in GLOSSARY for word in re.findall(r"[A-Z]{2,}", term)}
    assert found - NAMES <= known


def test_each_sentence_is_one_and_on_the_page(html):
    rows = Reading(html).tables["Terms and abbreviations"].body()
    for term, sentence in GLOSSARY.items():
        assert rows[term] == [sentence]
        assert sentence.endswith(".")
        assert sentence.count(". ") == 0
    assert list(GLOSSARY) == sorted(GLOSSARY, key=str.lower)


def test_terms_in_heads_are_reached_by_keyboard(html):
    terms = re.findall(r'<abbr tabindex="0" title="([^"]+)">([^<]+)</abbr>', html)
    assert {"AUROC", "O/E", "SMD", "NNE"} <= {name for _, name in terms}
    assert all(title == GLOSSARY[name] for title, name in terms)


def test_alerts_are_those_of_the_recommended_model(report, html):
    table = Reading(html).tables["Alerts for a share of patients: No correction with logistic regression"]
    for row, rate in zip(table.rows[1:], (1, 2, 5, 10), strict=True):
        cells = [" ".join(cell) for cell in row[1:]]
        expected = [
            report["evaluation"][part]["none"][LR]["recalibrated"][f"{kind}_at_alert_{rate}"]
            for part in ("arms", "holdout")
            for kind in ("sensitivity", "ppv", "nne")
        ]
        assert all(says_estimate(cell, one) for cell, one in zip(cells, expected, strict=True)), (rate, cells)


@pytest.mark.parametrize(
    ("net_benefit", "low", "expected"),
    [
        (
            (0.03, 0.02, 0.01),
            (0.025, 0.01, 0.001),
            "all thresholds from 1.00\u00a0% to 4.00\u00a0%; its lower limit is so too.",
        ),
        ((0.02, 0.02, 0.01), (0.01, 0.01, None), "from 2.00\u00a0% to 4.00\u00a0%; its lower limit is so at 2.00\u00a0%."),
        ((0.03, -0.01, 0.01), (0.0, -0.02, -0.01), "at 1.00\u00a0% and at 4.00\u00a0%; its lower limit is so at no threshold."),
        ((0.02, 0.0, -0.01), (0.0, -0.1, -0.1), "at no threshold worth more"),
    ],
)
def test_the_decision_curve_is_read_against_treating_all_and_none(net_benefit, low, expected):
    curve = DecisionCurve(net_benefit=net_benefit, low=low, high=(None, None, None))
    found = DecisionCurves(
        thresholds=(0.01, 0.02, 0.04), prevalence=0.03, treat_all=(0.02, 0, -0.01), arms={"none": {LR: curve}}
    )
    assert expected in decision_reading(found, "none", LR)
    assert decision_reading(found, "mgvae", LR) == ""
