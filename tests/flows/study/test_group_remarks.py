"""Few large sites: the run ends, and the report says wherever rows of one site were divided."""

from __future__ import annotations

import json

import numpy as np
import pytest

from flows.study.report_assembly import Sources, complete_report
from flows.study.stages.registry import STAGES
from mgvae.config.study import load_config
from mgvae.report.schema import read_report
from tests.flows.flow_tools import artifact
from tests.flows.simulated_study import table, write_study

PURPOSES = [
    "Early stopping of pre-training watched the ELBO",
    "Cross-validation over the cases chose lambda and epochs",
    "Recalibration was learned",
]


def report_of(folder, sites):
    """Run all stages on a study whose patients belong to ``sites``, and return its report."""
    config = load_config(write_study(folder, table().assign(family=sites), training__pretrain_epochs=2))
    folders = {}
    for stage in STAGES:
        folders[stage.name] = folder / stage.name
        folders[stage.name].mkdir()
        stage.make(config, {need: folders[need] for need in stage.needs}, folders[stage.name])
    return complete_report(Sources(config, "0" * 64, folders, ())), folders


def remarks(report):
    return sorted(warning.split(" on single rows")[0] for warning in report.warnings if "on single rows" in warning)


@pytest.mark.slow
def test_the_report_warns_once_wherever_a_group_was_divided(tmp_path):
    # two of the three are trained on, and in a fold of the evaluation one
    report, folders = report_of(tmp_path, np.arange(600) % 3)
    assert remarks(report) == sorted(PURPOSES)
    assert (report.cohort.groups, report.cohort.groups_divided) == (3, True)
    assert set(report.evaluation.arms) == {"none", "random_oversampling", "mgvae"}
    history = json.loads((folders["pretrain"] / "history.json").read_text())
    assert len(history["pretrain"]["remarks"]) == len(report.training.pretrain.remarks) == 1


def test_families_of_two_are_divided_nowhere(finished, report):
    history = json.loads((artifact(finished.out, report, "pretrain") / "history.json").read_text())
    report = read_report(report)
    assert remarks(report) == []
    assert (report.cohort.groups, report.cohort.groups_divided) == (300, False)
    assert set(report.evaluation.arms) == {"none", "random_oversampling", "mgvae"}
    assert len(history["pretrain"]["remarks"]) == len(report.training.pretrain.remarks) == 0
