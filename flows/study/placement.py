"""Run stages on workers of another pool, each as a flow run of its own."""

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
from prefect.states import Cancelling

from flows.allowed_paths import require_allowed, require_allowed_extract
from flows.prefect_server import served
from flows.redaction import OrchestrationError, redact_errors, unpickled
from flows.runs.guard import guarded
from flows.runs.records import look_up
from flows.study.stage_runner import StageCall, make_here, run_or_reuse
from flows.study.stages.registry import STAGES
from flows.study.stages.stage import Stage
from mgvae.config.strict import build
from mgvae.config.study import CohortConfig
from mgvae.store.artifact import Reference
from mgvae.store.open import AnyStore, open_store

FLOW = "mgvae-stage"
POLL_SECONDS = 0.5
WARN_AFTER_SECONDS = 60.0  # without a worker, a person should learn why nothing happens
GIVE_UP_AFTER_SECONDS = 6 * 3600.0
SERVER_AWAY_SECONDS = 600.0  # how long a server may be away, as when it is restarted
AGAIN_SECONDS = 120.0  # in which a stage whose process was killed is scheduled again, see flows.runs
SETTINGS = "settings.json"


def place(call: StageCall, pool: str, store: AnyStore, out: Path) -> Reference:
    """Run a stage on the workers of a pool, and return its artifact.

    The settings travel through the store, so that the worker needs no copy of cohort.yaml and Prefect learns nothing of them.

    Args:
        call: the stage.
        pool: cpu or gpu: deployment mgvae-stage/cpu or mgvae-stage/gpu.
        store: both sides must reach it.
        out: folder of the runs, for what the other side fetches.
    Raises:
        OrchestrationError: there is no server or no such deployment, no worker took the stage, or it failed there.
    """
    if not served():
        raise OrchestrationError(
            f"Stage {call.stage.name} must run in pool {pool}, which needs a Prefect server; PREFECT_API_URL is not set. "
            "Start one with make up, or run here: --set stages={}."
        )
    settings = store.save("settings", lambda folder: write_settings(call, folder), about={"stage": "settings"})
    parameters = {
        "stage": call.stage.name,
        "key": call.key,
        "settings": settings.sha256,
        "inputs": {stage: reference.to_json() for stage, reference in call.inputs.items()},
        "extra": dict(call.extra),
        "out": str(out),
        "store": store.label,
        "extract": call.config.extract if call.stage.name == "validate" else None,
    }
    run = _submit(f"{FLOW}/{pool}", parameters, call.key[: len(call.stage.name) + 9])
    with _cancel_on_error(run.id):
        state = _wait_for(run.id, call.stage.name, pool)
    reference = look_up(store, call.key)[0] if state.is_completed() else None
    if reference is None:
        raise OrchestrationError(_failure(state, call.stage.name, pool, run.name))
    return reference


def _submit(deployment: str, parameters: dict[str, Any], name: str) -> FlowRun:
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


def write_settings(call: StageCall, folder: Path) -> None:
    """Write the study's settings, less the extract's path, for the other side."""
    content = call.config.model_dump(mode="json", exclude={"extract"})
    (folder / SETTINGS).write_text(json.dumps(content), encoding="utf-8")


def _wait_for(run: UUID, stage: str, pool: str) -> State[Any]:
    """Return the final state of a flow run; wait for a server that restarts."""
    began = reached = crashed = time.monotonic()
    warned = False
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
            if state is not None and not state.is_crashed():
                crashed = now
            if state is not None and state.is_final() and (not state.is_crashed() or now - crashed > AGAIN_SECONDS):
                return state
            waits = state is not None and (state.is_scheduled() or state.is_pending())
            if waits and not warned and now - began > WARN_AFTER_SECONDS:
                get_run_logger().warning("Stage %s waits for a worker of pool mgvae-%s; is one online?", stage, pool)
                warned = True
            if waits and now - began > GIVE_UP_AFTER_SECONDS:
                raise OrchestrationError(
                    f"Stage {stage} must be taken by a worker of pool mgvae-{pool} within {GIVE_UP_AFTER_SECONDS / 3600:.0f} "
                    f"hours; none did. Start one: prefect worker start --pool mgvae-{pool}."
                )
            time.sleep(POLL_SECONDS)


@contextmanager
def _cancel_on_error(run: UUID) -> Iterator[None]:
    """Cancel a flow run if the process that waits for it is stopped."""
    try:
        yield
    except BaseException:
        with suppress(Exception), get_client(sync_client=True) as client:
            client.set_flow_run_state(run, Cancelling(), force=True)
        raise


def _failure(state: State[Any], stage: str, pool: str, name: str) -> str:
    if state.is_completed():
        return (
            f"Stage {stage} ended in pool {pool}, but its record is not in the store. Both sides must use the same store: a "
            "folder that both see, or a URL."
        )
    reason = (state.message or state.name or "no reason given").strip().splitlines()[0].rstrip(".")
    return f"Stage {stage} must end well in pool {pool}; its flow run {name} ended {state.name}: {reason}."


@flow(name=FLOW, persist_result=False, validate_parameters=True)
@unpickled
def stage_flow(
    stage: str,
    key: str,
    settings: str,
    inputs: dict[str, dict[str, str]],
    out: str,
    store: str,
    extra: dict[str, str] | None = None,
    extract: str | None = None,
) -> None:
    """Run one stage, and put its artifact and its record into the store.

    Args:
        stage: its name.
        key: the cache key that the run computed; this side must come to the same.
        settings: digest of the artifact that holds the study's settings.
        inputs: references of the artifacts that the stage reads.
        out: folder of the runs; what is fetched from a store on a URL is kept there.
        store: folder or URL of the store.
        extra: what the key holds besides.
        extract: path or URL of the extract, for the stage that reads it.
    """
    with guarded(), redact_errors():
        require_allowed(out, "out")
        require_allowed(store, "store")
        if extract is not None:
            require_allowed_extract(extract)
        artifacts = open_store(Path(out).resolve(), store)
        call = _call(artifacts, stage, settings, inputs, extra or {}, extract)
        if call.key != key:
            raise OrchestrationError(
                f"Stage {stage} must run with the code and the libraries of the run that sent it; this worker has others. "
                "Install the same version and constraints.txt on both sides."
            )
        run_or_reuse(stage, key, lambda: make_here(call, artifacts), artifacts)


def _call(
    store: AnyStore,
    stage: str,
    settings: str,
    inputs: dict[str, dict[str, str]],
    extra: dict[str, str],
    extract: str | None,
) -> StageCall:
    folder = store.folder(Reference("settings", settings))
    values: dict[str, Any] = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    config = build(CohortConfig, {**values, "extract": extract or "(not given)"}, source="settings")
    references = {name: Reference(**reference) for name, reference in inputs.items()}
    return StageCall(_stage(stage), config, references, extra)


def _stage(name: str) -> Stage:
    for stage in STAGES:
        if stage.name == name:
            return stage
    raise OrchestrationError(f"Stage '{name}' must be one of {', '.join(stage.name for stage in STAGES)}.")
