"""Pages with their figures: the same bytes twice, small for a wide study, and tags and ids in order."""

import re

import pytest

from mgvae.report.panels import MOST_MARGINALS
from tests.mgvae.report.test_render import Page
from tests.report_plain import drawn_page, render
from tests.report_sample import sample_report
from tests.report_sample_evaluation import EFFECTS


@pytest.mark.slow
def test_same_numbers_same_bytes_in_order():
    html = drawn_page(sample_report())
    assert html == render(sample_report())
    page = Page(html)
    assert (page.wrong, page.open) == ([], [])
    assert len(page.ids) == len(set(page.ids))
    assert not re.search(r"\bnan\b|\binf\b", html)


@pytest.mark.slow
def test_a_wide_study_stays_small_and_says_what_is_left_out():
    report = sample_report(columns=150, arms=tuple(EFFECTS))
    html = render(report)
    page = Page(html)
    ranked = sorted(report["synthetic"]["marginals"], key=lambda m: -m["distance"])
    captions = re.findall(r"<figcaption>([^<]+) <small>distance", html)
    assert captions == [m["label"] for m in ranked[:MOST_MARGINALS]]
    assert f"Drawn are the {MOST_MARGINALS} columns with the largest distance" in page.text
    assert all(f"<code>{m['column']}</code>" in html for m in ranked[MOST_MARGINALS:])
    assert len(html.encode()) < 3_000_000
