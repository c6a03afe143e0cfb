"""Each number in the words of a page is one of report.json, or stands in the fixed text of a template."""

import re
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from mgvae.report.render import _environment
from mgvae.report.schema import read_report
from tests.report_distinct import distinct_report
from tests.report_plain import render
from tests.report_reading import NUMBER, Reading
from tests.report_sample import refused_report, sparse_report

DRAWN = {
    "curves",
    "decision_curves",
    "rank_curves",
    "holdout_rank_curves",
    "holdout_risks",
    "bands",
    "dependence",
    "map",
    "history",
}
SAID = re.compile(rf"(?<![\w.,/:-]){NUMBER.pattern}(?![\w:])")  # no part of a name, a date, a version or a digest
MAKERS = (distinct_report, sparse_report, refused_report)

pytestmark = pytest.mark.usefixtures("empty_figures")


def value_of(text):
    return abs(float(text.replace("−", "").replace("-", "").replace("+", "").replace(",", "")))


def said(text):
    """Return the numbers in a text, as it writes them."""
    return {found.rstrip(",") for found in SAID.findall(re.sub(r"\b(doi|arXiv)\S* ?\S+", "", text))}


def numbers_of(content, left_out=frozenset(DRAWN)):
    """Yield the numbers of report.json, and those in its texts; without the series that only figures draw, unless asked."""
    if isinstance(content, dict):
        for name, value in content.items():
            if name not in left_out:
                yield from numbers_of(name)
                yield from numbers_of(value, left_out)
    elif isinstance(content, list | tuple):
        yield len(content)
        for value in content:
            yield from numbers_of(value, left_out)
    elif isinstance(content, str):
        yield from map(value_of, NUMBER.findall(content))
    elif isinstance(content, int | float) and not isinstance(content, bool):
        yield content


def shares_and_losses(cohort):
    """Yield what the cohort's section forms of two counts: shares of a step or a column, and how many a step left out."""
    for step in cohort["flow"]:
        yield (step["events"] or 0) / (step["n"] or 1)
    yield from (before["n"] - after["n"] for before, after in pairwise(cohort["flow"]))
    table = cohort["participants"] or {"rows": []}
    for row in table["rows"]:
        for side, whole in table["n"].items():
            yield from ((one or 0) / whole for one in (*row["counts"].get(side, ()), row["missing"][side]))


@cache
def fixed_numbers():
    """Return the numbers that stand in the templates themselves: conventions such as 95 %, years of citations."""
    environment = _environment()
    sources = {name: environment.loader.get_source(environment, name)[0] for name in environment.list_templates(("html",))}
    tokens = [(kind, text) for source in sources.values() for _, kind, text in environment.lex(source)]
    prose = re.sub(
        r"<style>.*?</style>|<[^>]*>", " ", "".join(text for kind, text in tokens if kind == "data"), flags=re.DOTALL
    )
    return said(prose) | {number for kind, text in tokens if kind == "string" for number in said(text[1:-1])}


def known_numbers(report, *, figures=False):
    """Return the sorted sizes of all numbers that the page may say, or its figures."""
    known = np.abs(np.array([*numbers_of(report, () if figures else DRAWN), *shares_and_losses(report["cohort"])], dtype=float))
    return np.sort(np.concatenate([known, 100 * known]))


def unknown(page, known):
    found = set()
    for text in said(page) - fixed_numbers():
        reach = 0.5001 * 10 ** -len(text.partition(".")[2])
        first, after = np.searchsorted(known, (value_of(text) - reach, value_of(text) + reach))
        found |= {text} if first == after else set()
    return found


def words(html):
    """Return the words of the page without the glossary and the guidelines, which hold no results."""
    return Reading(re.sub(r'<section id="(glossary|guidelines)".*?</section>|<code>.*?</code>', "", html, flags=re.DOTALL)).text


@pytest.fixture(scope="module", params=MAKERS, ids=lambda make: make.__name__)
def made(request):
    report = request.param()
    return words(render(report)), known_numbers(read_report(report).model_dump(mode="json"))


def test_each_number_of_the_page_is_one_of_the_report(made):
    page, known = made
    assert len(said(page)) > 20
    assert unknown(page, known) == set()


def test_a_number_from_elsewhere_is_found(made):
    page, known = made
    assert unknown(f"{page} 77,777 patients, 61.374 % of them, between −8.125 and 3", known) == {"77,777", "61.374", "−8.125"}


def test_fixed_numbers_are_few_and_those_of_the_method():
    fixed = fixed_numbers()
    assert {"95", "2023"} <= fixed
    assert len(fixed) < 40
    assert all(value_of(text) < 100 or 1950 < value_of(text) < 2030 for text in fixed), fixed
