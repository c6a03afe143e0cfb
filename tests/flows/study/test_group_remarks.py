"""Few large sites: the run ends, and the report says wherever rows of one site were divided."""

from __future__ import annotations

import json

import numpy as np
import pytest

from flows.study.report_assembly import Sources, complete_report
from flows.study.stages.registry import STAGES
from mgvae.config.study import load_config
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


@pytest.mark.parametrize(
    ("sites", "purposes"),
    [
        # two of the three are trained on, and in a fold of the evaluation one
        pytest.param(np.arange(600) % 3, PURPOSES, marks=pytest.mark.slow),
        (np.arange(600) // 2, []),
    ],
    ids=["three sites", "families of two"],
)
def test_the_report_warns_once_wherever_a_group_was_divided(tmp_path, sites, purposes):
    report, folders = report_of(tmp_path, sites)
    remarks = [warning.split(" on single rows")[0] for warning in report.warnings if "on single rows" in warning]
    assert sorted(remarks) == sorted(purposes)
    assert (report.cohort.groups, report.cohort.groups_divided) == (len(set(sites)), bool(purposes))
    assert set(report.evaluation.arms) == {"none", "random_oversampling", "mgvae"}
    history = json.loads((folders["pretrain"] / "history.json").read_text())
    assert len(history["pretrain"]["remarks"]) == len(report.training.pretrain.remarks) == bool(purposes)
