"""What a stage's code is: a change in a module that it imports, at any distance, changes its digest; no other change does."""

import subprocess
import sys

import pytest

from flows.study import cache_key as codeversion
from flows.study.cache_key import code_digest, code_version, reached
from flows.study.stages.registry import DRIFT, STAGES

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
    monkeypatch.setattr(codeversion, "PACKAGES", ("tinyroom",))
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
    assert code_digest("mgvae.training.loops", "mgvae.cohort.build") == code_digest(
        "mgvae.cohort.build", "mgvae.training.loops", "mgvae.cohort.build"
    )


def test_the_version_begins_with_the_package_s():
    number, _, digits = code_version().partition("+")
    assert number[0].isdigit()
    assert len(digits) == 12


def stages_changed_by(module, monkeypatch):
    before = {stage.name: code_digest(stage.make.__module__) for stage in STAGES}
    plain = codeversion._source_digest
    with monkeypatch.context() as patch:
        patch.setattr(codeversion, "_source_digest", lambda name: "changed" if name == module else plain(name))
        return {stage.name for stage in STAGES if code_digest(stage.make.__module__) != before[stage.name]}


FITTED = {"evaluate", "model", "explain", "instability", "learning_curve"}
EVALUATED = {*FITTED, "subgroups"}
TRAINED = {"pretrain", "finetune", "synthesise", *FITTED}


@pytest.mark.parametrize(
    ("module", "stages"),
    [
        ("mgvae.report.render", set()),
        ("flows.cli", set()),
        ("mgvae.evaluation.metrics", EVALUATED),
        ("validation.gates", {"assess"}),
        ("validation.suite", {"validate", "assess"}),
        ("mgvae.training.loops", TRAINED),
        ("mgvae.model.objective", TRAINED),
        ("mgvae.evaluation.smote", FITTED),
        ("mgvae.evaluation.deployed_model", {"model", "explain"}),
        ("mgvae.explanation.contributions", {"explain"}),
        ("mgvae.evaluation.subgroups", {"subgroups"}),
        ("mgvae.cohort.subgroups", {"explain", "subgroups"}),
        ("mgvae.evaluation.sample_size", {"learning_curve"}),
        ("mgvae.evaluation.measures.instability", {"instability"}),
        ("mgvae.extract.cells", {"validate"}),
        ("mgvae.errors", {stage.name for stage in STAGES}),
    ],
)
def test_a_library_change_redoes_the_stages_that_use_it(module, stages, monkeypatch):
    assert stages_changed_by(module, monkeypatch) == stages


@pytest.mark.parametrize("stage", [*STAGES, DRIFT], ids=lambda stage: stage.name)
def test_a_stage_is_a_module_of_its_own_that_no_other_stage_reaches(stage):
    own = stage.make.__module__
    assert own == f"flows.study.stages.{stage.name}"
    others = {other.make.__module__ for other in (*STAGES, DRIFT)} - {own}
    assert not others & reached(own)


def test_reading_code_imports_none_of_it():
    code = "import sys; from flows.study.cache_key import code_version; code_version(); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
