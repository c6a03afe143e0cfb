"""Cells of a stopped evaluation are found again, and gone after a whole one."""

from __future__ import annotations

import numpy as np
import pytest

from flows.runs.records import all_records
from flows.study import kept_cells as module
from flows.study.kept_cells import WORTH_SECONDS, keeping_cells, kept_cells
from mgvae.evaluation.one_split import ArmOutcome
from mgvae.store.local import Store

OUTCOME = ArmOutcome({"logistic_regression": np.array([0.1, 1 / 3]), "file": np.array([0.5, 1e-300])}, 0.4, None, ("Look.",))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def stopped(store, key="evaluate-1", **outcomes):
    def work():
        with keeping_cells(store, key):
            for name, outcome in outcomes.items():
                kept_cells().save(name, outcome, WORTH_SECONDS)
            raise KeyboardInterrupt("now")

    with pytest.raises(KeyboardInterrupt, match="now"):
        work()


def test_what_a_stopped_stage_kept_comes_back_as_it_was(store):
    unavailable = ArmOutcome(unavailable="Too few cases.")
    stopped(store, whole=OUTCOME, none=unavailable)
    with keeping_cells(store, "evaluate-1"):
        found = kept_cells().load("whole")
        assert list(found.raw) == list(OUTCOME.raw)
        for name, p in OUTCOME.raw.items():
            np.testing.assert_array_equal(found.raw[name], p)
        assert (found.fitted_share, found.unavailable, found.remarks) == (0.4, None, ("Look.",))
        assert kept_cells().load("none") == unavailable
        assert kept_cells().load("other") is None


def test_another_stage_finds_nothing(store):
    stopped(store, whole=OUTCOME)
    with keeping_cells(store, "evaluate-2"):
        assert kept_cells().load("whole") is None


def test_a_whole_stage_leaves_nothing_behind(store):
    stopped(store, whole=OUTCOME)
    with keeping_cells(store, "evaluate-1"):
        kept_cells().load("whole")
        kept_cells().save("more", ArmOutcome({"a": np.ones(2)}), WORTH_SECONDS)
        assert len(store.entries()) == 2
    assert store.entries() == []
    assert all_records(store) == {}


def test_a_cell_that_is_computed_in_no_time_is_not_kept(store):
    with keeping_cells(store, "k"):
        kept_cells().save("quick", OUTCOME, WORTH_SECONDS - 1e-9)
        assert store.entries() == []


def test_a_damaged_cell_is_computed_again(store):
    stopped(store, whole=OUTCOME)
    (entry,) = store.entries()
    file = store.folder(entry.reference) / module.FILE
    file.chmod(0o600)
    file.write_bytes(b"damaged")
    with keeping_cells(store, "evaluate-1"):
        assert kept_cells().load("whole") is None


def test_a_disk_without_space_stops_no_evaluation(store, monkeypatch):
    def full(*_, **__):
        raise module.StoreError("No space left on device.")

    monkeypatch.setattr(Store, "save", full)
    with keeping_cells(store, "k"):
        kept_cells().save("whole", OUTCOME, 60.0)
        assert kept_cells().load("whole") is None


def test_outside_of_a_stage_nothing_is_kept():
    assert kept_cells() is None
