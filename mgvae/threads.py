"""Threads of the numeric libraries."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import lru_cache

from threadpoolctl import ThreadpoolController


@contextmanager
def one_thread(*, torch: bool = True) -> Iterator[None]:
    """Run the block on one thread, in torch and in BLAS alike.

    Args:
        torch: whether the block may use torch, whose import takes more than a second; False: it does not import it.
    """
    limited = _torch_on_one_thread() if torch or "torch" in sys.modules else nullcontext()
    with limited, _thread_pools(len(sys.modules)).limit(limits=1):  # torch is imported before its libraries are looked for
        yield


@contextmanager
def _torch_on_one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@lru_cache(maxsize=1)
def _thread_pools(modules: int) -> ThreadpoolController:
    """Return the thread pools of the libraries in this process; found anew when more modules are imported."""
    return ThreadpoolController()
