"""A lost run goes on once by itself, where it is lost indeed."""

import uuid
from datetime import UTC, datetime

import prefect
import pytest
from prefect.client.orchestration import get_client
from prefect.events.schemas.events import Event, Resource
from prefect.states import AwaitingRetry, Cancelling, Completed, Crashed, Failed, Pending, Running, Scheduled

from flows.runs import recovery
from flows.runs.recovery import names_of_states, recovery_flow, restarts, run_again
from tests.deployments.machine import wait_for


@prefect.flow(name="mgvae-cohort")
def some_flow():
    """Stand for a run."""


@pytest.fixture
def client(database):
    with get_client(sync_client=True) as one:
        yield one


@pytest.fixture
def run_in(client):
    """Make a flow run in a state, of a deployment or of none."""
    flow_id = client.create_flow(some_flow)
    deployment = client.create_deployment(flow_id, name=f"nightly-{uuid.uuid4()}")

    def make(*states, deployed=True):
        run = client.create_flow_run_from_deployment(deployment) if deployed else client.create_flow_run(some_flow)
        for state in states:
            client.set_flow_run_state(run.id, state, force=True)
        return run.id

    return make


@pytest.mark.parametrize("state", [Pending(), Pending(name="Submitting"), Running(), Crashed()], ids=lambda state: state.name)
def test_a_lost_run_is_scheduled_once_more_and_then_crashed(state, client, run_in):
    run = run_in(state)
    assert run_again(client, run, "It was lost.") == "AwaitingRetry"
    found = client.read_flow_run(run).state
    assert found.is_scheduled()
    assert found.message == "It was lost. It runs again by itself, once; finished stages are reused."
    client.set_flow_run_state(run, Running(), force=True)
    assert run_again(client, run, "It was lost.") == "Crashed"
    assert run_again(client, run, "It was lost.") == "Crashed"
    assert names_of_states(client, run).count("AwaitingRetry") == 1


def test_a_crash_that_is_said_late_costs_no_night(client, run_in):
    run = run_in(Running())
    for _ in range(2):
        assert run_again(client, run, "It was lost.") == "AwaitingRetry"
        client.set_flow_run_state(run, Crashed(), force=True)  # of the process that was lost; the run has not begun again
    recovery_flow(str(run), patience=0)  # as mgvae-crashed-run has it
    assert names_of_states(client, run)[-1] == "AwaitingRetry"
    client.set_flow_run_state(run, Pending(), force=True)
    assert run_again(client, run, "It was lost.") == "Crashed"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["Running", "Crashed"], 0),
        (["Running", "AwaitingRetry"], 0),
        (["Running", "AwaitingRetry", "Crashed", "AwaitingRetry"], 0),
        (["Running", "AwaitingRetry", "Pending", "Crashed"], 1),
        (["Running", "AwaitingRetry", "Crashed", "AwaitingRetry", "Running", "Crashed"], 1),
    ],
)
def test_a_run_begins_again_once(names, expected):
    assert restarts(names) == expected


def pages(client, run):
    """Return the artifacts of a run that ended badly."""
    wanted = {"artifacts": {"key": {"any_": ["mgvae-failed"]}, "flow_run_id": {"any_": [str(run)]}}}
    return client.request("POST", "/artifacts/filter", json=wanted).json()


@pytest.mark.parametrize("deployed", [True, False])
def test_a_killed_run_has_its_page_once_it_does_not_go_on(deployed, client, run_in):
    run = run_in(Running(), deployed=deployed)
    if deployed:
        run_again(client, run, "It was lost.")
        assert pages(client, run) == []  # it goes on by itself
        client.set_flow_run_state(run, Running(), force=True)
        client.set_flow_run_state(run, Crashed(message="[x](javascript:1) killed\nTraceback"), force=True)
    for _ in range(2):
        run_again(client, run, "It was lost.")
    (page,) = pages(client, run)
    assert page["data"].startswith("# This run ended Crashed\n\n")
    assert (r"\[x\](javascript:1) killed" in page["data"]) is deployed
    assert "Traceback" not in page["data"]
    assert page["description"] == f"mgvae-cohort {client.read_flow_run(run).name}"


def test_a_run_without_a_deployment_cannot_be_scheduled(client, run_in):
    run = run_in(Running(), deployed=False)
    assert run_again(client, run, "It was lost.") == "Crashed"
    assert "Run it again" in client.read_flow_run(run).state.message


@pytest.mark.parametrize(
    "state",
    [Completed(), Failed(), Failed(name="Refused"), Cancelling(), Scheduled(), AwaitingRetry()],
    ids=lambda state: state.name,
)
def test_a_run_that_is_not_lost_stays_as_it_is(state, client, run_in):
    run = run_in(state)
    before = names_of_states(client, run)
    run_again(client, run, "It was lost.")
    recovery_flow(str(run), patience=0)
    assert names_of_states(client, run) == before


def beat(client, run):
    resource = Resource.model_validate({"prefect.resource.id": f"prefect.flow-run.{run}"})
    event = Event(event="prefect.flow-run.heartbeat", resource=resource, occurred=datetime.now(UTC))
    client.request("POST", "/events", json=[event.model_dump(mode="json")])


def test_a_run_that_beats_is_not_lost(client, run_in, monkeypatch):
    run = run_in(Running())
    monkeypatch.setattr(recovery, "LOOK_EVERY_SECONDS", 0.2)
    looked, sleep = [], recovery.time.sleep

    def look(seconds):
        if not looked:  # its heart beats only after the first look, as after a server was away
            beat(client, run)
        looked.append(seconds)
        sleep(seconds)

    monkeypatch.setattr(recovery.time, "sleep", look)
    recovery_flow(f"prefect.flow-run.{run}", patience=60)
    assert looked
    assert names_of_states(client, run)[-1] == "Running"


def test_a_run_that_beat_only_before_is_lost(client, run_in):
    run = run_in(Running())
    beat(client, run)
    seen = {"filter": {"event": {"name": [recovery.BEAT]}, "resource": {"id": [f"prefect.flow-run.{run}"]}}}
    wait_for(lambda: client.request("POST", "/events/filter", json=seen).json()["events"], "the beat")
    recovery_flow(f"prefect.flow-run.{run}", patience=0)
    assert names_of_states(client, run)[-1] == "AwaitingRetry"


def test_a_run_that_never_began_is_lost_unless_its_pool_makes_pods(client, run_in, monkeypatch):
    run = run_in(Pending())
    monkeypatch.setattr(recovery, "_may_wait", lambda client, run: True)
    recovery_flow(str(run), patience=0)
    assert names_of_states(client, run)[-1] == "Pending"
    monkeypatch.undo()
    recovery_flow(str(run), patience=0)
    assert names_of_states(client, run)[-1] == "AwaitingRetry"


def test_a_run_that_crashed_is_scheduled_at_once(client, run_in):
    run = run_in(Crashed())
    recovery_flow(f"prefect.flow-run.{run}", patience=60)
    assert names_of_states(client, run)[-1] == "AwaitingRetry"
