"""What a stage's code is: a change in a module that it imports, at any distance, changes its digest; no other change does."""

import ast
import inspect
import sys

import pytest

import flows.stages
from flows import codeversion
from flows.codeversion import code_digest, code_version, function_digest, reached
from flows.stages import STAGES

PACKAGE = {
    "__init__.py": "",
    "core.py": "ZERO = 0\n",
    "model.py": "from tinyroom import core\n",
    "train.py": "import tinyroom.model\nimport json\n",
    "lazy.py": "def late():\n    from tinyroom.core import ZERO\n    return ZERO\n",
    "apart.py": "ONE = 1\n",
    "page/__init__.py": "from tinyroom.page.render import page\n",
    "page/render.py": "page = None\n",
    "page/templates/page.html": "<p>\n",
}
CACHES = (codeversion._file, codeversion._source_digest, codeversion._imports)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Lay a small package of "ours" on the path; return a function that writes one of its files."""
    monkeypatch.setattr(codeversion, "OURS", ("tinyroom",))
    monkeypatch.syspath_prepend(tmp_path)

    def write(name, content):
        path = tmp_path / "tinyroom" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        forget()

    for name, content in PACKAGE.items():
        write(name, content)
    yield write
    for name in [name for name in sys.modules if name.partition(".")[0] == "tinyroom"]:
        del sys.modules[name]
    forget()


def forget():
    for kept in CACHES:
        kept.cache_clear()


MODULES = ("core", "model", "train", "lazy", "apart", "page")


@pytest.mark.parametrize(
    ("changed", "users"),
    [
        ("core.py", {"core", "model", "train", "lazy"}),
        ("model.py", {"model", "train"}),
        ("apart.py", {"apart"}),
        ("page/render.py", {"page"}),
        ("page/templates/page.html", {"page"}),
        ("__init__.py", set(MODULES)),
    ],
)
def test_a_change_reaches_exactly_those_who_import_it(package, changed, users):
    before = {name: code_digest(f"tinyroom.{name}") for name in MODULES}
    package(changed, PACKAGE[changed] + "# changed\n")
    assert {name for name in MODULES if code_digest(f"tinyroom.{name}") != before[name]} == users


def test_a_new_file_that_nobody_imports_changes_nothing_but_the_version(package):
    before, version = code_digest("tinyroom.train"), code_version()
    package("more.py", "")
    assert code_digest("tinyroom.train") == before
    assert code_version() != version


def test_a_template_added_is_seen(package):
    before = code_digest("tinyroom.page")
    package("page/templates/more.html", "")
    assert code_digest("tinyroom.page") != before


def test_circles_end(package):
    package("core.py", "import tinyroom.train\n")
    assert reached("tinyroom.core") == {"tinyroom", "tinyroom.core", "tinyroom.model", "tinyroom.train"}


def test_a_library_update_changes_every_digest(monkeypatch):
    before = code_digest("mgvae.errors")
    monkeypatch.setattr(codeversion, "library_versions", lambda: {"torch": "99"})
    assert code_digest("mgvae.errors") != before


def test_several_modules_are_one_set():
    assert code_digest("mgvae.train", "mgvae.cohort") == code_digest("mgvae.cohort", "mgvae.train", "mgvae.cohort")


def test_the_version_begins_with_the_package_s():
    number, _, digits = code_version().partition("+")
    assert number[0].isdigit()
    assert len(digits) == 12


def stages_changed_by(module, monkeypatch):
    before = {stage.name: code_digest(*stage.modules) for stage in STAGES}
    plain = codeversion._source_digest
    with monkeypatch.context() as patch:
        patch.setattr(codeversion, "_source_digest", lambda name: "changed" if name == module else plain(name))
        return {stage.name for stage in STAGES if code_digest(*stage.modules) != before[stage.name]}


TRAINED = {"pretrain", "finetune", "synthesise", "evaluate", "model"}


@pytest.mark.parametrize(
    ("module", "stages"),
    [
        ("mgvae.report.page", set()),
        ("flows.cli", set()),
        ("mgvae.evaluation.metrics", {"evaluate", "model"}),
        ("validation.gates", {"assess"}),
        ("validation.suite", {"validate", "assess"}),
        ("mgvae.train", TRAINED),
        ("mgvae.elbo", TRAINED),
        ("mgvae.evaluation.smote", {"evaluate", "model"}),
        ("mgvae.evaluation.deployed", {"model"}),
        ("mgvae.reading.cells", {"validate"}),
        ("mgvae.errors", {stage.name for stage in STAGES}),
    ],
)
def test_a_library_change_redoes_the_stages_that_use_it(module, stages, monkeypatch):
    assert stages_changed_by(module, monkeypatch) == stages


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_stage_names_every_module_that_it_uses(stage):
    used, queue = {stage.make}, [stage.make]
    while queue:
        beside = (one for one in globals_of(queue.pop()) if inspect.isfunction(one) and one.__module__ == "flows.stages")
        queue += [one for one in beside if one not in used and not used.add(one)]
    needed = {one.__module__ for function in used for one in globals_of(function) if hasattr(one, "__module__")}
    needed |= {name for function in used for name in imported_inside(function)}
    ours = {name for name in needed if name.partition(".")[0] in codeversion.OURS}
    assert ours - {"flows.stages", "flows.progress", "flows.fanout", "mgvae.config"} <= reached(*stage.modules)


def globals_of(function):
    names = codeversion._names(function.__code__)
    return [vars(flows.stages)[name] for name in names if name in vars(flows.stages)]


def imported_inside(function):
    tree = ast.parse(inspect.getsource(function))
    return {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def module_of(source, tmp_path, monkeypatch):
    (tmp_path / "helperroom.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "helperroom", raising=False)
    import importlib
    import linecache

    linecache.clearcache()
    importlib.invalidate_caches()
    return importlib.import_module("helperroom")


SOURCE = """
def stage():
    return [near() for _ in range(2)]

def near():
    return far()

def far():
    return 1

def other():
    return stage()
"""


@pytest.mark.parametrize(("old", "new", "same"), [("return 1", "return 2", False), ("return stage()", "return 3", True)])
def test_the_helpers_of_a_stage_belong_to_its_code(old, new, same, tmp_path, monkeypatch):
    sys.dont_write_bytecode, kept = True, sys.dont_write_bytecode
    try:
        before = function_digest(module_of(SOURCE, tmp_path, monkeypatch).stage)
        after = function_digest(module_of(SOURCE.replace(old, new), tmp_path, monkeypatch).stage)
    finally:
        sys.dont_write_bytecode = kept
    assert (before == after) == same
