"""Measure the layout of the code: layers, circles, lengths, docstrings and names, from imports and syntax alone.

python -m tests.benchmarks.structure            # exit code 1 where a limit is broken
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import grimp

from tests.paths import ROOT

ROOTS = ("mgvae", "flows", "validation", "deployments")
FLAT = ("validation", "deployments")  # one package each; mgvae and flows are cut one level below
LONGEST_MODULE, MOST_LINES, SUMMARY_WIDTH = 300, 22_600, 80
# the project's former private dialect, with what is like it; a term of the field that holds such a word is listed beside it
DIALECT = frozenset(
    "accepted apart aside calm contest dream fact facts gone grown heard held mend mended noted quiet said sayings shown tell "  # noqa: SIM905
    "telling tells told unjudged whereabouts who whoever whom whose withheld".split()
)
# words that say nothing where they are the whole name
ALONE = frozenset({"more", "one", "ones", "ours", "theirs", "what", "where"})
TERMS = ("held_out",)
IMPERATIVES_IN_S = frozenset({"access", "address", "compress", "discuss", "express", "focus", "guess", "pass", "process"})
NO_VERBS = frozenset(
    "a all an and another any as at both by each every for from how if in it its no of on one only that the these they this "  # noqa: SIM905
    "those to two what when where whether which who whose with".split()
)
Module = str


@dataclass(frozen=True)
class Layout:
    """What imports say of the modules.

    Attributes:
        modules: per folder, how many modules lie in it.
        packages: how many packages there are, a module beside them counted as one.
        layers: packages on the longest path of imports; a circle counts once.
        arrows: pairs of packages of which one imports the other.
        backward: imports that run against a contract, ``importer -> imported``.
        circles: groups of modules that import each other, in functions and for type checking, too.
    """

    modules: dict[str, int]
    packages: int
    layers: int
    arrows: int
    backward: list[str]
    circles: list[list[Module]]


def layout(graph: grimp.ImportGraph, contracts: Iterable[list[str]]) -> Layout:
    """Return the layout of a graph of imports under contracts: lists of layers, the highest first."""
    packages = deepcopy(graph)
    for name in sorted(graph.modules):
        if name in FLAT or (name.count(".") == 1 and name.partition(".")[0] not in FLAT):
            packages.squash_module(name)
    folders = Counter(
        (name if graph.find_children(name) else name.rpartition(".")[0] or name).replace(".", "/") for name in graph.modules
    )
    return Layout(
        modules=dict(sorted(folders.items())),
        packages=len(packages.modules),
        layers=_layers(packages),
        arrows=packages.count_imports(),
        backward=sorted(_backward(graph, contracts)),
        circles=_circles(graph),
    )


def _backward(graph: grimp.ImportGraph, contracts: Iterable[list[str]]) -> Iterator[str]:
    for layers in contracts:
        levels = [grimp.Layer(*(name.strip() for name in layer.split("|"))) for layer in layers]
        for found in graph.find_illegal_dependencies_for_layers(levels):
            yield f"{found.importer} -> {found.imported}"


def _circles(graph: grimp.ImportGraph) -> list[list[Module]]:
    above = {name: graph.find_upstream_modules(name) for name in graph.modules}
    circles = {frozenset({name, *(other for other in above[name] if name in above[other])}) for name in graph.modules}
    return sorted(sorted(circle) for circle in circles if len(circle) > 1)


def _layers(graph: grimp.ImportGraph) -> int:
    circle_of = {name: frozenset(circle) for circle in _circles(graph) for name in circle}

    @cache
    def depth(group: frozenset[Module]) -> int:
        imported = {below for name in group for below in graph.find_modules_directly_imported_by(name)}
        groups = {circle_of.get(name, frozenset({name})) for name in imported} - {group}
        return 1 + max(map(depth, groups), default=0)

    return max(depth(circle_of.get(name, frozenset({name}))) for name in graph.modules)


def product_files() -> list[Path]:
    """Return the modules of the product."""
    return sorted(path for root in ROOTS for path in (ROOT / root).rglob("*.py"))


def lines(path: Path) -> int:
    """Return how many lines a module has."""
    return path.read_text(encoding="utf-8").count("\n")


def names_of(tree: ast.Module) -> set[str]:
    """Return the names that a module gives: functions, classes and their fields, parameters, module-level names."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
    for scope in [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]:
        for statement in scope.body:
            targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
            found |= {name.id for target in targets if target for name in ast.walk(target) if isinstance(name, ast.Name)}
    return found


def is_dialect(name: str) -> bool:
    """Return whether a name holds a word of the private dialect."""
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]
    plain = "_".join(words)
    for term in TERMS:
        plain = plain.replace(term, "")
    return plain in ALONE or bool(DIALECT & set(plain.split("_")))


def is_summary(line: str, *, imperative: bool) -> bool:
    """Return whether the first line of a docstring is short and, where it must, begins with what looks like an imperative."""
    first = re.sub(r"\W.*", "", line).lower()
    described = first.endswith("s") and first not in IMPERATIVES_IN_S
    return len(line) <= SUMMARY_WIDTH and not (imperative and (described or not first or first in NO_VERBS))


def poor_summaries(tree: ast.Module) -> list[str]:
    """Return the first docstring lines that are too long or, of functions, no imperative."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            line = (ast.get_docstring(node) or "").partition("\n")[0]
            is_property = any(
                getattr(one, "id", "") in ("property", "cached_property") for one in getattr(node, "decorator_list", ())
            )
            is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            if line and not is_summary(line, imperative=is_function and not is_property):
                found.append(line)
    return found


def product_graph() -> grimp.ImportGraph:
    """Return all imports between modules of the product, in functions and for type checking, too."""
    return grimp.build_graph(*ROOTS, cache_dir=None)


def contracts() -> list[list[str]]:
    """Return the layers that pyproject.toml prescribes, the highest first."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        tool = tomllib.load(file)["tool"]["importlinter"]
    return [contract["layers"] for contract in tool["contracts"] if contract["type"] == "layers"]


def broken(found: Layout, lengths: dict[str, int]) -> list[str]:
    """Return which limits are broken, a sentence each."""
    out = [f"{arrow} runs back against a contract." for arrow in found.backward]
    out += [f"{', '.join(circle)} import each other." for circle in found.circles]
    out += [f"{name} has {n} lines; at most {LONGEST_MODULE} are allowed." for name, n in lengths.items() if n > LONGEST_MODULE]
    total = sum(lengths.values())
    return out + [f"The product has {total:,} lines; at most {MOST_LINES:,} are allowed."] * (total > MOST_LINES)


def main() -> int:
    """Print the measures, what remains to be worked off by file, and the broken limits; return the exit code."""
    found = layout(product_graph(), contracts())
    lengths = {str(path.relative_to(ROOT)): lines(path) for path in product_files()}
    remaining = defaultdict(list)
    summaries = words = 0
    for path in product_files():
        tree, name = ast.parse(path.read_text(encoding="utf-8")), str(path.relative_to(ROOT))
        dialect = sorted(filter(is_dialect, {path.stem} | names_of(tree)))
        poor = poor_summaries(tree)
        summaries, words = summaries + len(poor), words + len(dialect)
        remaining[name] = [f"name      {word}" for word in dialect] + [f"docstring {line}" for line in poor]
    print("Modules per folder")
    for folder, n in found.modules.items():
        print(f"  {folder:32}{n:4}")
    longest = max(lengths, key=lengths.__getitem__)
    for label, value in (
        ("packages", found.packages),
        ("layers of packages", found.layers),
        ("arrows between packages", found.arrows),
        ("arrows that run back", f"{len(found.backward)} (0)"),
        ("circles of modules", f"{len(found.circles)} (0)"),
        ("longest module", f"{lengths[longest]} (at most {LONGEST_MODULE}): {longest}"),
        ("lines of product code", f"{sum(lengths.values()):,} (at most {MOST_LINES:,})"),
        ("docstrings' first lines to be improved", summaries),
        ("names in private dialect", words),
    ):
        print(f"{label:40}{value}")
    for name, items in remaining.items():
        if items:
            print("", name, *(f"  {item}" for item in items), sep="\n")
    limits = broken(found, lengths)
    print("", *limits, sep="\n")
    return int(bool(limits))


if __name__ == "__main__":
    sys.exit(main())
