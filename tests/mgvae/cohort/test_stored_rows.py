"""Tests of rows in files: what is read is what was in memory."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mgvae.cohort import rows as rows_module
from mgvae.cohort import stored_rows as module
from mgvae.cohort.rows import Rows
from mgvae.cohort.stored_rows import joined, store_table, stored_rows


@pytest.fixture
def whole():
    features = pd.DataFrame(
        {
            "a.b": [1.5, np.nan, -2.0, 0.0, 7.0],
            "grade": pd.Categorical(["low", None, "high", "low", "mid"], ["low", "mid", "high"], ordered=True),
            "many": pd.Categorical.from_codes([0, 299, 5, -1, 7], [str(level) for level in range(300)]),
            "a": [1.0, 2.0, 3.0, 4.0, 5.0],
        }
    )
    return Rows(features, np.array([0, 1, 0, 1, 0]), np.array([3, 3, 1, 0, 2]), np.arange(1.0, 6.0))


@pytest.fixture
def table(whole, tmp_path):
    whole.features.to_parquet(tmp_path / "features.parquet")
    (tmp_path / "columns").mkdir()
    return store_table(tmp_path / "features.parquet", tmp_path / "columns")


def same(one, other):
    pd.testing.assert_frame_equal(one.features, other.features)
    for name in ("event", "group", "weight"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("readers", [(), module._READERS])  # without any, each file is mapped
def test_rows_read_from_files_are_those_in_memory(whole, table, readers, monkeypatch):
    monkeypatch.setattr(module, "_READERS", readers)
    stored = stored_rows(table, np.arange(5), whole)
    for at in (np.arange(5), np.array([4, 0, 0]), np.array([], dtype=np.int64)):
        same(stored.take(at), whole.take(at))
    same(stored.part(np.array([1, 3, 4])).take(np.array([2, 0])), whole.take(np.array([4, 1])))
    pd.testing.assert_frame_equal(stored.features, whole.features)
    assert (len(stored), stored.prevalence) == (5, whole.prevalence)
    for one, other in zip(stored.columns(), whole.columns(), strict=True):
        pd.testing.assert_frame_equal(one, other)


def test_many_columns_of_few_rows_all_stay(tmp_path, monkeypatch):
    names = [f"c{place}" for place in range(1000)]
    features = pd.DataFrame({name: np.arange(3.0) + place for place, name in enumerate(names)})
    features.to_parquet(tmp_path / "features.parquet")
    (tmp_path / "columns").mkdir()
    table = store_table(tmp_path / "features.parquet", tmp_path / "columns")
    table.take(np.arange(3))
    monkeypatch.setattr(module.np, "load", lambda file: pytest.fail(f"{file.name} was read again"))
    pd.testing.assert_frame_equal(table.take(np.arange(3)), features)


@pytest.mark.parametrize(("rows", "mapped"), [(1 << 15, False), (1 << 18, True)])  # with the header of the file a little more
def test_a_large_column_is_mapped_and_a_file_that_was_written_anew_is_read_anew(tmp_path, rows, mapped):
    np.save(tmp_path / "0.npy", np.zeros(rows, dtype=np.int8))
    found = module._values(tmp_path / "0.npy")
    assert isinstance(found, np.memmap) == mapped
    (tmp_path / "0.npy").unlink()
    np.save(tmp_path / "0.npy", np.ones(rows, dtype=np.int8))
    assert module._values(tmp_path / "0.npy").all()
    assert not found.any()


@pytest.mark.parametrize(("size", "blocks"), [(5, 1), (4, 2), (2, 3)])
def test_blocks_hold_each_row_once(whole, table, monkeypatch, size, blocks):
    for place in (rows_module, module):
        monkeypatch.setattr(place, "BLOCK", size)
    for source in (whole, stored_rows(table, np.arange(5), whole)):
        found = list(source.blocks())
        assert len(found) == blocks
        pd.testing.assert_frame_equal(pd.concat(found, ignore_index=True), whole.features)


def test_no_row_is_one_empty_block(whole, table):
    nobody = np.array([], dtype=np.int64)
    for source in (whole.part(nobody), stored_rows(table, np.arange(5), whole).part(nobody)):
        assert [len(block) for block in source.blocks()] == [0]


def test_parts_are_joined_in_order(whole, table):
    stored = stored_rows(table, np.arange(5), whole)
    first, second = np.array([3, 1]), np.array([0, 4])
    together = joined(stored.part(first), stored.part(second))
    same(together.take(np.arange(4)), whole.take(np.array([3, 1, 0, 4])))
    in_memory = joined(whole.take(first), whole.take(second))
    np.testing.assert_array_equal(in_memory.event, together.event)
    with pytest.raises(TypeError, match="both be stored"):
        joined(stored, whole)


def test_a_small_column_is_read_once_and_again_when_its_file_is_another(whole, table, monkeypatch):
    load, loaded = np.load, []
    monkeypatch.setattr(module.np, "load", lambda file, **how: loaded.append(file) or load(file, **how))
    stored = stored_rows(table, np.arange(5), whole)
    for _ in range(2):
        same(stored.take(np.arange(5)), whole)
    assert len(loaded) == 4
    (table.folder / "3.npy").unlink()
    np.save(table.folder / "3.npy", np.arange(5.0, 0.0, -1.0))
    assert stored.take(np.arange(5)).features["a"].tolist() == [5.0, 4.0, 3.0, 2.0, 1.0]
    assert len(loaded) == 5
