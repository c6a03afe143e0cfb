"""Few large sites: the run ends, and the report says wherever rows of one site were divided."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from flows.study.report_assembly import Sources, complete_report
from flows.study.stages.registry import STAGES
from mgvae.config.study import load_config
from mgvae.report.render import render
from mgvae.report.schema import read_report
from tests.flows.flow_tools import artifact
from tests.flows.simulated_study import table, write_study

PURPOSES = [
    "Early stopping of pre-training watched the ELBO",
    "Cross-validation over the cases chose lambda and epochs",
    "Recalibration was learned",
]


@pytest.fixture(scope="module")
def divided(tmp_path_factory):
    """Return report, artifacts and who is lost of a study of three sites, a third of whose patients leave before day 300."""
    folder, rng = tmp_path_factory.mktemp("divided"), np.random.default_rng(2)
    frame = table(events=90).assign(family=np.arange(600) % 3)
    last = np.where(frame["died"] == "yes", rng.integers(1, 301, 600), 400)
    end = np.where(rng.random(600) < 0.45, rng.integers(1, 400, 600), 400)
    frame["days"], frame["died"] = np.minimum(last, end), frame["died"].mask(end < last, "no")
    days = {"columns__days": {"kind": "count", "role": "excluded"}, "outcome__follow_up": "days", "horizon_days": 300}
    config = load_config(write_study(folder, frame, training__pretrain_epochs=2, **days))
    folders = {}
    for stage in STAGES:
        folders[stage.name] = folder / stage.name
        folders[stage.name].mkdir()
        stage.make(config, {need: folders[need] for need in stage.needs}, folders[stage.name])
    return complete_report(Sources(config, "0" * 64, folders, ())), folders, (end < last) & (end < 300)


def remarks(report):
    return sorted(warning.split(" on single rows")[0] for warning in report.warnings if "on single rows" in warning)


@pytest.mark.slow
def test_the_report_warns_once_wherever_a_group_was_divided(divided):
    # two of the three are trained on, and in a fold of the evaluation one
    report, folders, _ = divided
    assert remarks(report) == sorted(PURPOSES)
    assert (report.cohort.groups, report.cohort.groups_divided) == (3, True)
    assert set(report.evaluation.arms) == {"none", "random_oversampling", "mgvae"}
    history = json.loads((folders["pretrain"] / "history.json").read_text())
    assert len(history["pretrain"]["remarks"]) == len(report.training.pretrain.remarks) == 1


@pytest.mark.slow
def test_the_report_counts_unknown_outcomes_and_weighs_for_them(divided):
    """Some of the lost would have had the event later."""
    report, folders, lost = divided
    cohort = report.cohort
    assert (cohort.censoring.unknown, cohort.n) == (lost.sum(), 600 - lost.sum())
    assert cohort.censoring.observed == pytest.approx(cohort.events / cohort.n)
    assert cohort.prevalence < cohort.censoring.observed - 0.01
    assert abs(cohort.prevalence - 90 / 600) < abs(cohort.censoring.observed - 90 / 600)
    size = report.learning_curve.sample_size
    assert report.instability.prevalence == pytest.approx(size.prevalence)
    assert size.prevalence < size.events / size.n - 0.01
    found = report.evaluation.arms["none"]["logistic_regression"]["recalibrated"]["observed_expected"]
    assert found.low < 1 < found.high
    assert pd.read_parquet(folders["model"] / "predictions.parquet")["weight"].max() > 1.05
    page = render(report)
    for text in ("Unknown outcomes", f"Of {lost.sum()} patients the outcome is unknown", "by weights for unknown outcomes"):
        assert text in page


def test_families_of_two_are_divided_nowhere(finished, report):
    history = json.loads((artifact(finished.out, report, "pretrain") / "history.json").read_text())
    report = read_report(report)
    assert remarks(report) == []
    assert (report.cohort.groups, report.cohort.groups_divided) == (300, False)
    assert set(report.evaluation.arms) == {"none", "random_oversampling", "mgvae"}
    assert len(history["pretrain"]["remarks"]) == len(report.training.pretrain.remarks) == 0
