"""Worker processes import the library while the extract is validated, where there will be work for them."""

from __future__ import annotations

import sys
import time

import pytest

from flows.study.worker_pool import prepare_workers
from mgvae.evaluation.parallel import ProcessPool
from tests.flows.flow_tools import run_study
from tests.flows.simulated_study import table, write_study

MODULES = ("torch", "sklearn.ensemble", "mgvae.generator.synthesis")


def imported():
    return [name for name in MODULES if name in sys.modules]


@pytest.mark.slow
def test_a_prepared_worker_has_the_library(two_cores):
    with ProcessPool(1) as pool:
        assert pool.submit(imported).result() == []
        prepare_workers(pool)
        assert pool.submit(imported).result() == [*MODULES]


def test_a_refused_extract_waits_for_no_import(finished, tmp_path, two_cores, monkeypatch):
    prepared = []
    monkeypatch.setattr("flows.study.flow.prepare_workers", lambda pool: prepared.append(pool.submit(time.sleep, 300)))
    frame = table()
    frame.loc[3:5, "age"] = 417
    start = time.monotonic()
    result, report = run_study(write_study(tmp_path / "study", frame), tmp_path / "runs")
    assert time.monotonic() - start < 60
    assert (result["exit_code"], list(report["lineage"]["artifacts"]), len(prepared)) == (2, ["validate"], 1)


def test_a_night_with_nothing_new_starts_no_worker(finished, report, tmp_path, two_cores, monkeypatch):
    monkeypatch.setattr("flows.study.flow.prepare_workers", lambda _: pytest.fail("workers were started"))
    _, again = run_study(finished.cohort, finished.copied(tmp_path))
    assert again == report
