"""Flow runs whose process was lost: confirm it, and let each run once more by itself."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from uuid import UUID

from prefect import flow, get_run_logger
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import AwaitingRetry, Crashed

from flows.runs.failure_page import note_crash

BEAT = "prefect.flow-run.heartbeat"
RESOURCE = "prefect.flow-run."
PATIENCE_SECONDS = 200  # longer than Prefect's own interval of 180, for a run that was started with other settings
LOOK_EVERY_SECONDS = 5.0
AGAIN, CRASHED = "AwaitingRetry", "Crashed"


def names_of_states(client: SyncPrefectClient, run: UUID) -> list[str | None]:
    """Return the names of the states that a flow run has had, the oldest first."""
    return [one.name for one in sorted(client.read_flow_run_states(run), key=lambda one: one.timestamp)]


def restarts(names: Sequence[str | None]) -> int:
    """Return how often a run has begun again by itself.

    A worker on a busy machine may say late that a process crashed, when the run already waits to go on: then the crash is the
    state after AwaitingRetry, and the run has not begun again.

    Args:
        names: of its states, the oldest first.
    """
    return sum(name == AGAIN and after != CRASHED for name, after in pairwise(names))


def run_again(client: SyncPrefectClient, run: UUID, reason: str) -> str:
    """Schedule a lost run once more, or declare it crashed; return its state's name.

    A run that has ended, waits or is being cancelled is left as it is. One without a deployment cannot be scheduled. Finished
    stages are reused.

    Args:
        client: of the server.
        run: the flow run.
        reason: why it was lost, for the state's message.
    """
    found = client.read_flow_run(run)
    if found.state is None or found.state.type not in (StateType.PENDING, StateType.RUNNING, StateType.CRASHED):
        return found.state_name or ""
    if found.deployment_id is not None and not restarts(names_of_states(client, run)):
        message = f"{reason} It runs again by itself, once; finished stages are reused."
        client.set_flow_run_state(run, AwaitingRetry(message=message))
    elif not found.state.is_crashed():
        client.set_flow_run_state(run, Crashed(message=f"{reason} Run it again; finished stages are reused."))
    now = client.read_flow_run(run)
    if now.state is not None and now.state.is_crashed():
        note_crash(client, now)
    return now.state_name or ""


@flow(name="mgvae-recovery", persist_result=False, validate_parameters=True)
def recovery_flow(run: str, patience: int = PATIENCE_SECONDS) -> None:
    """Run a lost flow run again, once it is confirmed that it does not live.

    Args:
        run: the flow run, as id or as ``prefect.flow-run.<id>``, which was not heard of for a while. The server may have been
            away, and the run alive.
        patience: seconds in which it may show that it lives.
    """
    run_id, since = UUID(run.removeprefix(RESOURCE)), datetime.now(UTC)
    deadline = time.monotonic() + patience
    with get_client(sync_client=True) as client:
        while True:
            found = client.read_flow_run(run_id)
            if found.state is not None and found.state.is_crashed():  # its worker said so; there is nothing to wait for
                break
            if found.state is None or not (found.state.is_running() or found.state.is_pending()):
                get_run_logger().info("Run %s is %s: nothing to do.", found.name, found.state_name)
                return
            if _beats(client, run_id, since) or _may_wait(client, found):
                get_run_logger().info("Run %s lives: nothing to do.", found.name)
                return
            if time.monotonic() >= deadline:
                break
            time.sleep(LOOK_EVERY_SECONDS)
        state = run_again(client, run_id, "The process of this run was lost.")
        get_run_logger().warning("Run %s was lost. Its state is %s.", found.name, state)


def _beats(client: SyncPrefectClient, run: UUID, since: datetime) -> bool:
    wanted = {"event": {"name": [BEAT]}, "resource": {"id": [f"{RESOURCE}{run}"]}, "occurred": {"since": since.isoformat()}}
    return bool(client.request("POST", "/events/filter", json={"filter": wanted, "limit": 1}).json()["events"])


def _may_wait(client: SyncPrefectClient, run: FlowRun) -> bool:
    """Return whether a pending run may be waiting for a machine, as a pod does."""
    if run.state is None or not run.state.is_pending() or run.work_pool_name is None:
        return False
    return client.read_work_pool(run.work_pool_name).type != "process"
