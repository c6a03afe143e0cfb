"""Stages side by side: the bytes of a run in sequence, one failure for both, progress and cost of a stage in a worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import BrokenExecutor
from threading import Event, Thread

import prefect
import pytest

from flows.progress import listening, reporter
from flows.redaction import DefectError
from flows.study.flow import cohort_flow
from flows.study.outcome import result_of
from flows.study.side_by_side import Companion, make_in_worker
from flows.study.stage_cost import cost_of, recorded_cost
from flows.study.stages.registry import BESIDE, STAGES
from flows.study.stages.stage import Stage
from mgvae.errors import OutcomeError, TrainingError
from mgvae.evaluation.parallel import ProcessPool, StoppedError
from tests.flows.flow_tools import NAMES, fresh_from, read, run_study
from tests.flows.simulated_study import study_config


def _without_a_record(out, *stages):
    for stage in stages:
        for record in (out / ".store" / "records").glob(f"{stage}-*"):
            record.unlink()


@pytest.mark.slow
def test_a_run_side_by_side_makes_the_same_artifacts_and_shows_each_stage(finished, report, tmp_path, two_cores, monkeypatch):
    monkeypatch.setattr("flows.study.prefect_pages.EVERY_SECONDS", 0.0)
    out = fresh_from(finished, tmp_path, "evaluate")
    _without_a_record(out, *NAMES)
    _, again = run_study(finished.cohort, out)
    assert list(again["lineage"]["artifacts"]) == NAMES
    assert again["lineage"]["artifacts"] == report["lineage"]["artifacts"]
    assert not any(stage["cached"] for stage in again["lineage"]["stages"])
    stages = {stage["name"]: stage["cost"] for stage in again["lineage"]["stages"]}
    assert stages["evaluate"]["processor_seconds"] > stages["model"]["processor_seconds"]
    with prefect.get_client(sync_client=True) as client:
        for stage in ("pretrain", "finetune", "evaluate", "explain"):
            wanted = {"artifacts": {"key": {"any_": [f"mgvae-small-progress-{stage.replace('_', '-')}"]}}}
            (found,) = client.request("POST", "/artifacts/latest/filter", json=wanted).json()
            assert float(found["data"]) == 100.0
    assert not list(out.rglob(".writing-*"))


def chain_of(make):
    """Return what runs beside the evaluation, with a pre-training of another kind."""
    return {"evaluate": (Stage("pretrain", make, ("encode",), lambda _: {}), *BESIDE["evaluate"][1:])}


@pytest.mark.slow
def test_a_stage_that_fails_ends_the_evaluation_beside_it_and_is_the_error(finished, tmp_path, two_cores, monkeypatch):
    out = fresh_from(finished, tmp_path, "evaluate")
    _without_a_record(out, "pretrain")
    monkeypatch.setattr("flows.study.flow.BESIDE", chain_of(fail))
    start = time.monotonic()
    with pytest.raises(TrainingError, match="cannot train"):
        run_study(finished.cohort, out)
    assert time.monotonic() - start < 60
    assert not list(out.rglob(".writing-*"))


@pytest.mark.slow
def test_an_evaluation_that_fails_ends_the_stage_beside_it_and_is_the_error(finished, tmp_path, two_cores, monkeypatch):
    out = fresh_from(finished, tmp_path, "evaluate")
    monkeypatch.setattr("flows.study.flow.BESIDE", chain_of(sleep))
    monkeypatch.setattr("mgvae.evaluation.evaluate.predict_both", lambda *_, **__: fail(None, None, None))
    start = time.monotonic()
    with pytest.raises(TrainingError, match="cannot train"):
        result_of(cohort_flow, str(finished.cohort), out=str(out))
    assert time.monotonic() - start < 60
    assert not list(out.rglob(".writing-*"))


def test_a_stage_beside_needs_no_stage_that_may_not_have_ended():
    others = {stage.name for stages in BESIDE.values() for stage in stages}
    ended = set()
    for stage in STAGES:
        known = set(ended)
        for one in BESIDE.get(stage.name, ()):
            assert set(one.needs) <= known
            known.add(one.name)
        if stage.name not in others:
            assert set(stage.needs) <= ended | others
            ended.add(stage.name)
        ended |= others & set(stage.needs)
    assert ended | others == set(NAMES)


def wait_for(event):
    assert event.wait(30)


def test_what_fails_beside_is_raised_and_ends_the_calls_of_the_main_thread():
    def work():
        raise OutcomeError("too few events")

    def both(pool):
        with Companion(pool) as companion, pool.stopping():
            long = pool.submit(time.sleep, 60)
            companion.start(work)
            long.result()

    with pytest.raises(OutcomeError, match="too few events"), ProcessPool(2) as pool:
        both(pool)


@pytest.mark.parametrize("error", [OutcomeError("main"), KeyboardInterrupt("main")], ids=["error", "Ctrl-C"])
def test_what_fails_in_the_main_thread_is_raised_and_ends_the_calls_beside(error):
    begun, seen = Event(), []

    def work(pool):
        with pool.stopping():
            long = pool.submit(time.sleep, 60)
            begun.set()
            try:
                long.result()
            finally:
                seen.append("ended")

    def both(pool):
        with Companion(pool) as companion:
            companion.start(lambda: work(pool))
            wait_for(begun)
            raise error

    with pytest.raises(type(error), match="main"), ProcessPool(2) as pool:
        both(pool)
    assert seen == ["ended"]


def test_ctrl_c_is_not_lost_where_something_beside_has_failed():
    def work():
        raise OutcomeError("too few events")

    def both(pool):
        with Companion(pool) as companion:
            companion.start(work)
            while not companion._work.done():
                time.sleep(0.01)
            raise KeyboardInterrupt("now")

    with pytest.raises(KeyboardInterrupt, match="now"), ProcessPool(1) as pool:
        both(pool)


def test_one_piece_of_work_follows_the_other_and_an_error_at_the_end_is_raised():
    seen = []

    def work(number):
        seen.append(number)
        if number == 2:
            raise OutcomeError("two")

    def both(pool):
        with Companion(pool) as companion:
            for number in range(3):
                companion.start(lambda number=number: work(number))

    with pytest.raises(OutcomeError, match="two"), ProcessPool(1) as pool:
        both(pool)
    assert seen == [0, 1, 2]


class Steps:
    def __init__(self):
        self.steps = []

    def advanced(self, done, total, note=""):
        self.steps.append((done, total, note))


def steps(config, inputs, folder):
    for done in range(1, 4):
        reporter().advanced(done, 3, f"step {done}")
    start = time.process_time()
    while time.process_time() < start + 0.2:
        pass
    (folder / "made").write_text(f"{os.getpid()} {config.study} {inputs['split'].name}", encoding="utf-8")


def fail(config, inputs, folder):
    raise TrainingError("cannot train")


def leak(config, inputs, folder):
    raise ValueError("patient 4711")


def sleep(config, inputs, folder):
    time.sleep(300)


def end_itself(config, inputs, folder):
    os.kill(os.getpid(), signal.SIGKILL)


def made_by(pool, make, folder):
    folder.mkdir()
    make_in_worker(pool, Stage("encode", make, ("split",), dict), study_config(), {"split": folder / "split"}, folder)


@pytest.mark.slow
def test_a_stage_in_a_worker_reports_its_steps_and_its_cost(tmp_path):
    heard, folder = Steps(), tmp_path / "artifact"
    with ProcessPool(1) as pool, listening(heard):
        made_by(pool, steps, folder)
    assert heard.steps == [(done, 3, f"step {done}") for done in (1, 2, 3)]
    process, study, split = (folder / "made").read_text(encoding="utf-8").split()
    assert int(process) != os.getpid()
    assert (study, split) == ("small", "split")
    assert 0.19 < cost_of(folder).processor_seconds < 20


@pytest.mark.slow
def test_errors_of_a_stage_in_a_worker_are_those_of_one_here_and_quote_no_value(tmp_path):
    from flows.redaction import redact_errors

    with ProcessPool(1) as pool:
        with pytest.raises(TrainingError, match="cannot train"):
            made_by(pool, fail, tmp_path / "one")
        with (
            pytest.raises(DefectError, match=r"failed with ValueError in test_side_by_side\.py, line") as raised,
            redact_errors(),
        ):
            made_by(pool, leak, tmp_path / "two")
    assert "4711" not in str(raised.value)


@pytest.mark.slow
def test_a_worker_that_is_killed_is_no_stop_of_the_run(tmp_path):
    with ProcessPool(1) as pool, pytest.raises(BrokenExecutor, match="was killed"):
        made_by(pool, end_itself, tmp_path / "artifact")


def test_a_stage_that_is_stopped_from_beside_says_so(tmp_path):
    pool = ProcessPool(1)

    def stop():
        while not pool._processes:
            time.sleep(0.01)
        pool.shutdown(wait=False)

    thread = Thread(target=stop)
    thread.start()
    with pytest.raises(StoppedError, match="something beside it failed"):
        made_by(pool, sleep, tmp_path / "artifact")
    thread.join()


@pytest.mark.parametrize("counted", [True, False])
def test_what_workers_use_counts_once_whether_they_stay_or_end(tmp_path, counted):
    pool = ProcessPool(1, counted=counted)
    with recorded_cost(tmp_path):
        pool.submit(exec, "import time\nwhile time.process_time() < 1.0: pass").result()
        if not counted:
            pool.shutdown()
    pool.shutdown()
    assert 0.9 <= cost_of(tmp_path).processor_seconds < 1.8


def test_what_a_worker_used_before_counts_for_no_later_stage(tmp_path):
    with ProcessPool(1, counted=True) as pool:
        pool.submit(exec, "import time\nwhile time.process_time() < 1.0: pass").result()
        with recorded_cost(tmp_path):
            pool.submit(divmod, 7, 3).result()
    assert cost_of(tmp_path).processor_seconds < 0.5


def test_the_worker_of_a_stage_imports_no_orchestrator():
    code = "import sys; import flows.study.side_by_side; print({'prefect', 'torch'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_the_report_names_the_stages_in_their_order(finished):
    assert [stage["name"] for stage in read(finished.result)["lineage"]["stages"]] == NAMES
