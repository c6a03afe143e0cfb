"""Choose where cells of the evaluation and parts of the encoding are computed: processes here, or a Dask cluster.

What travels is pickled, as all that Dask sends is: the cluster must be the team's own, and its network closed; see
deployments/SECURITY.md. Nothing of it is read from an artifact.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any, TypeVar

from flows.redaction import OrchestrationError, redact_errors
from flows.study.stages.cohort_rows import DASK as SETTING
from flows.study.worker_pool import current_pool
from mgvae.evaluation import parallel

CONNECTED_WITHIN = "30s"
T = TypeVar("T")


@contextmanager
def open_executor() -> Iterator[Executor | None]:
    """Yield what computes calls in parallel; None to compute them here in turn.

    Leaving the block by an exception gives up all calls that are left.

    Raises:
        OrchestrationError: MGVAE_DASK, such as tcp://scheduler:8786, names a cluster that cannot be used.
    """
    address = os.environ.get(SETTING)
    if address:
        with _connected(address) as executor:
            yield executor
    elif (pool := current_pool()) is not None:
        with pool.stopping():
            yield pool
    elif parallel.cores() > 1:
        with parallel.ProcessPool(parallel.cores()) as pool:
            yield pool
    else:
        yield None


class RedactingExecutor(Executor):
    """Redacts errors in the cluster's workers, which log what their calls raise."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """See `concurrent.futures.Executor.submit`."""
        return self._executor.submit(_call, fn, args, kwargs)


def _call(function: Callable[..., T], args: Any, kwargs: Any) -> T:
    with redact_errors():
        return function(*args, **kwargs)


@contextmanager
def _connected(address: str) -> Iterator[Executor]:
    try:
        from distributed import Client
    except ImportError:
        raise OrchestrationError(
            f"{SETTING} names a Dask cluster, which needs a package that is not installed: pip install 'mgvae-cohort[dask]'."
        ) from None
    try:
        client = Client(address, timeout=CONNECTED_WITHIN, set_as_default=False)
    except (OSError, ValueError) as error:
        raise OrchestrationError(
            f"{SETTING} must be the address of a Dask scheduler, such as tcp://scheduler:8786, that answers within "
            f"{CONNECTED_WITHIN}; {type(error).__name__}. Correct it, or unset it to evaluate on this machine."
        ) from None
    with client:
        executor = client.get_executor(pure=False)
        try:
            yield RedactingExecutor(executor)
        finally:
            executor.shutdown(wait=False)
