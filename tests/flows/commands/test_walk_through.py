"""The walk-through from a CSV file to the report, and the R of the report's page, do what the pages say."""

import re
import shlex
import shutil
import subprocess

import pytest
from typer.testing import CliRunner

from flows.cli import app
from tests.flows.simulated_study import table
from tests.paths import ROOT


def block(page, language):
    text = (ROOT / "docs" / "study" / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)[-1]


def commands():
    return [shlex.split(line, comments=True)[1:] for line in block("own-cohort.md", "bash").splitlines()]


def test_first_commands_of_the_walk_through_work_on_a_csv(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table().to_csv("my-study.csv", index=False)
    assert [words[0] for words in commands()] == ["init", "validate", "run", "show", "report"]
    for words in commands()[:2]:
        answer = CliRunner().invoke(app, words)
        assert answer.exit_code == 0, (words, answer.output, answer.exception)


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="needs R")
def test_r_of_the_page_can_be_read_by_r(tmp_path):
    script = tmp_path / "report.R"
    script.write_text(block("read.md", "r"), encoding="utf-8")
    subprocess.run(["Rscript", "-e", f"invisible(parse('{script}'))"], check=True, timeout=60)
    assert len([line for line in script.read_text().splitlines() if line.strip()]) <= 40
