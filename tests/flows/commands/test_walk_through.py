"""The walk-through from a CSV file to the report, and the R of the report's page, do what the pages say."""

import re
import shlex
import shutil
import subprocess

import pytest
from typer.testing import CliRunner

from flows.cli import app
from mgvae.report.schema import read_report
from tests.flows.simulated_study import table
from tests.paths import ROOT
from tests.report_sample import sample_report


def block(page, language):
    text = (ROOT / "docs" / "study" / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)[-1]


def commands():
    return [shlex.split(line, comments=True)[1:] for line in block("own-cohort.md", "bash").splitlines()]


def small(words):
    """Return a command whose study is trained as little as a test needs."""
    training = ["training.pretrain_epochs=5", "training.finetune_epochs=5", "training.hidden=[16]", "training.latent_dim=3"]
    rest = ["evaluation.arms=[none, mgvae]", "instability.redevelopments=10", "instability.generated=0", "evaluation.repeats=1"]
    rest += ["learning_curve.shares=[0.5]", "learning_curve.repeats=1", "evaluation.folds=2", "evaluation.bootstrap=50"]
    return [*words, *(word for setting in (*training, *rest) for word in ("--set", setting))] if words[0] == "run" else words


@pytest.mark.slow
def test_own_cohort_goes_from_csv_to_documents(database, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table().to_csv("my-study.csv", index=False)
    for words in commands():
        answer = CliRunner().invoke(app, small(words))
        assert answer.exit_code in ((0, 2) if words[0] == "run" else (0,)), (words, answer.output, answer.exception)
    assert len(list((tmp_path / "documents").iterdir())) == 9


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


def test_r_of_the_page_reads_the_numbers_of_a_report(tmp_path):
    if (
        shutil.which("Rscript") is None
        or subprocess.run(["Rscript", "-e", "library(jsonlite)"], capture_output=True).returncode
    ):
        pytest.skip("needs R with jsonlite (Debian: r-cran-jsonlite)")
    report = read_report(sample_report(columns=1))
    path = tmp_path / "runs" / "my-study" / "latest" / "report.json"
    path.parent.mkdir(parents=True)
    path.write_text(report.model_dump_json(), encoding="utf-8")
    reading, _, rest = block("read.md", "r").partition("# new patients")
    assert "reticulate" in rest
    (tmp_path / "report.R").write_text(reading, encoding="utf-8")
    done = subprocess.run(["Rscript", "report.R"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert f"{report.cohort.n} patients, {report.cohort.events} events" in done.stdout
    chosen = report.recommendation
    auroc = report.evaluation.arms[chosen.arm][chosen.classifier]["recalibrated"]["auroc"]
    (row,) = re.findall(r"auroc +([\d.]+) +([\d.]+) +([\d.]+)", done.stdout)
    assert [float(text) for text in row] == pytest.approx([auroc.value, auroc.low, auroc.high], abs=5e-4)
    assert done.stdout.count("\n") > len(report.evaluation.decision_curves.thresholds)
