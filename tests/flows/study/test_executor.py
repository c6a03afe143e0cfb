"""Evaluation and encoding give on a Dask cluster the bytes that they give here; what cannot be reached is named."""

from __future__ import annotations

import os
import time

import pytest

from flows.redaction import DefectError, OrchestrationError
from flows.study.executor import SETTING, RedactingExecutor, open_executor
from flows.study.stages.encode import STAGE
from mgvae.config.study import load_config
from mgvae.errors import OutcomeError
from mgvae.evaluation.parallel import ProcessPool
from mgvae.generator import encoding_parts
from mgvae.store.artifact import digest_folder
from tests.flows.flow_tools import artifact, fresh_from, run_study
from tests.ports import free_port

DASKS_OWN = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture
def cluster(database):
    """Two Dask workers, each a process, with the settings of this one."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as found:
        yield found


def where(number):
    return number, os.getpid()


def fail(error):
    raise error


@pytest.mark.slow
@DASKS_OWN
def test_a_cluster_evaluates_to_the_same_bytes(cluster, finished, report, tmp_path, monkeypatch):
    monkeypatch.setenv(SETTING, cluster.scheduler_address)
    out = fresh_from(finished, tmp_path, "evaluate")
    _, again = run_study(finished.cohort, out)
    stages = {stage["name"]: stage["cached"] for stage in again["lineage"]["stages"]}
    assert not stages["evaluate"]
    assert again["lineage"]["artifacts"]["evaluate"] == report["lineage"]["artifacts"]["evaluate"]


@pytest.mark.slow
@DASKS_OWN
def test_a_cluster_encodes_to_the_same_bytes(cluster, finished, report, tmp_path, monkeypatch):
    monkeypatch.setenv(SETTING, cluster.scheduler_address)
    monkeypatch.setattr(encoding_parts, "WORTH_WORKERS", 0)
    monkeypatch.setattr(encoding_parts, "BLOCK", 1 << 12)
    monkeypatch.setattr(encoding_parts, "FEWEST", 1)
    called = []
    submit = RedactingExecutor.submit
    monkeypatch.setattr(RedactingExecutor, "submit", lambda pool, fn, *given: called.append(fn) or submit(pool, fn, *given))
    split, encode = (artifact(finished.out, report, name) for name in ("split", "encode"))
    (tmp_path / "encode").mkdir()
    STAGE.make(load_config(finished.cohort), {"split": split}, tmp_path / "encode")
    assert digest_folder(tmp_path / "encode") == report["lineage"]["artifacts"]["encode"] == digest_folder(encode)
    assert len(called) > 10


@pytest.mark.slow
@DASKS_OWN
def test_the_work_is_done_by_both_workers(cluster, monkeypatch):
    monkeypatch.setenv(SETTING, cluster.scheduler_address)
    with open_executor() as executor:
        found = [future.result() for future in [executor.submit(where, number) for number in range(40)]]
    assert [number for number, _ in found] == list(range(40))
    processes = {process for _, process in found}
    assert len(processes) == 2
    assert os.getpid() not in processes


@pytest.mark.slow
@DASKS_OWN
def test_what_a_worker_of_the_cluster_raises_quotes_no_value(cluster, monkeypatch):
    monkeypatch.setenv(SETTING, cluster.scheduler_address)
    with open_executor() as executor:
        with pytest.raises(DefectError, match=r"failed with ValueError in test_executor\.py") as raised:
            executor.submit(fail, ValueError("patient 4711")).result()
        with pytest.raises(OutcomeError, match="too few events"):
            executor.submit(fail, OutcomeError("too few events")).result()
    assert "4711" not in str(raised.value)


def _leave_the_block(left):
    with open_executor() as executor:
        left += [executor.submit(time.sleep, 1) for _ in range(200)]
        raise OutcomeError("stop")


@pytest.mark.slow
@DASKS_OWN
def test_what_is_left_is_given_up_with_the_block(cluster, monkeypatch):
    monkeypatch.setenv(SETTING, cluster.scheduler_address)
    left = []
    with pytest.raises(OutcomeError, match="stop"):
        _leave_the_block(left)
    assert sum(future.cancelled() for future in left) > 100


@DASKS_OWN
def test_a_cluster_that_does_not_answer_is_named(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("flows.study.executor.CONNECTED_WITHIN", "1s")
    monkeypatch.setenv(SETTING, f"tcp://127.0.0.1:{free_port()}")
    with pytest.raises(OrchestrationError, match="MGVAE_DASK must be the address of a Dask scheduler"), open_executor():
        pass


@pytest.mark.parametrize(("count", "kind"), [(1, type(None)), (4, ProcessPool)])
def test_without_the_setting_the_cores_of_this_machine_work(count, kind, monkeypatch):
    monkeypatch.delenv(SETTING, raising=False)
    monkeypatch.setattr("mgvae.evaluation.parallel.cores", lambda: count)
    with open_executor() as executor:
        assert isinstance(executor, kind)
