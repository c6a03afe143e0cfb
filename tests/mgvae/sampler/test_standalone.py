"""The sampler needs its own dependencies alone, and imports the slow ones when rows are made."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.paths import ROOT
from tests.wheel import build_wheel

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
GROUP = PROJECT["dependency-groups"]["sampler"]
STUDY = {"prefect", "great_expectations", "typer", "rich", "jinja2", "matplotlib", "fastapi", "sqlalchemy", "fsspec", "yaml"}
OPTIONAL = {"pyarrow"}  # users of Arrow columns have it
SESSION = Path(__file__).with_name("standalone_session.py")


def _closure(names):
    """Return the distributions that installing ``names`` brings, themselves among them."""
    found, queue = {}, list(names)
    while queue:
        requirement = Requirement(queue.pop())
        if requirement.name.lower() not in found and (not requirement.marker or requirement.marker.evaluate({"extra": ""})):
            found[requirement.name.lower()] = importlib.metadata.distribution(requirement.name)
            queue += found[requirement.name.lower()].requires or []
    return found


@pytest.fixture
def packages(tmp_path):
    """A folder with links to the packages of the sampler's group and of what they require, and to nothing else.

    Jinja2 and fsspec are left out, though torch requires them: they are the study's, and the sampler works without.
    """
    folder = tmp_path / "packages"
    folder.mkdir()
    for name, distribution in _closure(GROUP).items():
        if name in STUDY:
            continue
        for top in {path.parts[0] for path in distribution.files} - {"..", "__pycache__"}:
            link = folder / top
            if not link.exists():  # packages of one namespace share a folder
                link.symlink_to(Path(distribution.locate_file(top)).resolve())
    return folder


def _session(packages, folder):
    start = "import runpy, sys; sys.path.insert(0, sys.argv.pop()); runpy.run_path(sys.argv.pop(), run_name='__main__')"
    command = [sys.executable, "-I", "-S", "-W", "error", "-c", start, folder, SESSION, packages]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "pretrain: epoch 2 of at most 2" in done.stderr
    assert len(done.stderr.splitlines()) == 2  # a line for each of two phases
    return json.loads(done.stdout)


def _imported(modules):
    """Return the top-level packages of others that our modules import anywhere in their source."""
    found = set()
    for module in modules:
        path = ROOT / module.replace(".", "/")
        source = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"mgvae"}


@pytest.mark.slow
def test_the_sampler_works_where_its_group_alone_is_installed(packages, tmp_path):
    (packages / "mgvae").symlink_to(ROOT / "mgvae")
    seen = _session(packages, tmp_path / "saved")
    assert seen["version"] == "0"  # no metadata of ours lie there
    assert not {name.partition(".")[0] for name in seen["modules"]} & (STUDY | OPTIONAL)
    distributions, group = importlib.metadata.packages_distributions(), {Requirement(entry).name for entry in GROUP}
    needed = _imported(name for name in seen["modules"] if name.startswith("mgvae")) - OPTIONAL
    used = {name: {distribution.lower() for distribution in distributions[name]} & group for name in needed}
    assert not [name for name, found in used.items() if not found]
    assert set().union(*used.values()) == group


def test_the_default_installation_has_the_samplers_dependencies_too():
    assert set(GROUP) <= set(PROJECT["project"]["dependencies"])
    required = {Requirement(entry).name for entry in PROJECT["project"]["dependencies"]}
    assert required >= {"prefect", "torch", "pandas", "numpy", "scikit-learn", "great-expectations", "pyarrow"}


@pytest.mark.slow
def test_the_wheel_is_complete(packages, tmp_path):
    zipfile.ZipFile(build_wheel(tmp_path)).extractall(packages)
    assert (packages / "mgvae" / "py.typed").is_file()
    assert (packages / "mgvae" / "__init__.pyi").is_file()
    assert _session(packages, tmp_path / "saved")["version"] == PROJECT["project"]["version"]


def _modules_after(code):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import sys\n{code}\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        cwd=ROOT,
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_import_of_the_sampler_waits_for_nothing_slow():
    slow = (STUDY | {"torch", "safetensors"}) - {"rich"}  # scikit-learn imports rich where it is installed
    assert not _modules_after("from mgvae import MGVAEOverSampler") & slow
    assert not _modules_after("import mgvae; mgvae.__version__") & {
        "numpy",
        "pandas",
        "sklearn",
        "imblearn",
        "pydantic",
        "torch",
    }
