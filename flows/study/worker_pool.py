"""Worker processes of this machine that all stages of a run compute their cells in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module

from flows.study.stages.cohort_rows import on_cluster
from mgvae.evaluation import parallel

PREPARED = 8  # most processes that import the library before there is work for them: each holds a quarter of a gigabyte
LIBRARY = ("mgvae.classifiers.models", "mgvae.generator.synthesis")  # with torch and scikit-learn; named, as no result needs it
_shared: ContextVar[parallel.ProcessPool | None] = ContextVar("shared_pool", default=None)


@contextmanager
def shared_pool() -> Iterator[parallel.ProcessPool | None]:
    """Have all stages of the block compute their cells in the same worker processes, which import the library once.

    Yields them; None on one core, or where a cluster computes the cells.
    """
    if on_cluster() or parallel.cores() == 1:
        yield None
        return
    with parallel.ProcessPool(parallel.cores(), counted=True) as pool:
        token = _shared.set(pool)
        try:
            yield pool
        finally:
            _shared.reset(token)


def current_pool() -> parallel.ProcessPool | None:
    """Return the processes of the `shared_pool` around; None outside of one."""
    return _shared.get()


def prepare_workers(pool: parallel.ProcessPool) -> None:
    """Have worker processes import what fits need, while this one computes a stage that leaves cores idle."""
    for _ in range(min(parallel.cores(), PREPARED)):
        pool.submit(_import_library)


def _import_library() -> None:
    for name in LIBRARY:
        import_module(name)
