"""Section "Stability and sample size": what its sentences, tables and figures say is what report.json holds."""

from __future__ import annotations

import pytest

from mgvae.report.stability import instability_sentence, learning_sentence, sample_size_sentence
from mgvae.results.instability import InstabilityResult
from mgvae.results.labels import ARMS
from mgvae.results.learning_curve import LearningCurveResult, LearningLine
from mgvae.results.sample_size import SampleSize
from tests.report_plain import drawn_page, render
from tests.report_reading import Reading, at, says
from tests.report_sample import refused_report, sample_report, sparse_report


@pytest.fixture(scope="module")
def report():
    return sample_report()


@pytest.fixture(scope="module")
def page(report):
    return Reading(drawn_page(report))


def size(report, **changes):
    return SampleSize.model_validate(report["learning_curve"]["sample_size"] | changes)


@pytest.mark.parametrize(
    ("events", "verdict"),
    [
        (171, "That is enough"),  # at the AUROC's lower limit 171 are needed
        (170, "Whether that is enough cannot be decided"),
        (102, "Whether that is enough cannot be decided"),
        (101, "That is too few"),
    ],
)
def test_the_events_are_enough_where_they_are_at_both_limits_of_the_auroc(report, events, verdict):
    text = sample_size_sentence(size(report, events=events))
    assert text.endswith(f"{verdict}.")
    assert says(text, events, 27, events / 27, 131, 0.842, 102, 171)


def test_a_model_that_may_be_useless_never_has_enough(report):
    needed = {"value": 131, "low": 102, "high": None}
    text = sample_size_sentence(size(report, events=9999, required_events=needed))
    assert "no number is enough" in text
    assert text.endswith("cannot be decided.")
    unknown = sample_size_sentence(size(report, required_events={"value": None}, criteria=()))
    assert "no number of events is known to be enough" in unknown


def test_the_sentence_on_instability_names_no_correction_and_the_worst(report):
    result = InstabilityResult.model_validate(report["instability"])
    text = instability_sentence(result)
    plain, worst = result.arms[0], max(result.arms, key=lambda entry: entry.changed.value)
    assert says(text, *(100 * x for x in (plain.mape.value, result.prevalence, plain.changed.value)), *_of(worst))
    assert text.endswith(f"{ARMS['smote']} changes most decisions: 6.5\u00a0%, and 0.70 percentage points of risk.")
    best = result.model_copy(update={"arms": result.arms[:1]})
    assert instability_sentence(best).endswith("of the patients.")


def _of(entry):
    return 100 * entry.changed.value, 100 * entry.mape.value


@pytest.mark.parametrize(
    ("low", "words"), [(0.001, "more events are likely to improve it"), (0.0, "is not shown"), (None, "is not shown")]
)
def test_more_events_help_where_the_last_step_is_above_zero(report, low, words):
    line = LearningLine.model_validate(report["learning_curve"]["lines"][0])
    changed = line.model_copy(update={"gain": {"auroc": line.gain["auroc"].model_copy(update={"low": low})}})
    assert words in learning_sentence(changed)
    assert "unknown" in learning_sentence(line.model_copy(update={"gain": {}}))


@pytest.mark.parametrize("place", range(6))
def test_the_table_has_the_numbers_of_each_entry(report, page, place):
    entry = report["instability"]["arms"][place]
    row = page.tables["Instability of redeveloped models"].rows[1 + place]
    assert row[0] == [ARMS[entry["arm"]]]
    assert row[1] == [{"learned": "learned again", "kept": "kept"}[entry["recalibration"]]]
    assert says(" ".join(row[2]), entry["redevelopments"], entry["failed"] or None)
    for cell, measure in ((row[3], "mape"), (row[4], "changed")):
        assert says(" ".join(cell), *(100 * entry[measure][part] for part in ("value", "low", "high")))
    assert says(" ".join(row[5]), *(entry["slope"][part] for part in ("value", "low", "high")))


@pytest.mark.parametrize("place", range(6))
def test_the_prediction_plot_draws_the_limits_of_each_band(report, page, place):
    entry = report["instability"]["arms"][place]
    name = ARMS[entry["arm"]] + (", recalibration kept" if entry["recalibration"] == "kept" else "")
    (figure,) = [one for one in page.figures if one.name == f"Prediction instability, {name}"]
    x, y = figure.x(log=True), figure.y(log=True)
    colour = f"arm-{entry['arm'].replace('_', '-')}"
    low, high = (line for line in figure.lines(colour) if len(line) == len(entry["bands"]))
    assert at(low, [(x(band["risk"]), y(band["low"])) for band in entry["bands"]])
    assert at(high, [(x(band["risk"]), y(band["high"])) for band in entry["bands"]])


@pytest.mark.usefixtures("empty_figures_here")
def test_the_range_of_a_few_models_is_not_drawn(report):
    entry = report["instability"]["arms"][-1]
    for models, drawn in ((10, True), (9, False)):
        few = report["instability"] | {"arms": [report["instability"]["arms"][0], entry | {"redevelopments": models}]}
        names = {figure.name for figure in Reading(render(report | {"instability": few})).figures}
        for kind in ("Prediction", "Calibration"):
            assert (f"{kind} instability, MGVAE, recalibration kept" in names) == drawn
            assert f"{kind} instability, No correction" in names


@pytest.mark.parametrize(("measure", "title"), [("error", "Mean absolute error"), ("changed", "Decisions that change")])
def test_the_plots_by_risk_draw_every_entry(report, page, measure, title):
    figure = page.figure(f"{title} by predicted risk")
    x, y = figure.x(log=True), figure.y()
    for entry in report["instability"]["arms"]:
        colour = f"arm-{entry['arm'].replace('_', '-')}"
        expected = [(x(band["risk"]), y(100 * band[measure])) for band in entry["bands"]]
        assert any(at(line, expected) for line in figure.lines(colour))


def test_the_learning_curve_draws_the_measure_at_its_events(report, page):
    figure = page.figure("AUROC by training events")
    x, y = figure.x(), figure.y()
    for line in report["learning_curve"]["lines"]:
        expected = [(x(point["events"]), y(point["scores"]["auroc"]["value"])) for point in line["points"]]
        assert at(figure.marks(f"arm-{line['arm']}")[:3], expected)  # a fourth stands in the legend
    table = page.tables["Performance by training events"]
    assert len(table.rows) == 1 + 6
    points = [point for line in report["learning_curve"]["lines"] for point in line["points"]]
    for row, point in zip(table.rows[1:], points, strict=True):
        assert says(" ".join(row[1] + row[2]), 100 * point["share"], point["events"])
        assert says(" ".join(row[3]), *(point["scores"]["auroc"][part] for part in ("value", "low", "high")))


SIZES = [(6227, 131), (2998, 64), (32, 1), (11675, 246)]


def test_the_smallest_sample_stands_beside_the_study_s(report, page):
    rows = page.tables["Smallest sample by criterion"].rows
    assert [says(" ".join(row[1] + row[2]), *expected) for row, expected in zip(rows[1:], SIZES, strict=True)] == [True] * 4


@pytest.mark.usefixtures("empty_figures_here")
def test_extreme_results_have_a_section_and_a_refused_extract_none():
    sparse = Reading(render(sparse_report()))
    assert "could not be redeveloped: Too few cases." in sparse.text
    assert "With 33% of the fitting rows: too few events." in sparse.text
    assert "AUROC by training events" in {figure.name for figure in sparse.figures}
    assert not any(figure.name.startswith("Net benefit") and "training events" in figure.name for figure in sparse.figures)
    assert "Stability and sample size" not in Reading(render(refused_report())).text
    assert LearningCurveResult.model_validate(sparse_report()["learning_curve"]).lines[0].gain == {}
