"""Stage encode: its files are the same wherever parts are computed, and its memory is that of a block and a column."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from flows.progress import listening
from flows.study.stages import encode
from flows.study.stages.encoded import encoded_rows, write_encoded
from mgvae.cohort.build import Cohort
from mgvae.cohort.files import save_cohort
from mgvae.store.artifact import digest_folder
from tests.flows.simulated_study import study_config
from tests.paths import ROOT

WIDE = 40
COLUMNS = {f"x{number}": {"kind": "continuous"} for number in range(WIDE)}
EXCLUDED = {name: {"role": "identifier"} for name in ("patient", "family")} | {
    "index_day": {"kind": "date", "role": "excluded"},
    "died": {"kind": "binary", "role": "excluded", "categories": ["no", "yes"]},
}
# the most memory of its own that a process holds while the stage works, beyond what it held before, in MiB
PROGRAM = """
import sys, threading
from pathlib import Path
import numpy as np
from flows.study.stages import encode
from mgvae.generator import encoding_parts
from mgvae.memory import held_bytes
from tests.flows.study.stages.test_encode import config
encoding_parts.BLOCK, encoding_parts.WORTH_WORKERS = 1 << 20, 1 << 60
split, folder = map(Path, sys.argv[1:])
before, ended, most = held_bytes(), threading.Event(), [0]
def watch():
    while not ended.wait(0.002):
        most[0] = max(most[0], held_bytes())
watcher = threading.Thread(target=watch)
watcher.start()
encode.STAGE.make(config(), {"split": split}, folder)
ended.set()
watcher.join()
print((most[0] - before) / 2**20)
"""


def config(**changes):
    return study_config(columns=EXCLUDED | COLUMNS, **changes)


def save_split(folder, rows):
    """Write what stage split writes of so many patients; a tenth have the event, a fifth are held out."""
    rng = np.random.default_rng(0)
    features = pd.DataFrame({name: rng.normal(size=rows).round(3) for name in COLUMNS})
    features.iloc[::7, 0] = np.nan
    names = np.array([str(number) for number in range(rows)], dtype=object)
    event, nobody = rng.random(rows) < 0.1, pd.DataFrame(index=features.index)
    folder.mkdir()
    save_cohort(folder, Cohort(features, event, names, np.arange(rows), names, nobody, None, ()), rng.random(rows) < 0.2)
    return folder


def made(split, folder):
    folder.mkdir()
    encode.STAGE.make(config(), {"split": split}, folder)
    return folder


class Steps:
    def __init__(self):
        self.steps = []

    def advanced(self, done, total, note=""):
        self.steps.append((done, total, note))


def test_worker_processes_write_the_same_files(tmp_path, monkeypatch):
    split, heard = save_split(tmp_path / "split", 500), Steps()
    here = made(split, tmp_path / "here")
    monkeypatch.setattr("mgvae.generator.encoding_parts.WORTH_WORKERS", 0)
    monkeypatch.setattr("mgvae.generator.encoding_parts.BLOCK", 1 << 16)
    monkeypatch.setattr("mgvae.generator.encoding_parts.FEWEST", 1)
    monkeypatch.setattr("mgvae.evaluation.parallel.cores", lambda: 2)
    with listening(heard):
        assert digest_folder(made(split, tmp_path / "there")) == digest_folder(here)
    assert len(heard.steps) > 2
    assert heard.steps[-1] == (len(heard.steps), len(heard.steps), f"block {len(heard.steps)} of {len(heard.steps)}")
    assert sorted(path.name for path in here.iterdir()) == ["encoding.json", "group.npy", "majority.npy", "rows.npy"]


def test_for_a_small_table_no_process_is_started(tmp_path, monkeypatch):
    def fail():
        raise AssertionError("an executor was opened")

    monkeypatch.setattr("flows.study.executor.open_executor", fail)
    made(save_split(tmp_path / "split", 100), tmp_path / "encode")


def test_rows_are_mapped_and_those_without_the_event_come_first(tmp_path):
    table = np.arange(12, dtype=np.float32).reshape(6, 2)
    write_encoded(tmp_path, [table[:4], table[4:]], 2, np.array([5, 6, 7, 8, 9, 9]), np.array([0, 2, 3, 7]))
    found = encoded_rows(tmp_path)
    np.testing.assert_array_equal(found.rows.numpy(), table)
    np.testing.assert_array_equal(found.majority.numpy(), table[:4])
    assert found.event.tolist() == [False] * 4 + [True] * 2
    found.rows[0, 0] = 100.0
    np.testing.assert_array_equal(np.load(tmp_path / "rows.npy"), table)  # it stayed in this process
    inputs = encoded_rows(tmp_path).inputs(None, found.rows.device)
    np.testing.assert_array_equal(inputs.majority.numpy(), table[:4])
    np.testing.assert_array_equal(inputs.cases.numpy(), table[4:])
    assert (inputs.majority_group.tolist(), inputs.case_group.tolist()) == ([5, 6, 7, 8], [9, 9])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not say what a process holds")
def test_memory_does_not_grow_with_the_table(tmp_path):
    few, many = 10_000, 60_000
    held = []
    for rows in (few, many):
        (folder := tmp_path / f"encode-{rows}").mkdir()
        command = [sys.executable, "-c", PROGRAM, str(save_split(tmp_path / f"split-{rows}", rows)), str(folder)]
        quiet = os.environ | {"OMP_NUM_THREADS": "1"}
        said = subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True, check=True, timeout=300).stdout
        held.append(float(said))
    table = (folder / "rows.npy").stat().st_size / 2**20
    assert held[1] - held[0] < table / 3, held  # subjects, groups and events, and a column
