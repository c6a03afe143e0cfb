"""Evaluation on a Dask cluster of two processes gives the bytes that it gives here; without a cluster, an error says so."""

from __future__ import annotations

import os

import pytest

from flows.study.dask import SETTING, spread
from tests.flows.flow_tools import fresh_from, run_study

pytestmark = pytest.mark.slow


@pytest.fixture
def cluster(database):
    """Two Dask workers, each a process, with the settings of this one."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as found:
        yield found


def where(numbers):
    return numbers, os.getpid()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")  # of Dask's own
def test_a_cluster_evaluates_to_the_same_bytes(cluster, finished, report, tmp_path, monkeypatch):
    monkeypatch.setenv(SETTING, cluster.scheduler_address)
    out = fresh_from(finished, tmp_path, "evaluate")
    _, again = run_study(finished.cohort, out)
    stages = {stage["name"]: stage["cached"] for stage in again["lineage"]["stages"]}
    assert not stages["evaluate"]
    assert again["lineage"]["artifacts"]["evaluate"] == report["lineage"]["artifacts"]["evaluate"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_the_work_is_done_by_both_workers(cluster, monkeypatch):
    from prefect import flow

    monkeypatch.setenv(SETTING, cluster.scheduler_address)

    @flow
    def spreading():
        return list(spread()(where, [(number,) for number in range(40)]))

    found = spreading()
    assert sorted(number for number, _ in found) == list(range(40))
    processes = {process for _, process in found}
    assert len(processes) == 2
    assert os.getpid() not in processes


def test_without_the_setting_nothing_is_spread(monkeypatch):
    monkeypatch.delenv(SETTING, raising=False)
    assert spread() is None
