"""Each figure of a page lies as SVG beside it, and its numbers, which are those of report.json, as CSV."""

import csv
import re
from xml.etree import ElementTree as ET

import pytest

from mgvae.report.figures.panel import Panel, panels_in, rows_of
from mgvae.report.render import write_page
from mgvae.report.schema import read_report
from mgvae.results.evaluation import Curve, Risks
from mgvae.results.numbers import Estimate
from tests.report_plain import without_figures_of_models
from tests.report_sample import refused_report, sample_report, sparse_report


def numbers_of(content):
    if isinstance(content, dict):
        return {x for value in content.values() for x in numbers_of(value)}
    if isinstance(content, list | tuple):
        return {x for value in content for x in numbers_of(value)}
    return {float(content)} if isinstance(content, int | float) else set()


def written(report, folder):
    folder.mkdir()
    write_page(read_report(report), folder)
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in folder.rglob("*.*")}


@pytest.fixture(scope="module")
def report():
    return sample_report(columns=4, arms=("none", "mgvae"))


@pytest.fixture(scope="module")
def files(report, tmp_path_factory):
    return written(report, tmp_path_factory.mktemp("page") / "run")


@pytest.mark.slow
def test_each_figure_of_the_page_lies_beside_it_with_its_numbers(files):
    titles = re.findall(r'<svg class="figure"[^>]* aria-label="([^"]+)"', files["report.html"])
    drawn = {name[:-4]: text for name, text in files.items() if name.endswith(".svg")}
    assert sorted(re.search(' aria-label="([^"]+)"', text)[1] for text in drawn.values()) == sorted(titles)
    assert {name[:-4] for name in files if name.endswith(".csv")} == set(drawn)
    assert all(re.fullmatch(r"figures/[a-z0-9_-]+", name) for name in drawn)
    assert "in the folder <code>figures</code>" in files["report.html"]


def test_a_figure_is_a_document_of_its_own_with_colours_and_size(files):
    for name, text in files.items():
        if name.endswith(".svg"):
            root = ET.fromstring(text)  # noqa: S314 - our own SVG
            assert root.tag == "{http://www.w3.org/2000/svg}svg"
            assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"
            assert "var(" not in text
    assert ">No correction</text>" in files["figures/roc-logistic_regression-hold-out.svg"]  # the legend of the page
    assert ">real cases</text>" in files["figures/marginal-1.svg"]


def test_every_number_of_a_table_is_one_of_the_report(report, files):
    known = numbers_of(read_report(report).model_dump(mode="json"))
    for name, text in files.items():
        if name.endswith(".csv"):
            head, *rows = list(csv.reader(text.splitlines()))
            assert rows, name
            assert len(set(head)) == len(head)
            found = {
                (column, float(cell))
                for row in rows
                for column, cell in zip(head, row, strict=True)
                if re.fullmatch(r"-?[\d.]+(e-?\d+)?", cell) and column != "model"  # counted from 1
            }
            assert {pair for pair in found if pair[1] not in known} == set(), name


@pytest.mark.slow
def test_the_same_report_gives_the_same_bytes(report, files, tmp_path):
    assert written(report, tmp_path / "again") == files


@pytest.mark.slow
@pytest.mark.parametrize("make", [refused_report, sparse_report])
def test_a_report_without_a_figure_has_no_folder_and_does_not_speak_of_one(make, tmp_path):
    found = written(make(), tmp_path / "run")
    assert ("<code>figures</code>" in found["report.html"]) == any(name.endswith(".svg") for name in found)
    assert (tmp_path / "run" / "figures").exists() == ('<svg class="figure"' in found["report.html"])


def test_a_label_is_no_formula_of_a_spreadsheet(tmp_path):
    report = without_figures_of_models(sample_report(columns=1, arms=("none",)))
    report["synthetic"]["marginals"][0]["label"] = "=HYPERLINK(0)"
    assert "'=HYPERLINK(0)" in written(report, tmp_path / "run")["figures/marginal-1.csv"]


def test_lists_stand_side_by_side_and_inner_results_have_lines_of_their_own():
    curve = Curve(
        predicted=(0.1, 0.2),
        observed=(0.0, 0.5),
        low=(None, 0.2),
        high=(None, 0.8),
        n=(10, 4),
        risks=Risks(edges=(0, 0.5, 1), events=(1, 2), others=(3, 4)),
    )
    first, second, *risks = rows_of(curve, arm="none")
    assert (first["predicted"], first["low"], first["n"], first["arm"]) == (0.1, None, 10, "none")
    assert (second["predicted"], second["high"]) == (0.2, 0.8)
    assert risks[1] == {"arm": "none", "part": "risks", "smooth": None, "from": 0.5, "to": 1, "events": 2, "others": 4}
    assert rows_of({"auroc": Estimate(value=0.7, low=0.6)}) == [{"auroc": 0.7, "auroc_low": 0.6, "auroc_high": None}]


def test_figures_are_found_wherever_they_stand():
    one, two = (Panel(name, "", "", []) for name in "ab")
    assert list(panels_in({"x": [(1, one)], "y": {"z": two}, "w": None})) == [one, two]
