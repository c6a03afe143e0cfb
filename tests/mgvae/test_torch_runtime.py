"""Tensors in files come back as they were; a place that cannot be written is an OSError, as for any other file."""

import sys
import types
from contextlib import contextmanager

import pytest
import torch
from safetensors.torch import load_file
from threadpoolctl import threadpool_info, threadpool_limits

from mgvae import torch_runtime
from mgvae.threads import one_thread
from mgvae.torch_runtime import save_tensors


def test_they_come_back(tmp_path):
    tensors = {"a": torch.arange(6).reshape(2, 3), "b": torch.tensor([True, False])}
    save_tensors(tensors, tmp_path / "file")
    back = load_file(tmp_path / "file")
    assert set(back) == set(tensors)
    assert all(torch.equal(back[name], tensors[name]) for name in tensors)


def test_a_place_that_cannot_be_written(tmp_path):
    with pytest.raises(FileNotFoundError, match="No such file"):
        save_tensors({"a": torch.zeros(1)}, tmp_path / "nowhere" / "file")


def test_a_block_on_one_thread_leaves_threads_as_they_were():
    def threads():
        return [pool["num_threads"] for pool in threadpool_info()] + [torch.get_num_threads()]

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with threadpool_limits(limits=2):
            for _ in range(2):
                with one_thread():
                    assert set(threads()) == {1}
                assert set(threads()) == {2}
    finally:
        torch.set_num_threads(before)


def test_thread_pools_are_looked_for_again_after_an_import(monkeypatch):
    found = []
    monkeypatch.setattr(torch_runtime, "ThreadpoolController", lambda: found.append(1) or types.SimpleNamespace(limit=no_limit))
    torch_runtime._thread_pools.cache_clear()
    try:
        for _ in range(2):
            with one_thread():
                pass
        assert len(found) == 1
        monkeypatch.setitem(sys.modules, "newly_imported", types.ModuleType("newly_imported"))
        with one_thread():
            pass
        assert len(found) == 2
    finally:
        torch_runtime._thread_pools.cache_clear()


@contextmanager
def no_limit(*, limits):
    assert limits == 1
    yield
