"""Evaluation spread over a Dask cluster: one setting, MGVAE_DASK, and each split is a Prefect task that a Dask worker runs.

What travels is pickled, as all that Dask sends is: the cluster must be the team's own, and its network closed; see
deployments/SECURITY.md. Nothing of it is read from an artifact, and Prefect keeps neither the rows nor the result.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
from prefect import task
from prefect.futures import as_completed

from flows.redaction import OrchestrationError, withheld
from mgvae.evaluation.parallel import Spread

SETTING = "MGVAE_DASK"
CONNECTED_WITHIN = "30s"


def spread() -> Spread | None:
    """Return what spreads work over the cluster at MGVAE_DASK, such as tcp://scheduler:8786; None where it is not set."""
    address = os.environ.get(SETTING)
    if not address:
        return None

    def spread_over(function: Callable[..., Any], work: Sequence[tuple[Any, ...]]) -> Generator[Any, None, None]:
        with _runner(address) as runner:
            packed = [cloudpickle.dumps((function, arguments)) for arguments in work]
            futures = [
                runner.submit(_split.with_options(task_run_name=f"split {number + 1} of {len(work)}"), {"packed": one})
                for number, one in enumerate(packed)
            ]
            for future in as_completed(futures):
                yield future.result()

    return spread_over


@task(name="split", persist_result=False)
def _split(packed: bytes) -> Any:
    function, arguments = cloudpickle.loads(packed)
    with withheld():
        return function(*arguments)


def _runner(address: str) -> Any:
    try:
        from prefect_dask.task_runners import DaskTaskRunner
    except ImportError:
        raise OrchestrationError(
            f"{SETTING} names a Dask cluster, which needs a package that is not installed: pip install 'mgvae-cohort[dask]'."
        ) from None
    return DaskTaskRunner(address=address, client_kwargs={"timeout": CONNECTED_WITHIN, "set_as_default": False})
