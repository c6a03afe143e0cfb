"""The notebooks of the documentation run, cell after cell, and are kept without outputs."""

from __future__ import annotations

import json

import pytest

from tests.deployments.machine import on_one_core
from tests.paths import ROOT

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def code(path):
    """Return the source of each code cell of a notebook."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path):
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["nbformat"] == 4
    cells = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    assert [(cell["outputs"], cell["execution_count"]) for cell in cells] == [([], None)] * len(cells)
    for number, source in enumerate(code(path)):
        compile(source, f"{path.name}, cell {number}", "exec")


def run(name, monkeypatch, folder):
    """Run a notebook's cells in one namespace, in its own temporary folder; return the namespace."""
    monkeypatch.chdir(ROOT / "docs" / "notebooks")  # where Jupyter starts it
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    names = {"__name__": "__main__"}
    for number, source in enumerate(code(ROOT / "docs" / "notebooks" / f"{name}.ipynb")):
        exec(compile(source, f"{name}.ipynb, cell {number}", "exec"), names)  # noqa: S102 (our own notebook)
    return names


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*calibrat:UserWarning")  # the sampler says once that risks must be recalibrated
def test_the_notebook_of_the_sampler_runs(monkeypatch, tmp_path):
    names = run("sampler", monkeypatch, tmp_path)
    expected = names["table"]["expected deaths"]
    assert 13 < expected["sampler, recalibrated"] < 52  # 26 were observed
    assert 13 < expected["majority-guided score"] < 52
    assert expected["sampler, not recalibrated"] > expected["sampler, recalibrated"]
    assert names["more"].columns.tolist() == names["X"].columns.tolist()


@pytest.mark.slow
def test_the_notebook_of_a_study_runs(monkeypatch, tmp_path):
    with on_one_core():
        names = run("study", monkeypatch, tmp_path)
    assert names["report"].cohort.n == 1151
    assert names["run"].resolve().is_relative_to(tmp_path)
