"""A long file with the future among its columns, taken by init, validate and run unedited, is not "Passed"."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mgvae.config.study import load_config
from mgvae.report.overview import banner
from mgvae.report.schema import read_report
from tests.benchmarks.drafts import DATA, nafld_long
from tests.flows.flow_tools import run_study

SMALL = (
    *("training.pretrain_epochs=2", "training.finetune_epochs=2", "training.ewc_lambda=1.0", "training.hidden=[8]"),
    *("evaluation.folds=2", "evaluation.repeats=1", "evaluation.bootstrap=50", "evaluation.arms=[none]", "training.device=cpu"),
    *(
        "evaluation.classifiers=[logistic_regression]",
        "instability.redevelopments=10",
        "instability.generated=0",
        "learning_curve.shares=[0.5]",
    ),
    *("learning_curve.repeats=1", "synthesis.prevalence=0.1"),
)
VISITS = 3


def long_file(patients=300):
    """Return three visits of each patient; status, days of follow-up and of a later stroke stand in each of its rows."""
    rng = np.random.default_rng(0)
    age, risk = rng.integers(30, 80, patients), rng.normal(size=patients)
    status = (risk + rng.normal(size=patients) > 1.8).astype(int)
    futime = np.where(status == 1, rng.integers(100, 2000, patients), rng.integers(3000, 9000, patients))
    stroke = np.where(rng.random(patients) < 0.1 + 0.4 * status, rng.integers(1, futime), -1)
    persons = pd.DataFrame(
        {
            "RANDID": rng.choice(np.arange(1000, 9999), patients, replace=False),
            "male": rng.integers(0, 2, patients),
            "age": age,
            "futime": futime,
            "stroke_days": pd.Series(stroke).where(stroke > 0).astype("Int64"),
            "status": status,
        }
    )
    rows = persons.loc[np.repeat(np.arange(patients), VISITS)].reset_index(drop=True)
    rows["sbp"] = np.round(120 + 8 * np.repeat(risk, VISITS) + rng.normal(0, 12, len(rows)))
    rows["chol"] = np.round(rng.normal(200, 30, len(rows)))
    return rows


def init(mgvae, frame):
    frame.to_csv("extract.csv", index=False)
    assert mgvae("init", "extract.csv").code == 0
    return load_config(Path("cohort.yaml"))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def headline(out):
    result, report = run_study(Path("cohort.yaml"), out, *SMALL)
    found = banner(read_report(report))
    assert found.headline == "Not to be relied on"
    assert "Passed" not in found.headline + found.detail
    assert report["verdict"]["status"] == "unreliable"
    page = (Path(result["run"]) / "report.html").read_text()
    assert page.index("Not to be relied on") < page.index('id="findings"')
    return {one["code"]: one for one in report["findings"]}


@pytest.mark.slow
def test_what_the_commands_make_of_it_unedited(mgvae, folder):
    config = init(mgvae, long_file())
    assert (config.subject_id, config.group, config.outcome.column) == (None, "RANDID", "status")
    assert list(config.columns.features) == ["male", "age", "sbp", "chol"]
    said = mgvae("validate", "cohort.yaml")
    assert said.out.startswith("Not to be relied on")
    found = headline(folder / "runs")
    assert {"MGV104", "MGV105"} <= set(found)
    assert found["MGV104"]["why"]


def test_with_the_future_put_back_and_the_questions_deleted(mgvae, folder):
    init(mgvae, long_file())
    cohort, dictionary = Path("cohort.yaml"), Path("dictionary.yaml")
    cohort.write_text(re.sub(r"group: .*\n|# review: .*", "", cohort.read_text()))
    text = re.sub(r"# review: .*", "", dictionary.read_text())
    dictionary.write_text(re.sub(r"(futime|stroke_days):\s+kind: (\w+)\s+role: excluded", r"\1:\n    kind: \2", text))
    said = mgvae("validate", "cohort.yaml", "--strict")
    assert said.out.startswith("Not to be relied on")
    for words in (
        "MGV101",
        "'futime' separates the outcome by itself",
        "MGV102",
        "'RANDID' has 300 values, 300 of them",
        "MGV110",
    ):
        assert words in said.out


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "nafld").is_dir(), reason="the data sets for measuring are not here")
def test_nafld_as_a_long_file(mgvae, folder):
    frame = nafld_long(DATA)
    persons = frame["id"].unique()
    config = init(mgvae, frame[frame["id"].isin(persons[::5])])
    assert config.group == "id"
    assert not {"futime", "days", "status"} & set(config.columns.features)
    headline(folder / "runs")
