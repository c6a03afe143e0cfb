"""The measures of the layout: laws on small graphs and sources, and the limits on the real tree."""

import ast

import grimp
import pytest

from tests.benchmarks.structure import (
    LONGEST_MODULE,
    ROOT,
    broken,
    contracts,
    is_dialect,
    is_summary,
    layout,
    lines,
    names_of,
    poor_summaries,
    product_files,
    product_graph,
)
from tests.conftest import PLACES

LAYERS = [["mgvae.top", "mgvae.left | mgvae.right", "mgvae.bottom"]]
# what the limits of structure.py do not yet allow: nothing may join it
# encoding by parts, out of core: 330; CSV by Arrow, workers prepared: 30; expectations as data: 100; repeated rows: 100
LINES_FOR_NOW = 56_650


def graph(*imports):
    made = grimp.ImportGraph()
    for name in (
        "mgvae",
        "mgvae.top",
        "mgvae.left",
        "mgvae.left.a",
        "mgvae.left.b",
        "mgvae.right",
        "mgvae.bottom",
        "validation",
    ):
        made.add_module(name)
    for importer, imported in imports:
        made.add_import(importer=importer, imported=imported)
    return made


DOWN = [("mgvae.top", "mgvae.left.a"), ("mgvae.left.a", "mgvae.left.b"), ("mgvae.left.b", "mgvae.bottom")]


def test_a_tree_whose_imports_run_down():
    found = layout(graph(*DOWN), LAYERS)
    assert (found.packages, found.layers, found.arrows) == (6, 3, 2)
    assert (found.backward, found.circles) == ([], [])
    assert found.modules == {"mgvae": 4, "mgvae/left": 3, "validation": 1}


@pytest.mark.parametrize(
    "arrow", [("mgvae.bottom", "mgvae.top"), ("mgvae.left.a", "mgvae.right"), ("mgvae.right", "mgvae.left.b")]
)
def test_an_import_up_or_across_runs_back(arrow):
    (found,) = layout(graph(arrow), LAYERS).backward
    assert found == " -> ".join(name.removesuffix(".a").removesuffix(".b") for name in arrow)


def test_a_circle_within_a_package_is_found_and_counts_as_one_layer():
    found = layout(graph(*DOWN, ("mgvae.left.b", "mgvae.left.a")), LAYERS)
    assert found.circles == [["mgvae.left.a", "mgvae.left.b"]]
    assert found.layers == 3
    across = layout(graph(*DOWN, ("mgvae.bottom", "mgvae.left.b")), [])
    assert across.circles == [["mgvae.bottom", "mgvae.left.b"]]
    assert across.layers == 2


def test_limits_that_are_broken_are_named():
    found = layout(
        graph(("mgvae.bottom", "mgvae.top"), ("mgvae.left.a", "mgvae.left.b"), ("mgvae.left.b", "mgvae.left.a")), LAYERS
    )
    assert broken(found, {"mgvae/top.py": LONGEST_MODULE + 1, "mgvae/right.py": LONGEST_MODULE}) == [
        "mgvae.bottom -> mgvae.top runs back against a contract.",
        "mgvae.left.a, mgvae.left.b import each other.",
        "mgvae/top.py has 301 lines; at most 300 are allowed.",
    ]
    clean = layout(graph(), LAYERS)
    most = dict.fromkeys(map(str, range(76)), 300)  # 22,800 lines
    assert broken(clean, most) == ["The product has 22,800 lines; at most 22,600 are allowed."]
    assert broken(clean, {"a": LONGEST_MODULE}) == []


@pytest.mark.parametrize(
    "name", ["told", "_told", "ToldLines", "scored_gone", "one", "_one", "OURS", "signals_held", "WITHHELD"]
)
def test_a_word_of_the_dialect_is_found(name):
    assert is_dialect(name)


@pytest.mark.parametrize(
    "name", ["held_out", "HELD_OUT_SHARE", "one_split", "goner", "whole", "factor", "threshold", "WhereClause"]
)
def test_terms_of_the_field_are_none(name):
    assert not is_dialect(name)


def test_all_names_that_a_module_gives():
    source = """
LIMIT, (a, b) = 1, (2, 3)
count: int = 0
class Row(Base):
    width: int
    height = 2
    def area(self, scale, *more, **options): inner = 1
async def fetch(url=lambda key: key): ...
for turn in range(3): ...
"""
    assert names_of(ast.parse(source)) == {
        *("LIMIT", "a", "b", "count", "Row", "width", "height", "area", "self", "scale", "more", "options"),
        *("fetch", "url", "key", "turn"),
    }


@pytest.mark.parametrize(
    ("line", "imperative", "good"),
    [
        ("Return the rows.", True, True),
        ("Pass errors on.", True, True),
        ("Returns the rows.", True, False),
        ("The rows.", True, False),
        ("`x` of the rows.", True, False),
        ("The rows of a cohort.", False, True),
        ("R" * 80, True, True),
        ("R" * 81, False, False),
    ],
)
def test_first_lines_of_docstrings(line, imperative, good):
    assert is_summary(line, imperative=imperative) == good


def test_functions_need_imperatives_and_properties_do_not():
    source = '"""A module."""\nclass A:\n    """A class."""\n    @property\n    def a(self):\n        """The a."""\n'
    assert poor_summaries(ast.parse(source)) == []
    assert poor_summaries(ast.parse(source.replace("@property", "@staticmethod"))) == ["The a."]


def test_the_graph_sees_imports_in_functions_and_for_type_checking():
    found = product_graph()
    assert found.direct_import_exists(importer="flows.commands.run", imported="flows.study.flow")  # inside a function
    assert {"mgvae", "flows", "validation", "deployments"} <= found.modules


def test_the_real_tree_keeps_the_limits():
    assert len(contracts()) == 3
    found = layout(product_graph(), contracts())
    lengths = {str(path.relative_to(ROOT)): lines(path) for path in product_files()}
    assert found.backward == []
    assert found.circles == []
    assert {name for name, n in lengths.items() if n > LONGEST_MODULE} == set()
    assert sum(lengths.values()) <= LINES_FOR_NOW


def test_the_files_that_are_begun_first_are_there():
    assert [path for path in PLACES if not path.is_file()] == []
