"""Tests of encoding by parts: the numbers are those of the whole table, wherever and however it is divided."""

from __future__ import annotations

import pickle
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from mgvae.cohort.stored_rows import store_table
from mgvae.config.dictionary import Column
from mgvae.errors import TrainingError
from mgvae.evaluation.parallel import ProcessPool
from mgvae.generator import encoding_parts
from mgvae.generator.encoding_parts import HERE, IN_FLIGHT, Workers, encoded_blocks, fit_by_column
from mgvae.model.encoding import fit_encoding
from tests.mgvae.small_cohort import COLUMNS, mixed

AT = np.random.default_rng(1).permutation(400)[:300]


@pytest.fixture(autouse=True)
def blocks_of_any_size(monkeypatch):
    monkeypatch.setattr(encoding_parts, "FEWEST", 1)


@pytest.fixture
def frame():
    return mixed(400)


@pytest.fixture
def table(frame, tmp_path):
    frame.to_parquet(tmp_path / "features.parquet")
    (tmp_path / "columns").mkdir()
    return store_table(tmp_path / "features.parquet", tmp_path / "columns")


@pytest.fixture
def whole(frame):
    """The encoding of the rows at ``AT``, and these rows, encoded at once."""
    rows = frame.iloc[AT].reset_index(drop=True)
    encoding = fit_encoding(rows, COLUMNS)
    return encoding, encoding.encode(rows, dtype=np.float32)


class Elsewhere(Executor):
    """Calls what travelled there as bytes, in which no place of this machine may stand."""

    def __init__(self, folder):
        self.folder, self.calls = folder.name.encode(), 0

    def submit(self, fn, /, *args, **kwargs):
        content = pickle.dumps((fn, args, kwargs))
        assert self.folder not in content
        self.calls += 1
        function, given, named = pickle.loads(content)  # noqa: S301 - written two lines above
        future = Future()
        future.set_result(function(*given, **named))
        return future


def same_as(whole, table, workers=HERE):
    encoding = fit_by_column(table, AT, COLUMNS, workers)
    blocks = list(encoded_blocks(encoding, table, AT, workers))
    assert encoding == whole[0]
    assert list(encoding.coders) == list(COLUMNS)
    assert {block.dtype for block in blocks} == {np.dtype(np.float32)}
    assert np.concatenate(blocks).tobytes() == whole[1].tobytes()
    return len(blocks)


@pytest.mark.parametrize("rows", [1, 7, 150, 299, 300, 10_000])
def test_blocks_of_any_size_are_the_rows_encoded_at_once(rows, whole, table, monkeypatch):
    monkeypatch.setattr(encoding_parts, "BLOCK", rows * 4 * whole[0].width)
    assert same_as(whole, table) == -(-300 // rows)


@pytest.mark.parametrize(("fewest", "blocks"), [(299, 2), (300, 1)])
def test_a_block_has_some_rows_however_wide(fewest, blocks, whole, table, monkeypatch):
    monkeypatch.setattr(encoding_parts, "BLOCK", 1)
    monkeypatch.setattr(encoding_parts, "FEWEST", fewest)
    assert same_as(whole, table) == blocks


def test_processes_give_the_same(whole, table, monkeypatch):
    monkeypatch.setattr(encoding_parts, "BLOCK", 50 * 4 * whole[0].width)
    with ProcessPool(2) as pool:
        same_as(whole, table, Workers(pool))


def test_to_workers_without_the_files_cells_travel(whole, table, tmp_path, monkeypatch):
    monkeypatch.setattr(encoding_parts, "BLOCK", 50 * 4 * whole[0].width)
    elsewhere = Elsewhere(tmp_path)
    same_as(whole, table, Workers(elsewhere, remote=True))
    assert elsewhere.calls == len(COLUMNS) + 6
    with pytest.raises(AssertionError, match="not in"):
        same_as(whole, table, Workers(elsewhere))


def test_what_a_column_s_worker_gets_does_not_grow_with_the_columns(tmp_path):
    sent = {}
    for count in (5, 500):
        names, folder = [f"column {place}" for place in range(count)], tmp_path / str(count)
        levels = pd.Categorical.from_codes([0, 1, 1], ["no", "yes"])
        (folder / "columns").mkdir(parents=True)
        pd.DataFrame(dict.fromkeys(names, levels)).to_parquet(folder / "features.parquet")
        table = store_table(folder / "features.parquet", folder / "columns")
        columns = dict.fromkeys(names, Column(kind="categorical", categories=("no", "yes")))
        with Weighed(2) as pool:
            assert list(fit_by_column(table, np.arange(3), columns, Workers(pool)).coders) == names
        sent[count] = max(pool.sent)
    assert sent[500] < sent[5] + 100  # a longer name and path


class Weighed(ThreadPoolExecutor):
    """Notes how many bytes each call would take to another process."""

    def __init__(self, threads):
        super().__init__(threads)
        self.sent = []

    def submit(self, fn, /, *args, **kwargs):
        self.sent.append(len(pickle.dumps((fn, args, kwargs))))
        return super().submit(fn, *args, **kwargs)


@pytest.mark.parametrize(("size", "most"), [(IN_FLIGHT // 3, 3), (IN_FLIGHT * 5, 2), (IN_FLIGHT // 40, 40)])
def test_parts_in_flight_are_bounded_by_their_bytes(size, most):
    made, taken, ahead = 0, 0, []

    def calls():
        nonlocal made
        for number in range(60):
            made += 1
            ahead.append(made - taken)
            yield lambda number=number: number

    with ThreadPoolExecutor(2) as pool:
        for number in Workers(pool).in_order(calls(), size=size):
            assert number == taken
            taken += 1
    assert taken == 60
    assert max(ahead) == most


def test_progress_counts_blocks(whole, table, monkeypatch):
    monkeypatch.setattr(encoding_parts, "BLOCK", 100 * 4 * whole[0].width)
    steps = []
    same_as(whole, table, Workers(on_done=lambda *step: steps.append(step)))
    assert steps == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(("at", "columns"), [(AT[:0], COLUMNS), (AT, {})], ids=["rows", "columns"])
def test_nothing_to_fit_is_said(at, columns, table):
    with pytest.raises(TrainingError, match="at least one training row with at least one column"):
        fit_by_column(table, at, columns)


def test_only_the_rows_at_the_places_are_fitted(frame, table):
    few = np.flatnonzero(pd.notna(frame["crp"]).to_numpy())[:50]
    assert not fit_by_column(table, few, COLUMNS).coders["crp"].missing
