"""Tests of flows.study.stage_cost: what a stage costs counts its workers too, and stands beside the artifact."""

import json
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from flows.study.stage_cost import cost_of, held_mib, recorded_cost
from flows.study.stage_runner import StageCall, make_here
from flows.study.stages import split
from flows.study.stages.stage import write_json
from mgvae.report.formatting import mebibytes
from mgvae.store.artifact import CLOCK, digest_folder
from mgvae.store.open import open_store
from tests.flows.simulated_study import study_config

WORKER = """
import sys, time
held, start = bytearray(b"x") * (200 * 2**20), time.process_time()
print("ready", flush=True)
while time.process_time() < start + 0.3: pass
sys.stdin.read()
"""


def test_a_worker_counts_with_its_time_and_its_memory(tmp_path):
    before = held_mib()
    with recorded_cost(tmp_path):
        worker = subprocess.Popen([sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert worker.stdout.readline() == b"ready\n"
        time.sleep(0.6)  # two samples
        worker.communicate()
    cost = cost_of(tmp_path)
    assert cost.peak_mib > before + 200
    assert cost.processor_seconds >= 0.3
    assert cost.seconds >= 0.6


def test_bytes_are_those_of_the_block(tmp_path):
    with recorded_cost(tmp_path):
        (tmp_path / "payload").write_bytes(bytes(3 * 2**20))
        (tmp_path / "payload").read_bytes()
    cost = cost_of(tmp_path)
    assert 3 * 2**20 <= cost.written_bytes < 4 * 2**20
    assert 3 * 2**20 <= cost.read_bytes < 4 * 2**20


def test_a_cost_changes_no_digest_and_keeps_what_the_stage_wrote(tmp_path):
    (tmp_path / "payload").write_text("x")
    alone = digest_folder(tmp_path)
    with recorded_cost(tmp_path):
        (tmp_path / CLOCK).write_text('{"seconds": 2.5}')
    assert digest_folder(tmp_path) == alone
    assert json.loads((tmp_path / CLOCK).read_text())["seconds"] == 2.5


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"cost": {"seconds": -1}}', '{"seconds": 1}'])
def test_an_artifact_without_a_cost_has_none(tmp_path, text):
    if text is not None:
        (tmp_path / CLOCK).write_text(text)
    assert cost_of(tmp_path) is None


def test_a_failed_stage_leaves_no_cost(tmp_path):
    with pytest.raises(RuntimeError, match="stage"), recorded_cost(tmp_path):
        raise RuntimeError("stage")
    assert not (tmp_path / CLOCK).exists()


@pytest.mark.parametrize(
    ("amount", "text"), [(None, "–"), (0, "–"), (0.04, "0.0 MiB"), (9.96, "10.0 MiB"), (340.4, "340 MiB"), (1536, "1.5 GiB")]
)
def test_memory_reads_as_a_person_says_it(amount, text):
    assert mebibytes(amount) == text


def test_a_stage_made_here_gives_free_memory_back(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("flows.study.stage_runner.give_back_memory", lambda: seen.append(True))
    stage = replace(split.STAGE, make=lambda config, inputs, folder: write_json(folder / "made.json", {}), needs=())
    monkeypatch.setattr("flows.study.stage_runner.code_digest", lambda module: "code")
    make_here(StageCall(stage, study_config(), {}), open_store(tmp_path / "runs"))
    assert seen == [True]
