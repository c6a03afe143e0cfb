"""The page as a browser shows it: nothing overflows, nothing is fetched, nothing is complained of, and it prints."""

import re
from functools import partial
from itertools import pairwise
from pathlib import Path

import axe_core_python
import pytest

from tests.browser.headless import browser, executable
from tests.report_plain import render
from tests.report_sample import refused_report, sample_report, sparse_report
from tests.report_sample_evaluation import EFFECTS

pytestmark = [pytest.mark.slow, pytest.mark.skipif(executable() is None, reason="Chromium is not installed")]

LONG = "A predictor whose name is far longer than any column of a table is wide " * 4
RIGHT_TO_LEFT = "\u05d2\u05d9\u05dc \u0627\u0644\u0639\u0645\u0631"
MARKUP = "<script>document.title = 'run'</script><img src=x onerror=\"document.title = 'run'\">"


def hostile_report(columns=300):
    """Return a report of many columns with hostile names and no synthetic case."""
    report = sample_report(columns=columns, status="warn")
    for rows in (report["cohort"]["columns"], report["cohort"]["participants"]["rows"], report["synthetic"]["marginals"]):
        for row, label in zip(rows, (MARKUP, LONG, RIGHT_TO_LEFT, "x" * 300), strict=False):
            row["label"] = label
    report["cohort"]["outcome"] = report["title"] = f"{MARKUP} {RIGHT_TO_LEFT} {'y' * 200}"
    report["synthetic"] |= {"n": 0}
    return report


PAGES = {
    "hostile": hostile_report,
    "full": sample_report,
    "wide": partial(sample_report, columns=120, arms=tuple(EFFECTS), status="pass"),
    "refused": refused_report,
    "sparse": sparse_report,
}
FEW = {"hostile": 12, "wide": 12}  # columns for axe-core, which finds in the rows of a table what it finds in the first
# Elements that stick out of the page, save those inside a box that scrolls.
SPILLS = """[...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll, svg, .skip, nav')
  && getComputedStyle(e).position !== 'absolute' && e.getBoundingClientRect().right > innerWidth + 1)
  .map(e => e.tagName + '.' + e.className + ' ' + e.textContent.slice(0, 40))"""
# Texts of figures that lie outside their figure by more than a few px.
CUT = """[...document.querySelectorAll('svg.figure')].flatMap(s => { const b = s.getBoundingClientRect();
  return [...s.querySelectorAll('text')].filter(t => { const r = t.getBoundingClientRect(); return r.width > 0 &&
  (r.left < b.left - 4 || r.right > b.right + 8 || r.bottom > b.bottom + 4 || r.top < b.top - 4); })
  .map(t => s.getAttribute('aria-label') + ': ' + t.textContent); })"""
# Texts of one figure that lie on each other.
OVERLAPS = """[...document.querySelectorAll('svg.figure')].flatMap(s => { const t = [...s.querySelectorAll('text')]
  .map(e => [e.textContent, e.getBoundingClientRect()]);
  return t.flatMap(([x, a], i) => t.slice(i + 1).filter(([y, b]) => a.left < b.right - 1 && b.left < a.right - 1 &&
  a.top < b.bottom - 2 && b.top < a.bottom - 2).map(([y]) => s.getAttribute('aria-label') + ': ' + x + ' / ' + y)); })"""

AXE = Path(axe_core_python.__file__).with_name("axe.min.js")  # axe-core 4.4, Mozilla Public License 2.0
# What axe-core finds serious or critical, with the first place of each.
SERIOUS = """axe.run(document, {resultTypes: ['violations']}).then(found => found.violations
  .filter(v => ['serious', 'critical'].includes(v.impact)).map(v => v.id + ': ' + v.nodes[0].html.slice(0, 200)
  + ' (' + v.nodes.length + ')'))"""
OF_COLOURS = SERIOUS.replace("{resultTypes", "{runOnly: ['color-contrast'], resultTypes")  # no other rule depends on the scheme


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("pages")
    for name, make in PAGES.items():
        (place / f"{name}.html").write_text(render(make()), encoding="utf-8")
    for name, columns in FEW.items():
        (place / f"{name}-few.html").write_text(render(PAGES[name](columns=columns)), encoding="utf-8")
    return place


@pytest.mark.parametrize("width", [360, 400, 768, 1200])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_overflows(tab, folder, name, width):
    tab.open(folder / f"{name}.html", width=width)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate(SPILLS) == []
    assert tab.evaluate(CUT) == []
    assert tab.evaluate(OVERLAPS) == []


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_fetched_and_nothing_complained_of(tab, folder, name):
    path = folder / f"{name}.html"
    tab.open(path, width=1200)
    assert tab.requests == [path.as_uri()]
    assert tab.problems == []


def test_the_page_is_painted(tab, folder, tmp_path):
    tab.open(folder / "full.html", width=1200)
    picture = tab.screenshot()
    assert picture.startswith(b"\x89PNG")
    assert int.from_bytes(picture[16:20]) == 1200
    assert int.from_bytes(picture[20:24]) == tab.evaluate("document.documentElement.scrollHeight")
    assert len(picture) > 200_000  # an empty page of this size is a few kB


def test_hostile_text_does_not_run(tab, tmp_path):
    report = sample_report(columns=2)
    report["title"] = "<script>document.title = 'run'</script><img src=x onerror=\"document.title = 'run'\">"
    path = tmp_path / "hostile.html"
    path.write_text(render(report), encoding="utf-8")
    tab.open(path, width=1200)
    assert tab.evaluate("document.title") != "run"
    assert tab.requests == [path.as_uri()]


def test_the_hostile_page_is_small_safe_and_complete(tab, folder):
    path = folder / "hostile.html"
    assert path.stat().st_size < 6_000_000
    tab.open(path, width=1200)
    assert tab.evaluate("document.title") != "run"
    assert tab.evaluate("document.querySelectorAll('main script, main img').length") == 0
    assert tab.evaluate("document.querySelectorAll('.participants tbody').length") == 300


@pytest.mark.parametrize("name", PAGES)
def test_headings_tables_and_figures_have_names_and_links_lead_somewhere(tab, folder, name):
    tab.open(folder / f"{name}.html", width=1200)
    levels = tab.evaluate("[...document.querySelectorAll('h1, h2, h3, h4')].map(e => Number(e.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    unnamed = "[...document.querySelectorAll('table')].filter(t => !t.caption || !t.querySelector('th[scope=col]')).length"
    assert tab.evaluate(unnamed) == 0
    assert (
        tab.evaluate("[...document.querySelectorAll('svg[role=img]')].filter(s => !s.getAttribute('aria-label')).length") == 0
    )
    dead = "[...document.querySelectorAll('a[href^=\"#\"]')].filter(a => !document.getElementById(a.hash.slice(1))).length"
    assert tab.evaluate(dead) == 0
    assert tab.evaluate("document.querySelectorAll('[id]').length") == tab.evaluate(
        "new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size"
    )


# in the dark, pages that have each kind of element: 'hostile' and 'wide' differ in their words
@pytest.mark.parametrize(
    ("name", "scheme"), [*((name, "light") for name in PAGES), *((name, "dark") for name in ("full", "refused", "sparse"))]
)
def test_axe_finds_nothing_serious(tab, folder, name, scheme):
    tab.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    try:
        tab.open(folder / (f"{name}-few.html" if name in FEW else f"{name}.html"), width=1200)
        tab.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true; })")
        tab.evaluate(AXE.read_text(encoding="utf-8"))
        assert tab.evaluate(OF_COLOURS if scheme == "dark" else SERIOUS, wait_s=300) == []
    finally:
        tab.call("Emulation.setEmulatedMedia", features=[])


def test_axe_sees_what_is_wrong(tab, tmp_path):
    path = tmp_path / "bad.html"
    path.write_text("<html lang='en'><title>x</title><main><p style='color: #aaa'>pale</p><img src='data:,'></main>")
    tab.open(path, width=400)
    tab.evaluate(AXE.read_text(encoding="utf-8"))
    assert {found.partition(":")[0] for found in tab.evaluate(SERIOUS)} == {"color-contrast", "image-alt"}
    assert [found.partition(":")[0] for found in tab.evaluate(OF_COLOURS)] == ["color-contrast"]


def test_a_term_is_explained_by_keyboard_and_navigation_stays(tab, folder):
    tab.open(folder / "full.html", width=1200)
    tab.evaluate("document.querySelector('abbr[title]').focus({focusVisible: true})")
    shown = "getComputedStyle(document.querySelector('abbr[title]'), '::after')"
    assert tab.evaluate(f"{shown}.content").strip('"') == tab.evaluate("document.querySelector('abbr[title]').title")
    assert tab.evaluate(f"{shown}.position") == "fixed"
    tab.evaluate("scrollTo({top: 5000, behavior: 'instant'})")
    assert tab.evaluate("document.querySelector('nav').getBoundingClientRect().top") == 0


# What the pointer says at each figure: the title of the part in the middle of every area, and whether it lights up.
POINTED = """[...document.querySelectorAll('svg.figure .area path')].map(path => {
  path.scrollIntoView({block: 'center', behavior: 'instant'}); const b = path.getBoundingClientRect();
  const hit = document.elementFromPoint(b.left + b.width / 2, b.top + b.height / 2);
  return [hit.closest('g.area, g.mark')?.querySelector('title').textContent, path.parentNode.firstChild.textContent]; })"""


def test_the_pointer_finds_the_value_that_lies_under_it_without_a_script(tab, folder):
    tab.open(folder / "full.html", width=1200)
    assert tab.evaluate("document.querySelectorAll('script').length") == 0
    found = tab.evaluate(POINTED)
    assert len(found) > 200
    assert [(hit, own) for hit, own in found if hit != own] == []
    place = "document.querySelector('svg.figure .area path')"
    tab.evaluate(f"{place}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
    at = tab.evaluate(f"(b => [b.left + b.width / 2, b.top + b.height / 2])({place}.getBoundingClientRect())")
    before = tab.evaluate(f"getComputedStyle({place}).fill")
    tab.call("Input.dispatchMouseEvent", type="mouseMoved", x=at[0], y=at[1])
    assert tab.evaluate(f"getComputedStyle({place}).fill") != before == "none"


def test_dark_mode_changes_page_and_figures(tab, folder):
    ink = "getComputedStyle(document.querySelector('svg.figure text')).fill + getComputedStyle(document.body).backgroundColor"
    tab.open(folder / "full.html", width=1200)
    light = tab.evaluate(ink)
    tab.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    try:
        assert tab.evaluate(ink) != light
    finally:
        tab.call("Emulation.setEmulatedMedia", features=[])


@pytest.mark.parametrize(("width", "height"), [(595, 842), (612, 792)], ids=["a4", "letter"])
def test_it_prints_on_the_paper_that_is_there_with_all_details(tab, folder, width, height):
    tab.open(folder / "full.html", width=1200)
    pdf = tab.pdf(paperWidth=width / 72, paperHeight=height / 72)
    assert pdf.startswith(b"%PDF")
    boxes = {tuple(round(float(x)) for x in box.split()) for box in re.findall(rb"/MediaBox\s*\[([^\]]+)\]", pdf)}
    assert boxes == {(0, 0, width, height)}
    tab.call("Emulation.setEmulatedMedia", media="print")
    try:
        hidden = "[...document.querySelectorAll('details table')].filter(t => t.getBoundingClientRect().height < 20).length"
        assert tab.evaluate(hidden) == 0
    finally:
        tab.call("Emulation.setEmulatedMedia", media="")


def test_a_page_that_misbehaves_is_caught(tab, tmp_path):
    texts = "<text y=20>one</text><text y=22>two</text><text x=90 y=40>too long</text>"
    figure = f"<svg class='figure' width=100 height=50>{texts}</svg>"
    rest = "<p style='width: 3000px'>wide</p><img src='missing.png'><script>console.error('no')</script>"
    path = tmp_path / "bad.html"
    path.write_text(figure + rest, encoding="utf-8")
    tab.open(path, width=400)
    assert tab.evaluate(SPILLS)
    assert tab.evaluate(CUT) == ["null: too long"]
    assert tab.evaluate(OVERLAPS) == ["null: one / two"]
    assert len(tab.requests) == 2
    assert tab.problems
