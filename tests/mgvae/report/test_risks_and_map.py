"""The figures of predicted risks by outcome, and the map of real and synthetic cases."""

import csv
import math

import pytest

from mgvae.report.figures.risks import lowest
from mgvae.report.panels import draw_panels
from mgvae.report.schema import read_report
from mgvae.results.evaluation import Risks
from tests.report_plain import render, without_figures_of_models
from tests.report_reading import Reading
from tests.report_sample import sample_report


@pytest.fixture(scope="module")
def report():
    return read_report(sample_report(columns=2, arms=("none", "smote", "mgvae")))


@pytest.fixture(scope="module")
def panels(report):
    return draw_panels(report)


@pytest.mark.slow
def test_each_part_of_no_correction_and_mgvae_is_drawn_from_its_own_counts(report, panels):
    for classifier, drawn in panels.risks.items():
        assert [panel.name for panel in drawn] == [
            f"risks-{classifier}-{arm}-{part}" for arm in ("none", "mgvae") for part in ("cross-validation", "hold-out")
        ]
        inner, outer = drawn[0].rows, drawn[1].rows
        assert [row["events"] for row in inner] == list(
            report.evaluation.curves["none"][classifier]["recalibrated"].risks.events
        )
        assert [row["others"] for row in outer] == list(report.evaluation.holdout_risks["none"][classifier].others)


@pytest.mark.slow
def test_the_recommended_arm_stands_beside_no_correction():
    content = sample_report(columns=1, arms=("none", "smote", "mgvae"), status="pass")
    content["recommendation"]["arm"] = "smote"
    drawn = draw_panels(read_report(content)).risks["logistic_regression"]
    assert {panel.rows[0]["arm"] for panel in drawn} == {"none", "smote"}


def test_bars_of_any_width_have_area_one_in_log_odds():
    found = Risks(edges=(0.01, 0.02, 0.5, 0.9), events=(0, 30, 10), others=(5, 5, 0))
    odds = [math.log(edge / (1 - edge)) for edge in found.edges]
    for counts in (found.events, found.others):
        density = found.density(counts)
        assert sum(d * (high - low) for d, low, high in zip(density, odds, odds[1:], strict=False)) == pytest.approx(1)
    assert found.density((0, 0, 0)) == [0, 0, 0]


@pytest.mark.parametrize(("edge", "floor"), [(0.01, 0.01), (0.099, 0.01), (0.2, 0.1), (1e-9, 1e-5), (0.0, 1e-5)])
def test_the_axis_begins_at_a_power_of_ten(edge, floor):
    assert lowest([Risks(edges=(edge, 0.5), events=(1,), others=(1,))]) == pytest.approx(floor)


@pytest.mark.slow
def test_the_map_shows_shares_and_says_what_is_too_small(report, panels):
    page = Reading(render(without_figures_of_models(report.model_dump(mode="json"))))
    figure = page.figure("Majority, real cases and synthetic cases")
    counts = [cell.cases for cell in report.synthetic.map.cells]
    assert len(figure.marks("cases")) == counts.count(None)
    assert "fewer than 5" in page.text
    assert [row["cases"] for row in panels.map[0].rows] == counts


@pytest.mark.usefixtures("empty_figures_here")
def test_reports_without_a_map_or_predictions_have_no_such_section():
    content = sample_report(columns=1, arms=("none",))
    content["synthetic"]["map"] = None
    content["evaluation"] |= {"curves": {}, "holdout_risks": {}}
    page = Reading(render(content))
    assert "Where the synthetic cases lie" not in page.text
    assert "Predicted risks by outcome" not in page.text


def test_the_table_of_the_map_leaves_small_counts_empty(report, panels, tmp_path):
    from mgvae.report.figures.panel import write_panels

    write_panels(panels.map, tmp_path / "figures")
    rows = list(csv.DictReader((tmp_path / "figures" / "map.csv").read_text().splitlines()))
    assert [row["cases"] for row in rows] == ["" if c.cases is None else str(c.cases) for c in report.synthetic.map.cells]
