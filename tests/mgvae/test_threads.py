"""A block on one thread: in torch and in BLAS, and torch is imported for it only where the block may use it."""

import subprocess
import sys
import types
from contextlib import contextmanager

import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from mgvae import threads
from mgvae.threads import one_thread


def test_a_block_on_one_thread_leaves_threads_as_they_were():
    def counts():
        return [pool["num_threads"] for pool in threadpool_info()] + [torch.get_num_threads()]

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with threadpool_limits(limits=2):
            for _ in range(2):
                with one_thread():
                    assert set(counts()) == {1}
                assert set(counts()) == {2}
    finally:
        torch.set_num_threads(before)


def test_thread_pools_are_looked_for_again_after_an_import(monkeypatch):
    found = []
    monkeypatch.setattr(threads, "ThreadpoolController", lambda: found.append(1) or types.SimpleNamespace(limit=no_limit))
    threads._thread_pools.cache_clear()
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
        threads._thread_pools.cache_clear()


@contextmanager
def no_limit(*, limits):
    assert limits == 1
    yield


@pytest.mark.slow
@pytest.mark.parametrize(("torch", "printed"), [(True, "True 1\n"), (False, "False 1\n")])
def test_torch_is_imported_where_the_block_may_use_it_and_limited_where_it_is_there(torch, printed):
    code = (
        "import sys; from mgvae.threads import one_thread\n"
        f"with one_thread(torch={torch}): print('torch' in sys.modules, end=' ')\n"
        "import torch\n"
        "torch.set_num_threads(2)\n"
        "with one_thread(torch=False): print(torch.get_num_threads())"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == printed
