"""The page shows ranks and participants as report.json holds them, and suppresses what is suppressed."""

import pytest

from tests.report_plain import drawn_page, render
from tests.report_reading import CLASSIFIER_NAMES, Reading, at, says
from tests.report_sample import refused_report, sample_report


@pytest.fixture(scope="module")
def report():
    return sample_report()


@pytest.fixture(scope="module")
def page(report):
    return Reading(drawn_page(report))


@pytest.mark.parametrize("part", ["rank_curves", "holdout_rank_curves"])
@pytest.mark.parametrize("classifier", CLASSIFIER_NAMES)
def test_the_curves_are_drawn_where_the_numbers_say(report, page, part, classifier):
    found = report["evaluation"][part]
    where = f"{CLASSIFIER_NAMES[classifier].lower()}, {'hold-out' if part.startswith('holdout') else 'cross-validation'}"
    for title, across, up in (
        ("ROC curves", "false_positive", "sensitivity"),
        ("Precision-recall curves", "recall", "precision"),
    ):
        figure = page.figure(title, where)
        curve = found["arms"]["mgvae"][classifier][up]
        (line,) = figure.lines("arm-mgvae")
        assert at(line, [(figure.x()(x), figure.y()(y)) for x, y in zip(found[across], curve, strict=True)])
    assert "2.00\u00a0%" in figure.description


def test_participants_are_as_in_the_report(report, page):
    table = page.tables["Participants by outcome and by part"]
    body = {row[0][0]: row[1:] for row in table.rows[1:]}
    age = report["cohort"]["participants"]["rows"][0]
    expected = [*(age["spread"]["test"][key] for key in ("mean", "sd", "median", "lower", "upper"))]
    assert says(" ".join(body["Age"][3]), *(54.25, 11.5, 53.5, 46.75, 62.12)), expected
    assert [" ".join(body["Age"][place]) for place in (2, 5)] == ["+0.38", "+0.06"]
    assert says(" ".join(body["first"][1]), 164, 50.0)
    assert [" ".join(cell) for cell in body["third"]] == ["suppressed", "suppressed", "", "suppressed", "suppressed", ""]
    assert "missing" not in body


@pytest.mark.usefixtures("empty_figures_here")
def test_many_predictors_are_folded_away_and_none_is_lost():
    report = sample_report(columns=60)
    html = render(report)
    assert "All 60 predictors by outcome and by part" in html
    assert all(html.count(f"Laboratory test {place}<") >= 1 for place in range(16, 60))


@pytest.mark.usefixtures("empty_figures_here")
@pytest.mark.parametrize("make", [refused_report, lambda: without(sample_report(columns=2))])
def test_reports_of_earlier_versions_and_refusals_have_neither(make):
    html = render(make())
    assert "Participants by outcome" not in html
    assert "Precision and recall" not in html


def without(report):
    report["cohort"].pop("participants")
    for part in ("rank_curves", "holdout_rank_curves"):
        report["evaluation"].pop(part)
    return report
