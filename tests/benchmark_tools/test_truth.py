"""The simulated studies: what the worlds are, and the directions that a few studies must show."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mgvae.evaluation import cells
from tests.benchmarks.truth.results import STUDIES, compute, read, tasks
from tests.benchmarks.truth.study import Task, run_study
from tests.benchmarks.truth.table import Study, table
from tests.benchmarks.truth.worlds import ORACLE, WORLDS, draw

LR = "logistic_regression"


@pytest.fixture(scope="module")
def studies():
    kinds = (("planted", 60), ("useless", 60), ("leak", 20))
    return {kind[0]: run_study(Task(*kind, number=0), bootstrap=100) for kind in kinds}


@pytest.mark.parametrize("name", WORLDS)
def test_a_draw_has_exactly_the_patients_that_are_asked_for(name):
    rows = draw(WORLDS[name], events=7, others=90, generator=np.random.default_rng(0))
    assert (len(rows), int(rows.event.sum())) == (97, 7)
    assert len(set(rows.group)) == (24 if WORLDS[name].sites else 97) or WORLDS[name].sites
    again = draw(WORLDS[name], events=7, others=90, generator=np.random.default_rng(0))
    assert rows.features.equals(again.features)


@pytest.mark.slow
def test_the_oracle_is_better_in_truth_and_the_models_are_those_of_the_folds(studies):
    truth = studies["planted"]["truth"]
    assert truth[f"{ORACLE}/{LR}"]["auroc"] > truth[f"none/{LR}"]["auroc"] + 0.02
    assert 0.6 < truth[f"none/{LR}"]["auroc"] < 0.85
    assert truth[f"none/{LR}"]["observed_expected"] == pytest.approx(1, abs=0.3)


def test_useless_predictors_are_told_from_useful_ones(studies):
    useless, planted = Study(studies["useless"]), Study(studies["planted"])
    assert useless.truth("none", LR, "auroc") == pytest.approx(0.5, abs=0.03)
    assert useless.verdict.answer == "deploy_none"
    assert planted.verdict.answer != "deploy_none"
    assert not planted.unreliable


def test_a_leak_makes_a_study_unreliable(studies):
    assert Study(studies["leak"]).unreliable


def test_the_truth_is_measured_without_a_change_of_the_study(studies):
    """What is patched is put back, and the same study gives the same numbers."""
    assert cells.run_cell.__module__ == "mgvae.evaluation.cells"
    again = run_study(Task("leak", 20, 0), bootstrap=100)
    assert {**again, "seconds": 0} == {**studies["leak"], "seconds": 0}


def test_the_table_has_a_line_for_each_kind_of_study(studies):
    text = table(studies.values())
    assert "| planted | 60 | 1 |" in text
    assert "| leak | 20 | 1 |" in text
    assert text.count("| useless | 60 |") == 2  # verdicts and coverage


def test_a_stopped_benchmark_goes_on(tmp_path, monkeypatch, studies):
    wanted = list(tasks([WORLDS["leak"]], studies=9, seed=0))
    assert [(one.events, one.number) for one in wanted] == [(20, 0), (60, 0), (20, 8), (60, 8)]
    (tmp_path / STUDIES).write_text(json.dumps(studies["leak"]) + '\n{"world": "le')
    assert len(read(tmp_path)) == 1
    compute(wanted[:1], tmp_path, minutes=1, processes=1)
    assert len(read(tmp_path)) == 1
