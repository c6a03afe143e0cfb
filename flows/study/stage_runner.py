"""A stage at work: its key, its reuse by content, its artifact. The same code wherever the stage is carried out."""

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
from prefect.context import FlowRunContext
from prefect.serializers import JSONSerializer

from flows.progress import reporter
from flows.redaction import withheld
from flows.runs.records import forget_if_unusable, records, share_record
from flows.study.cache_key import code_digest, stage_key
from flows.study.stages.stage import Stage
from mgvae.config.study import CohortConfig
from mgvae.errors import DamagedArtifactError, MissingArtifactError
from mgvae.store.artifact import Reference
from mgvae.store.open import AnyStore

PLAIN_JSON = JSONSerializer(object_encoder=None, object_decoder=None)
TRIES = 3  # an artifact that another process removes between its making and its reading is made again


@dataclass(frozen=True)
class Order:
    """A stage to be carried out.

    Attributes:
        stage: which.
        config: the study.
        inputs: the artifacts that it reads, by stage.
        more: what its key holds besides its part of the configuration.
    """

    stage: Stage
    config: CohortConfig
    inputs: Mapping[str, Reference]
    more: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def about(self) -> dict[str, Any]:
        """What decides the stage's outcome, as its artifact's manifest tells it."""
        return {
            "stage": self.stage.name,
            "parameters": {**self.stage.reads(self.config), **self.more},
            "inputs": {name: one.sha256 for name, one in self.inputs.items()},
            "code": code_digest(self.stage.make.__module__),
        }

    @property
    def key(self) -> str:
        """The cache key."""
        about = self.about
        return stage_key(self.stage.name, code=about["code"], parameters=about["parameters"], inputs=self.inputs)


@dataclass(frozen=True)
class Done:
    """What came of a stage: its artifact, where it lies, whether an earlier run made it, and how long that took."""

    reference: Reference
    folder: Path
    cached: bool
    seconds: float


def make_here(order: Order, store: AnyStore) -> Reference:
    """Carry a stage out in this process, and return its artifact."""
    folders = {name: store.folder(one) for name, one in order.inputs.items()}
    about = {**order.about, "ran": whereabouts()}
    return store.save(order.stage.name, lambda folder: order.stage.make(order.config, folders, folder), about=about)


def perform(name: str, key: str, make: Callable[[], Reference], store: AnyStore) -> Done:
    """Return the artifact of ``key``: what an earlier run made of the same content, else what ``make`` makes.

    Args:
        name: the stage.
        key: its cache key.
        make: stores the artifact and returns its reference.
        store: where it lies.
    Raises:
        StoreError: the artifact was taken away each time it was made.
    """
    reporter().started(name)
    start = time.perf_counter()
    for left in reversed(range(TRIES)):
        reference, cached = _made(name, key, make, store)
        try:
            folder = store.folder(reference)
            break
        except (MissingArtifactError, DamagedArtifactError):
            if not left:
                raise
    share_record(store, key, reference)
    reporter().ended(name, cached=cached)
    return Done(reference, folder, cached, time.perf_counter() - start)


def whereabouts() -> dict[str, str | None]:
    """Return where this process works: the pool and the worker that started it (None outside of pools), and the machine."""
    context = FlowRunContext.get()
    pool = context.flow_run.work_pool_name if context is not None and context.flow_run is not None else None
    return {"pool": pool, "worker": os.environ.get("PREFECT__WORKER_NAME"), "host": platform.node()}


def _made(name: str, key: str, make: Callable[[], Reference], store: AnyStore) -> tuple[Reference, bool]:
    """Return the artifact of a stage, and whether an earlier run made it."""
    wrong = forget_if_unusable(store, key)
    if wrong:
        get_run_logger().warning("%s It is made again.", wrong)
    keeper = run_stage.with_options(name=name, task_run_name=name, result_storage=records(store))
    state = keeper(key, make, return_state=True)
    return Reference(**state.result()), state.name == "Cached"


@task(persist_result=True, result_serializer=PLAIN_JSON, cache_key_fn=lambda context, parameters: parameters["key"])
def run_stage(key: str, make: Callable[[], Reference]) -> dict[str, str]:
    """Return the reference of the artifact that ``make`` stores; Prefect reuses it wherever ``key`` is the same."""
    with withheld():
        reference = make()
    return reference.to_json()
