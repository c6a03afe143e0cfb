"""Stages that workers of another pool carry out, each as a flow run of its own deployment; see `flows.study.placement`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from prefect import flow, get_client, get_run_logger
from prefect.client.schemas import FlowRun, State
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL
from prefect.states import Cancelling

from flows.allowed_paths import confine
from flows.redaction import OrchestrationError, withheld
from flows.runs.records import record_of
from flows.study.stage_runner import Order, make_here, perform
from flows.study.stages.registry import STAGES
from flows.study.stages.stage import Stage
from mgvae.config.strict import build
from mgvae.config.study import CohortConfig
from mgvae.store.artifact import Reference
from mgvae.store.open import AnyStore, open_store

FLOW = "mgvae-stage"

POLL_SECONDS = 0.5

TOLD_AFTER_SECONDS = 60.0  # without a worker, a person should learn why nothing happens

GIVEN_UP_AFTER_SECONDS = 6 * 3600.0

SERVER_AWAY_SECONDS = 600.0  # how long a server may be away, as when it is restarted

SETTINGS = "settings.json"


def place(order: Order, pool: str, store: AnyStore, out: Path) -> Reference:
    """Have the workers of ``pool`` carry a stage out, wait for it, and return its artifact.

    The settings travel through the store, so that the worker needs no copy of cohort.yaml and Prefect learns nothing of them.

    Args:
        order: the stage.
        pool: cpu or gpu: deployment mgvae-stage/cpu or mgvae-stage/gpu.
        store: both sides must reach it.
        out: folder of the runs, for what the other side fetches.
    Raises:
        OrchestrationError: there is no server or no such deployment, no worker took the stage, or it failed there.
    """
    if not PREFECT_API_URL.value():
        raise OrchestrationError(
            f"Stage {order.stage.name} must run in pool {pool}, which needs a Prefect server; PREFECT_API_URL is not set. "
            "Start one with make up, or run here: --set stages={}."
        )
    settings = store.save("settings", lambda folder: write_settings(order, folder), about={"stage": "settings"})
    parameters = {
        "stage": order.stage.name,
        "key": order.key,
        "settings": settings.sha256,
        "inputs": {stage: one.to_json() for stage, one in order.inputs.items()},
        "more": dict(order.more),
        "out": str(out),
        "store": store.label,
        "extract": order.config.extract if order.stage.name == "validate" else None,
    }
    run = _sent(f"{FLOW}/{pool}", parameters, order.key[: len(order.stage.name) + 9])
    with _cancelled_with_us(run.id):
        state = _awaited(run.id, order.stage.name, pool)
    reference = record_of(store, order.key) if state.is_completed() else None
    if reference is None:
        raise OrchestrationError(_why(state, order.stage.name, pool, run.name))
    return reference


def _sent(deployment: str, parameters: dict[str, Any], name: str) -> FlowRun:
    try:
        run = run_deployment(deployment, parameters=parameters, timeout=0, flow_run_name=name)
    except ObjectNotFound:
        raise OrchestrationError(
            f"Stage {parameters['stage']} must run in another pool, so deployment {deployment} must be registered with the "
            "server; it is not. Register it with make deploy, or run here: --set stages={}."
        ) from None
    if not isinstance(run, FlowRun):
        raise TypeError("in synchronous code, run_deployment returns the flow run")
    return run


def write_settings(order: Order, folder: Path) -> None:
    """Write the study's settings, less where the extract lies, into the artifact that the other side reads."""
    content = order.config.model_dump(mode="json", exclude={"extract"})
    (folder / SETTINGS).write_text(json.dumps(content), encoding="utf-8")


def _awaited(run: UUID, stage: str, pool: str) -> State[Any]:
    """Return the state in which a flow run ended; a server that is restarted meanwhile is waited for."""
    began = reached = time.monotonic()
    told = False
    with get_client(sync_client=True) as client:
        while True:
            now = time.monotonic()
            try:
                state = client.read_flow_run(run).state
                reached = now
            except (httpx.HTTPError, OSError):
                if now - reached > SERVER_AWAY_SECONDS:
                    raise
                state = None
            if state is not None and state.is_final():
                return state
            waits = state is not None and (state.is_scheduled() or state.is_pending())
            if waits and not told and now - began > TOLD_AFTER_SECONDS:
                get_run_logger().warning("Stage %s waits for a worker of pool mgvae-%s; is one online?", stage, pool)
                told = True
            if waits and now - began > GIVEN_UP_AFTER_SECONDS:
                raise OrchestrationError(
                    f"Stage {stage} must be taken by a worker of pool mgvae-{pool} within {GIVEN_UP_AFTER_SECONDS / 3600:.0f} "
                    f"hours; none did. Start one: prefect worker start --pool mgvae-{pool}."
                )
            time.sleep(POLL_SECONDS)


@contextmanager
def _cancelled_with_us(run: UUID) -> Iterator[None]:
    """Cancel a flow run where the one that waits for it is stopped, so that no GPU works for nobody."""
    try:
        yield
    except BaseException:
        with suppress(Exception), get_client(sync_client=True) as client:
            client.set_flow_run_state(run, Cancelling(), force=True)
        raise


def _why(state: State[Any], stage: str, pool: str, name: str) -> str:
    if state.is_completed():
        return (
            f"Stage {stage} ended in pool {pool}, but its record is not in the store. Both sides must use the same store: a "
            "folder that both see, or a URL."
        )
    said = (state.message or state.name or "no reason given").strip().splitlines()[0].rstrip(".")
    return f"Stage {stage} must end well in pool {pool}; its flow run {name} ended {state.name}: {said}."


@flow(name=FLOW, persist_result=False, validate_parameters=True)
def stage_flow(
    stage: str,
    key: str,
    settings: str,
    inputs: dict[str, dict[str, str]],
    out: str,
    store: str,
    more: dict[str, str] | None = None,
    extract: str | None = None,
) -> None:
    """Carry one stage out and put its artifact and its record into the store.

    Args:
        stage: its name.
        key: the cache key that the run computed; this side must come to the same.
        settings: digest of the artifact that holds the study's settings.
        inputs: references of the artifacts that the stage reads.
        out: folder of the runs; what is fetched from a store on a URL is kept there.
        store: folder or URL of the store.
        more: what the key holds besides.
        extract: path or URL of the extract, for the stage that reads it.
    """
    with withheld():
        confine(out, "out")
        confine(store, "store")
        confine(extract or out, "extract")
        kept = open_store(Path(out).resolve(), store)
        order = _order(kept, stage, settings, inputs, more or {}, extract)
        if order.key != key:
            raise OrchestrationError(
                f"Stage {stage} must run with the code and the libraries of the run that sent it; this worker has others. "
                "Install the same version and constraints.txt on both sides."
            )
        perform(stage, key, lambda: make_here(order, kept), kept)


def _order(
    store: AnyStore,
    stage: str,
    settings: str,
    inputs: dict[str, dict[str, str]],
    more: dict[str, str],
    extract: str | None,
) -> Order:
    folder = store.folder(Reference("settings", settings))
    values: dict[str, Any] = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    config = build(CohortConfig, {**values, "extract": extract or "(not told)"}, source="settings")
    references = {name: Reference(**told) for name, told in inputs.items()}
    return Order(_stage(stage), config, references, more)


def _stage(name: str) -> Stage:
    for stage in STAGES:
        if stage.name == name:
            return stage
    raise OrchestrationError(f"Stage '{name}' must be one of {', '.join(stage.name for stage in STAGES)}.")
