"""The sections on subgroups and explanations: each number lies where report.json says, also where there is little to show."""

from __future__ import annotations

import copy

import pytest

from mgvae.report.figures.importance import dependence
from mgvae.report.palette import ARM_STYLES
from mgvae.results.explanations import Dependence
from tests.report_plain import drawn_page, render
from tests.report_reading import METRIC_NAMES, Drawing, Reading, says, says_estimate
from tests.report_sample import sample_report

NAMES = {"none": "No correction", "mgvae": "MGVAE"}
COLOURS = {arm: ARM_STYLES[arm].colour for arm in NAMES}


@pytest.fixture(scope="module")
def report():
    return sample_report()


@pytest.fixture(scope="module")
def page(report):
    return Reading(drawn_page(report))


def groups_of(model):
    return {f"{c['label']}: {group['level']}": group for c in model["columns"] for group in c["groups"]}


def test_the_table_of_subgroups_holds_their_measures(report, page):
    for part in ("training", "holdout"):
        for model in report["subgroups"][part]["models"]:
            name = {"training": "cross-validation", "holdout": "hold-out"}[part]
            table = page.tables[f"Measures by subgroup, {NAMES[model['arm']]}, {name}"]
            shorts = {short: metric for metric, (_, short) in METRIC_NAMES.items()}
            metrics = [shorts[cell[0]] for cell in table.rows[0][3:]]
            body, groups = table.body(), {"All patients": model["overall"], **groups_of(model)}
            assert list(body) == list(groups)
            for row, group in groups.items():
                n, events, *cells = body[row]
                assert says(n, group["n"])
                assert says(events, group["events"])
                if group["too_few"]:
                    assert cells == ["too few events"]
                else:
                    assert all(says_estimate(cell, group["measures"][m]) for cell, m in zip(cells, metrics, strict=True))


def test_differences_that_stand_are_listed_and_marked(report, page):
    model = report["subgroups"]["training"]["models"][-1]
    table = page.tables[next(name for name in page.tables if name.startswith("Differences between subgroups, MGVAE"))]
    body, standing = table.body(), 0
    for row, group in groups_of(model).items():
        assert (row in body) == bool(group["against_rest"])
        for cell, (metric, one) in zip(body.get(row, ()), group["against_rest"].items(), strict=True):
            stands = not one["family_low"] <= 0 <= one["family_high"]
            assert says_estimate(cell, one), (row, metric)
            assert ("*" in cell) == stands
            standing += stands
    listed = [" ".join(item) for item in page.items if "against the rest" in " ".join(item)]
    assert 0 < len(listed) <= standing


def test_the_forest_draws_each_subgroup_at_its_value(report, page):
    for metric in ("auroc", "ppv"):
        figure = page.figure(f"{METRIC_NAMES[metric][0]} by subgroup")
        x = figure.x()
        for model in report["subgroups"]["training"]["models"]:
            groups = [model["overall"], *groups_of(model).values()]
            measured = [group["measures"][metric] for group in groups if not group["too_few"]]
            marks = sorted(figure.marks(COLOURS[model["arm"]]), key=lambda place: place[1])
            assert [place for place, _ in marks] == [pytest.approx(x(one["value"]), abs=0.1) for one in measured]
            assert figure.description.count("too few events") == 4


def test_the_shares_are_drawn_and_written(report, page):
    figure, table = page.figure("Shares of the predictors"), page.tables["Importance of all predictors"]
    none, arm = report["explanations"]["models"]
    drawn = [one["column"] for one in none["dependence"]]
    x, body = figure.x(), table.body()
    for model in (none, arm):
        by_name = {one["column"]: one for one in model["columns"]}
        lines = [line for line in figure.lines(COLOURS[model["arm"]]) if len(line) == 2]
        ends = sorted((line[0][1], [point[0] for point in line]) for line in lines)
        expected = [[pytest.approx(x(by_name[name]["share"][end]), abs=0.1) for end in ("low", "high")] for name in drawn]
        assert [limits for _, limits in ends] == expected
    for one in none["columns"]:
        size, share, rank, fold_ranks, *_ = body[one["label"]]
        assert says_estimate(size, one["size"])
        assert says(share, 100 * one["share"]["value"])
        assert says(rank, one["rank"])
        assert says(fold_ranks, min(one["fold_ranks"]), max(one["fold_ranks"]))


def test_a_curve_runs_through_the_means_of_its_bins(report, page):
    for place in range(6):
        curves = {model["arm"]: model["dependence"][place] for model in report["explanations"]["models"]}
        label = curves["none"]["label"]
        figure = page.figure(f"Contribution of {label} by its value")
        if any(point["value"] is not None for point in curves["none"]["points"]):
            y = figure.y()
            for arm, curve in curves.items():
                heights = sorted(height for _, height in figure.marks(COLOURS[arm]))
                assert heights == pytest.approx(sorted(y(point["contribution"]["value"]) for point in curve["points"]), abs=0.1)
        else:
            x = figure.x()
            for arm, curve in curves.items():
                places = sorted(at for at, _ in figure.marks(COLOURS[arm]))
                assert places == pytest.approx(sorted(x(point["contribution"]["value"]) for point in curve["points"]), abs=0.1)


def changed(report, **parts):
    return Reading(render(copy.deepcopy(report) | parts))


@pytest.mark.usefixtures("empty_figures_here")
def test_without_subgroups_the_section_says_how_to_have_some(report):
    empty = copy.deepcopy(report["subgroups"]) | {"holdout": None}
    for model in empty["training"]["models"]:
        model |= {"columns": [], "comparisons": 0}
    page = changed(report, subgroups=empty)
    assert "give columns such as sex or age the role subgroup" in page.text
    assert not [figure for figure in page.figures if "by subgroup" in figure.name]


@pytest.mark.usefixtures("empty_figures_here")
def test_subgroups_of_too_few_events_alone_are_counted(report):
    few = copy.deepcopy(report["subgroups"]) | {"holdout": None}
    for model in few["training"]["models"]:
        model["comparisons"] = 0
        for group in (model["overall"], *groups_of(model).values()):
            group |= {"too_few": True, "measures": {}, "against_rest": {}}
        for column in model["columns"]:
            column["ranges"] = {}
    page = changed(report, subgroups=few)
    assert "No subgroup and its rest have enough events to be compared." in page.text
    assert not [figure for figure in page.figures if "by subgroup" in figure.name]
    assert "Measures by subgroup, MGVAE, cross-validation" in page.tables


@pytest.mark.usefixtures("empty_figures_here")
def test_a_model_without_contributions_or_comparison(report):
    alone = copy.deepcopy(report["explanations"])
    alone["models"] = alone["models"][:1]
    alone["models"][0] |= {"dependence": [], "groups": [], "coefficients": []}
    page = changed(report, explanations=alone)
    assert "Importance of all predictors" in page.tables
    assert not [figure for figure in page.figures if figure.name.startswith(("Contribution", "Shares"))]


@pytest.mark.usefixtures("empty_figures_here")
def test_a_predictor_that_carries_more_than_half_is_named(report):
    dominant = copy.deepcopy(report["explanations"])
    dominant["models"][1]["columns"][0]["share"]["value"] = 0.62
    label = dominant["models"][1]["columns"][0]["label"]
    assert f"{label} carries 62.0 % of all contributions (MGVAE)." in changed(report, explanations=dominant).text
    assert "of all contributions (" not in changed(report).text


def test_a_predictor_that_nobody_has_is_one_hollow_marker():
    point = {"value": None, "level": "missing", "n": 40, "contribution": {"value": 0.2, "low": None, "high": None}}
    one = Dependence.model_validate({"column": "a", "label": "A", "unit": None, "points": [point]})
    figure = Drawing(dependence({"none": one}, key="k", title="T"))
    assert len(figure.marks(COLOURS["none"])) == 1
    assert figure.filled(COLOURS["none"]) == []
    nothing = Dependence.model_validate({"column": "a", "label": "A", "unit": None, "points": []})
    assert Drawing(dependence({"none": nothing}, key="k", title="T")).marks(COLOURS["none"]) == []
