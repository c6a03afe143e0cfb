"""Compute the cache key of a stage, and a digest of the code it depends on.

The code of a stage is the module that defines it and all of our modules that it imports, directly or not.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mgvae.store.artifact import Reference, digest

PACKAGES = ("mgvae", "validation", "flows")

LIBRARIES = (
    "torch",
    "numpy",
    "pandas",
    "scikit-learn",
    "shap",
    "imbalanced-learn",
    "scipy",
    "pyarrow",
    "great-expectations",
    "prefect",
)


def code_digest(*modules: str) -> str:
    """Return the sha256 of modules, of ours that they import, and library versions.

    A change in the library is seen even if the stage's own lines are the same; a change elsewhere leaves the digest alone.
    """
    return _digest(reached(*modules))


def _digest(modules: Iterable[str]) -> str:
    """Return the sha256 of these modules and of library versions."""
    total = hashlib.sha256()
    for module in sorted(modules):
        total.update(f"{module}\0{_source_digest(module)}\n".encode())
    for name, number in library_versions().items():
        total.update(f"{name}=={number.partition('+')[0]}\n".encode())  # a build for CPU or for CUDA is the same version
    return total.hexdigest()


def stage_key(stage: str, *, code: str, parameters: Mapping[str, Any], inputs: Mapping[str, Reference]) -> str:
    """Return the cache key of a stage from its code, parameters and inputs.

    Args:
        stage: its name.
        code: digest of the code it depends on.
        parameters: the part of the configuration that it reads, the seed among it; plain JSON.
        inputs: references of the artifacts it reads.
    """
    content = {
        "stage": stage,
        "code": code,
        "parameters": parameters,
        "inputs": {name: reference.sha256 for name, reference in inputs.items()},
    }
    return f"{stage}-{digest(content)}"


def reached(*modules: str) -> set[str]:
    """Return ``modules`` and all our modules that they import, directly or not."""
    seen: set[str] = set()
    queue = list(modules)
    while queue:
        module = queue.pop()
        if module not in seen:
            seen.add(module)
            queue += _imports(module)
    return seen


def code_version() -> str:
    """Return the package's version and the first digits of its code's digest."""
    every = [module for package in PACKAGES for module in _modules_of(package)]
    try:
        number = version("mgvae-cohort")
    except PackageNotFoundError:  # run from a source tree that is not installed
        number = "0"
    return f"{number}+{_digest(every)[:12]}"


@cache
def library_versions() -> dict[str, str]:
    """Return the versions of the libraries whose change may change a result."""
    return {name: version(name) for name in LIBRARIES}


@cache
def _file(module: str) -> Path | None:
    """Return a module's file, found without an import: `find_spec` imports all parents, and with them torch."""
    package, *names = module.split(".")
    spec = find_spec(package)
    if spec is None or not names:
        return Path(spec.origin) if spec is not None and spec.origin is not None and spec.origin.endswith(".py") else None
    places = [Path(root, *names) for root in spec.submodule_search_locations or ()]
    files = (file for place in places for file in (place / "__init__.py", place.with_name(f"{place.name}.py")))
    return next((file for file in files if file.is_file()), None)


@cache
def _source_digest(module: str) -> str:
    path = _file(module)
    if path is None:
        return ""
    total = hashlib.sha256(path.read_bytes())
    for template in sorted(file for file in (path.parent / "templates").rglob("*") if file.is_file()):
        total.update(f"{template.name}\0{hashlib.sha256(template.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


@cache
def _imports(module: str) -> tuple[str, ...]:
    """Return the modules of ours that a module imports anywhere, and its package."""
    path = _file(module)
    if path is None:
        return ()
    found: set[str] = {module.rpartition(".")[0]} - {""}
    for node in _statements(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return tuple(sorted(name for name in found if name.partition(".")[0] in PACKAGES and _file(name) is not None))


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the statements of a module, at any depth; expressions, which hold no import, are nine nodes of ten."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for blocks in ("body", "orelse", "finalbody", "handlers", "cases"):
            waiting += getattr(node, blocks, ())


def _modules_of(package: str) -> list[str]:
    root = _file(package)
    folder = root.parent if root is not None else Path(__file__).parent.parent / package
    parts = (path.relative_to(folder.parent).with_suffix("").parts for path in sorted(folder.rglob("*.py")))
    return [".".join(part for part in names if part != "__init__") for names in parts]
