"""The values that figures show on hover: those of report.json, where the figure draws them."""

import re
from html import unescape
from itertools import pairwise

import numpy as np
import pytest

from mgvae.report.figures.hover import MOST_COLUMNS, name_columns, name_rows
from mgvae.report.figures.svg import axes, blank, drawing, inline
from mgvae.report.schema import read_report
from tests.mgvae.report.test_numbers_of_the_page import known_numbers, said, unknown
from tests.report_distinct import distinct_report
from tests.report_plain import render
from tests.report_reading import PIXELS, Drawing

AREA = re.compile(r'<g class="area" pointer-events="all"><title>([^<]*)</title><path d="([^"]+)"')
MARK = re.compile(r'<g class="mark"><title>([^<]*)</title>')


KINDS = (
    "Calibration, ",
    "ROC",
    "Precision-recall",
    "Decision curves",
    ".*difference from",
    ".*by subgroup",
    ".*by training events",
)
KINDS += ("Pre-training", "Fine-tuning", "Choice of lambda", "Prediction instability", "Predicted risks")


@pytest.fixture(scope="module")
def report():
    return distinct_report(columns=1)


@pytest.fixture(scope="module")
def figures(report):
    found = re.findall(r'<svg class="figure".*?</svg>', render(report), re.DOTALL)
    return {re.search('aria-label="([^"]+)"', svg)[1]: svg for svg in found}


def texts(svg):
    return [unescape(text) for text in (*(text for text, _ in AREA.findall(svg)), *MARK.findall(svg))]


def drawn(across, said, *, log=False, rows=None):
    with drawing("key"):
        figure = blank(400, 300)
        ax = axes(figure, left=40, right=10, top=10, bottom=40)
        ax.set(xlim=(0.01, 1), ylim=(2.5, -0.5), xscale="log" if log else "linear")
        ax.set_xticks([0.01, 0.1, 1], ["0.01", "0.1", "1"])
        name_columns(ax, across, said)
        name_rows(ax, rows or {})
        return str(inline(figure, title="title"))


def columns(svg):
    """Return text, left and right end of each area, in px."""
    ends = [(text, [float(x) for x in re.findall(r"[ML] (\S+) \S+", path)]) for text, path in AREA.findall(svg)]
    return [(text, min(x), max(x)) for text, x in ends]


@pytest.mark.parametrize("kind", KINDS)
def test_a_figure_that_is_read_off_has_values(figures, kind):
    found = [svg for name, svg in figures.items() if re.match(kind, name)]
    assert found
    assert all(len(texts(svg)) >= 2 for svg in found)


def test_each_value_is_one_of_the_report(report, figures):
    known = known_numbers(read_report(report).model_dump(mode="json"), figures=True)
    shown = "\n".join(text for svg in figures.values() for text in texts(svg))
    assert len(said(shown)) > 300
    assert unknown(shown, known) == set()


def test_a_decision_curve_says_its_values_at_each_threshold(report, figures):
    curves = report["evaluation"]["decision_curves"]
    net_benefit = curves["arms"]["mgvae"]["logistic_regression"]["net_benefit"]
    found = texts(figures["Decision curves, logistic regression"])
    step = -(-(len(curves["thresholds"]) - 1) // (MOST_COLUMNS - 1))
    chosen = list(zip(curves["thresholds"], net_benefit, strict=True))[::step]
    for text, (threshold, value) in zip(found, chosen, strict=False):
        lines = text.split("\n")
        assert lines[0].startswith(f"Threshold {100 * threshold:.2f}")
        assert any(line.startswith(f"MGVAE: {value:.4f}".replace("-", "−")) for line in lines)


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("n", [1, 2, MOST_COLUMNS, MOST_COLUMNS + 1, 101])
def test_columns_lie_side_by_side_each_around_its_place(log, n):
    across = np.geomspace(0.01, 1, n) if log else np.linspace(0.01, 1, n)
    svg = drawn(across.tolist(), [str(place) for place in range(n)], log=log)
    found, at = columns(svg), Drawing(svg).x(log=log)
    assert len(found) <= MOST_COLUMNS
    assert len(found) >= min(n, 13)
    assert (found[0][1], found[-1][2]) == pytest.approx((at(0.01), at(1)), abs=PIXELS)
    assert all(before[2] == pytest.approx(after[1], abs=PIXELS) for before, after in pairwise(found))
    assert all(left - PIXELS <= at(across[int(text)]) <= right + PIXELS for text, left, right in found)


def test_places_beyond_the_axis_have_no_column():
    svg = drawn([0.001, 0.1, 5.0], ["before", "within", "after"])
    assert [text for text, *_ in columns(svg)] == ["within"]
    assert columns(drawn([], [])) == []


def test_a_row_has_a_text_and_markup_stays_text():
    svg = drawn([], [], rows={0: 'a "b" <script>&\n#a1b2c3 0.12345', 2: "last"})
    assert [unescape(text) for text, *_ in columns(svg)] == ['a "b" <script>&\n#a1b2c3 0.12345', "last"]
    assert "<script>" not in svg
    assert "hover-" not in svg
