"""What the documents name must exist: links, commands, options, targets, modules, paths, settings with their defaults."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
from functools import cache
from pathlib import Path

import pytest
import typer
from pydantic_core import PydanticUndefined

from docs.tools import configuration, report_schema
from docs.tools.links import INCLUDED, for_the_site, relative_links
from flows.cli import app
from mgvae.config import gates, sections, stability
from mgvae.config.dictionary import Column
from mgvae.config.privacy import Privacy
from mgvae.config.strict import Strict
from mgvae.config.study import CohortConfig, load_config
from mgvae.report.schema import Report
from tests.paths import ROOT

DOCUMENTS = sorted(
    {*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deployments/*.md"), *(ROOT / source for source in INCLUDED)}
)
HISTORY = {"CHANGELOG.md", "tests/benchmarks/oversamplers/LOG.md", "tests/benchmarks/keel/LOG.md"}  # may name what is no more
GENERATED = {ROOT / "docs" / "reference" / "report.schema.json"}
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
GENERATORS = {
    "<!-- generated: configuration -->": cache(configuration.reference),
    "<!-- generated: report -->": report_schema.reference,
}
PATH = re.compile(r"(?:mgvae|flows|validation|tests|deployments|docs|data)/[\w./-]*\w")


def spans(text):
    """Return the inline code of a document, each on one line."""
    return [re.sub(r"\s+", " ", span) for span in SPAN.findall(BLOCK.sub("", text))]


def command_lines(text):
    """Return the shell commands of a document: lines of console blocks, and inline code."""
    lines = [line for language, block in BLOCK.findall(text) if language == "bash" for line in block.splitlines()]
    parts = [part for line in (*lines, *spans(text)) for part in re.split(r"&&|;|\|", re.sub(r"(^|\s)#.*", "", line))]
    return [part.strip() for part in parts if part.strip()]


@cache
def anchors(path):
    """Return the anchors of a document's headings, as GitHub and mkdocs make them."""
    text = BLOCK.sub("", path.read_text(encoding="utf-8"))
    for marker, generate in GENERATORS.items():
        text = text.replace(marker, generate()) if marker in text else text
    headings = [re.sub(r"[`*]|\[|\]\([^)]*\)", "", line) for line in re.findall(r"^#+ (.+)$", text, re.MULTILINE)]
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings}


@pytest.mark.parametrize(("name", "most"), [("README.md", 130), ("CONTRIBUTING.md", 120)])
def test_the_front_page_stays_short(name, most):
    assert len((ROOT / name).read_text(encoding="utf-8").splitlines()) <= most


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name):
    for target in relative_links((ROOT / name).read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        place = Path(os.path.normpath((ROOT / name).parent / path)) if path else ROOT / name
        assert place.exists() or place in GENERATED, target
        if anchor:
            assert anchor in anchors(place), target


def test_links_are_led_to_pages_of_the_site():
    text = "[a](SECURITY.md#secrets) [b](prefect.yaml) ![c](../docs/report.png) [d](https://x.org) [e](#here)"
    page = for_the_site(text, source="deployments/README.md", page="operations/index.md")
    assert page == "[a](security.md#secrets) b ![c](../report.png) [d](https://x.org) [e](#here)"


@cache
def whole_command():
    """Return the click command `mgvae`, which takes a while to build."""
    return typer.main.get_command(app)


def mgvae_command(words):
    """Return the click command that the words of a command line name, and the words after it."""
    command = whole_command()
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    return command, words


@pytest.mark.parametrize("name", [name for name in NAMES if name not in HISTORY])
def test_commands_and_options_exist(name):
    for line in command_lines((ROOT / name).read_text(encoding="utf-8")):
        if not re.match(r"mgvae( |$)", line):
            continue
        command, rest = mgvae_command(shlex.split(line)[1:])
        if hasattr(command, "commands"):  # a group: only its own options may follow
            assert all(word.startswith("-") for word in rest), f"no such command: {line}"
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
        assert {word.partition("=")[0] for word in rest if word.startswith("--")} <= known, line


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith(("README", "docs/study"))])
def test_options_named_alone_exist(name):
    commands = [whole_command()]
    known = set()
    while commands:
        command = commands.pop()
        commands.extend(getattr(command, "commands", {}).values())
        known |= {option for parameter in command.params for option in parameter.opts}
    alone = {span.split()[0] for span in spans((ROOT / name).read_text(encoding="utf-8")) if span.startswith("--")}
    assert alone <= known


@pytest.mark.parametrize("name", NAMES)
def test_targets_of_make_exist(name):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    lines = command_lines((ROOT / name).read_text(encoding="utf-8"))
    named = {
        word for line in lines if re.match(r"make( |$)", line) for word in line.split()[1:] if re.fullmatch(r"[a-z-]+", word)
    }
    assert named <= targets


@pytest.mark.parametrize("name", [name for name in NAMES if name not in HISTORY])
def test_modules_and_paths_exist(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    for module in re.findall(r"python -m ([\w.]+)", re.sub(r"\s+", " ", text)):
        assert importlib.util.find_spec(module), module
    paths = {span.split("::")[0].rstrip("/") for span in spans(text)}
    for path in paths:
        if PATH.fullmatch(path) and not path.endswith(".env"):  # .env files are the user's
            assert (ROOT / path).exists(), path


def test_environment_variables_exist():
    files = [path for part in ("flows", "deployments", "mgvae") for path in (ROOT / part).rglob("*") if path.is_file()]
    source = "".join(path.read_text(encoding="utf-8") for path in files if path.suffix in {".py", ".yaml", ".example"})
    for name in NAMES:
        named = set(re.findall(r"\bMGVAE_[A-Z]+\b", (ROOT / name).read_text(encoding="utf-8")))
        assert {word for word in named if word not in source} == set(), name


def described():
    found = {CohortConfig, Column}
    found |= {
        each
        for each in (*vars(sections).values(), *vars(stability).values(), *vars(gates).values())
        if isinstance(each, type) and issubclass(each, Strict) and each is not Strict
    }
    return sorted(found, key=lambda model: model.__name__)


@pytest.mark.parametrize("model", described(), ids=lambda model: model.__name__)
def test_the_configuration_reference_is_complete(model):
    heading = {
        CohortConfig: "cohort.yaml: top level",
        Column: "dictionary.yaml: an entry of columns",
        Privacy: "cohort.yaml: privacy",
    }
    sections_of = {field.annotation: f"cohort.yaml: {name}" for name, field in CohortConfig.model_fields.items()}
    title = (sections_of | heading)[model]
    part = GENERATORS["<!-- generated: configuration -->"]().split(f"## {title}\n")[1].split("\n## ")[0]
    rows = {
        cells[0].strip("`"): cells[1:]
        for cells in (re.split(r" ?(?<!\\)\| ?", line)[1:-1] for line in part.splitlines())
        if cells
    }
    for key, field in model.model_fields.items():
        values, default, meaning = rows[key]
        assert values
        assert len(meaning) > 10, key
        expected = field.get_default(call_default_factory=True)
        if expected is PydanticUndefined:
            assert default == "required"
        elif isinstance(expected, Strict):
            assert default == f"[{key}](#cohortyaml-{key})"
        else:
            shown = json.loads(default.strip("`"))
            assert shown == (list(expected) if isinstance(expected, tuple) else expected), key


def test_a_key_without_a_meaning_is_an_error():
    class Undescribed(Strict):
        """A section.

        Attributes:
            one: described.
        """

        one: int = 1
        two: int = 2

    with pytest.raises(ValueError, match="must describe 'two' under 'Attributes'"):
        configuration.table(Undescribed)


def test_the_report_reference_names_every_field():
    text = report_schema.reference()
    seen, waiting = set(), [Report]
    while waiting:
        model = waiting.pop()
        if model not in seen:
            seen.add(model)
            part = text.split(f"## {model.__name__}\n")[1].split("\n## ")[0]
            assert {f"| `{field}` |" in part for field in model.model_fields} == {True}, model.__name__
            waiting += [each for field in model.model_fields.values() for each in models_in(field.annotation)]
    assert len(seen) > 15


def models_in(annotation):
    if isinstance(annotation, type) and issubclass(annotation, Strict):
        return [annotation]
    return [model for argument in getattr(annotation, "__args__", ()) for model in models_in(argument)]


def test_decisions_have_the_same_parts_and_numbers_without_gaps():
    records = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    for number, path in enumerate(records, start=1):
        text = path.read_text(encoding="utf-8")
        assert path.name.startswith(f"{number:04d}-")
        assert text.startswith(f"# {number}. ")
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
        assert re.search(r"^Status: (accepted|replaced by \[)", text, re.MULTILINE)
    assert len(records) >= 36


def test_contributing_names_every_package():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    packages = [path.parent.name for root in ("mgvae", "flows") for path in (ROOT / root).glob("*/__init__.py")]
    assert len(packages) > 15
    assert {name for name in packages if f"`{name}/`" not in text} == set()


def test_the_example_study_is_valid(tmp_path):
    text = (ROOT / "docs" / "study" / "describe.md").read_text(encoding="utf-8")
    cohort, followed, dictionary = (block for language, block in BLOCK.findall(text) if language == "yaml")
    days = "  days: {kind: count, role: excluded}\n  status: {categories: [alive, died, transplanted], role: excluded}\nrules:"
    (tmp_path / "cohort.yaml").write_text(cohort[: cohort.index("outcome:")] + followed + "dictionary: dictionary.yaml\n")
    (tmp_path / "dictionary.yaml").write_text(dictionary.replace("rules:", days), encoding="utf-8")
    assert load_config(tmp_path / "cohort.yaml").outcome.follow_up == "days"
    (tmp_path / "cohort.yaml").write_text(cohort, encoding="utf-8")
    (tmp_path / "dictionary.yaml").write_text(dictionary, encoding="utf-8")
    config = load_config(tmp_path / "cohort.yaml")
    assert config.outcome.column in config.columns
    assert list(config.columns.features) == ["age", "visits", "sex", "nyha", "smoker", "cigarettes", "dbp", "sbp"]
    assert len(config.columns.rules) == 3
