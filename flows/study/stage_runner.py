"""Run one stage, or reuse what an earlier run made of the same content."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.context import FlowRunContext
from prefect.states import Completed

from flows.progress import reporter
from flows.redaction import redact_errors
from flows.runs.records import look_up, write_record
from flows.study.cache_key import code_digest, stage_key
from flows.study.kept_cells import keeping_cells
from flows.study.side_by_side import make_in_worker
from flows.study.stage_cost import recorded_cost
from flows.study.stages.stage import Stage
from mgvae.config.study import CohortConfig
from mgvae.errors import DamagedArtifactError, MissingArtifactError
from mgvae.evaluation.parallel import ProcessPool
from mgvae.memory import give_back_memory
from mgvae.store.artifact import Reference
from mgvae.store.open import AnyStore

ATTEMPTS = 3  # an artifact that another process removes before it is read is made again
REUSED = "Cached"  # the state's name, as Prefect itself calls a result that is reused


@dataclass(frozen=True)
class StageCall:
    """A stage with what it is to work on.

    Attributes:
        stage: the stage.
        config: the study.
        inputs: the artifacts that it reads, by stage.
        extra: what its key holds besides its part of the configuration.
    """

    stage: Stage
    config: CohortConfig
    inputs: Mapping[str, Reference]
    extra: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """What decides the stage's outcome, for its artifact's manifest."""
        return {
            "stage": self.stage.name,
            "parameters": {**self.stage.reads(self.config), **self.extra},
            "inputs": {name: reference.sha256 for name, reference in self.inputs.items()},
            "code": code_digest(self.stage.make.__module__),
        }

    @property
    def key(self) -> str:
        """The cache key."""
        code, parameters = self.provenance["code"], self.provenance["parameters"]
        return stage_key(self.stage.name, code=code, parameters=parameters, inputs=self.inputs)


@dataclass(frozen=True)
class StageResult:
    """The artifact of a stage.

    Attributes:
        reference: kind and digest.
        folder: where it lies on this machine.
        cached: whether an earlier run made it.
        seconds: how long it took to make or to find it.
    """

    reference: Reference
    folder: Path
    cached: bool
    seconds: float


def make_here(call: StageCall, store: AnyStore, pool: ProcessPool | None = None) -> Reference:
    """Run a stage in this process, or in a worker of ``pool``, and return its artifact."""
    folders = {name: store.folder(reference) for name, reference in call.inputs.items()}
    about = {**call.provenance, "ran": current_place()}

    def make(folder: Path) -> None:
        if pool is not None:
            make_in_worker(pool, call.stage, call.config, folders, folder)
            return
        with recorded_cost(folder):
            call.stage.make(call.config, folders, folder)
        give_back_memory()

    with keeping_cells(store.local, call.key):
        return store.save(call.stage.name, make, about=about)


def run_or_reuse(name: str, key: str, make: Callable[[], Reference], store: AnyStore) -> StageResult:
    """Return the artifact on record for ``key``, else make it, as a Prefect task.

    Args:
        name: the stage.
        key: its cache key.
        make: stores the artifact and returns its reference.
        store: where it lies.
    Raises:
        StoreError: the artifact was removed each time after it was made, or the store cannot be used.
    """
    reporter().started(name)
    start = time.perf_counter()
    for left in reversed(range(ATTEMPTS)):
        reference, cached = _run_task(name, key, make, store)
        try:
            folder = store.folder(reference)
            break
        except (MissingArtifactError, DamagedArtifactError):
            if not left:
                raise
    reporter().ended(name, cached=cached)
    return StageResult(reference, folder, cached, time.perf_counter() - start)


def current_place() -> dict[str, str | None]:
    """Return work pool, worker (both None outside of pools) and machine."""
    context = FlowRunContext.get()
    pool = context.flow_run.work_pool_name if context is not None and context.flow_run is not None else None
    return {"pool": pool, "worker": os.environ.get("PREFECT__WORKER_NAME"), "host": platform.node()}


def _run_task(name: str, key: str, make: Callable[[], Reference], store: AnyStore) -> tuple[Reference, bool]:
    """Return the artifact of a stage, and whether an earlier run made it."""

    def work() -> Any:
        with redact_errors():
            recorded, problem = look_up(store, key)
            if recorded is not None:
                return Completed(name=REUSED, data=recorded.to_json())
            if problem is not None:
                get_run_logger().warning("%s It is made again.", problem)
            reference = make()
            write_record(store, key, reference)
            return reference.to_json()

    state = run_stage.with_options(name=name, task_run_name=name)(work, return_state=True)
    return Reference(**state.result()), state.name == REUSED


@task(persist_result=False, cache_policy=NO_CACHE)
def run_stage(work: Callable[[], Any]) -> Any:
    """Return the reference of an artifact as JSON, or a state that holds it."""
    return work()
