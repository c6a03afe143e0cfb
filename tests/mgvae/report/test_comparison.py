import math

import numpy as np
import pytest

from mgvae.report.comparison import difference, side_by_side
from mgvae.report.render import page
from mgvae.report.schema import Report
from mgvae.results.numbers import Estimate
from tests.report_sample import refused_report, sample_report


def made(**changes):
    return Report.model_validate(sample_report() | changes)


def table(found, caption):
    return {row[0]: row[1:] for one in found.tables if one.caption.startswith(caption) for row in one.rows}


def test_a_run_beside_itself_differs_in_nothing():
    found = side_by_side([made(), made()], [{"seed": 1, "a": {"b": 2}}] * 2)
    assert [one.rows for one in found.tables[2:]] == [(), (), ()]
    measures = table(found, "Measures")
    assert measures
    assert all("; 0.0" in other for _, other in measures.values())
    assert "All runs read the same extract." in found.remarks


def test_changes_are_named_and_nothing_else():
    other = sample_report()
    other["cohort"]["n"] += 1
    other["lineage"] |= {"seed": 99, "extract_sha256": "f" * 64}
    found = side_by_side([made(), Report.model_validate(other)], [{"a": {"b": 2, "c": 1}}, {"a": {"b": 3, "c": 1}, "d": True}])
    assert set(table(found, "Changes in the data")) == {"patients", "extract (sha256)"}
    assert table(found, "Changes in the settings") == {"a.b": ("2", "3"), "d": ("absent", "True")}
    assert set(table(found, "Changes in code")) == {"seed"}
    assert "All runs read the same extract." not in found.remarks


def test_other_outcomes_are_not_compared_silently():
    other = sample_report()
    other["cohort"]["outcome"] = "another"
    assert "different outcomes" in side_by_side([made(), Report.model_validate(other)], [{}, {}]).remarks[0]


def test_a_refused_run_stands_beside_a_finished_one():
    found = side_by_side([Report.model_validate(refused_report()), made()], [{}, {}])
    assert table(found, "Runs")["Recommended"][0] == "none"
    assert all(first == "–" for first, _ in table(found, "Measures").values())


def test_limits_of_a_difference_are_those_of_independent_normals():
    first, other = Estimate(value=0.8, low=0.7, high=0.9), Estimate(value=0.85, low=0.80, high=0.90)
    found = difference(first, other)
    assert (found.value, found.low, found.high) == pytest.approx(
        (0.05, 0.05 - math.hypot(0.1, 0.05), 0.05 + math.hypot(0.1, 0.05))
    )
    back = difference(other, first)
    assert (back.low, back.high) == pytest.approx((-found.high, -found.low))
    skewed = difference(Estimate(value=1.0, low=0.5, high=3.0), Estimate(value=1.0, low=1.0, high=1.0))
    assert (skewed.low, skewed.high) == pytest.approx((-2.0, 0.5))
    assert difference(Estimate(value=1, low=None, high=None), other).low is None
    assert difference(Estimate(value=None, low=None, high=None), other).value is None


def test_limits_cover_the_true_difference():
    rng, covered = np.random.default_rng(0), 0
    for a, b in rng.normal(0.0, (1.0, 0.5), (2000, 2)):
        found = difference(Estimate(value=a, low=a - 1.96, high=a + 1.96), Estimate(value=b, low=b - 0.98, high=b + 0.98))
        covered += found.low <= 0 <= found.high
    assert 0.935 < covered / 2000 < 0.965


def test_page_holds_hostile_names_as_text():
    bad = "<script>alert(1)</script>"
    text = page("comparison.html", found=side_by_side([made(), made()], [{bad: bad}, {}]))
    assert bad not in text
    assert "&lt;script&gt;" in text
