"""Laws of what is deployed: names that agree, runs that are lost, one night at a time."""

from __future__ import annotations

import inspect
import os
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect import Flow
from prefect.events.schemas.automations import AutomationCore
from prefect.server.events.schemas.automations import EventTrigger
from prefect.server.events.schemas.events import ReceivedEvent
from prefect.settings.models.flows import FlowsSettings
from prefect.settings.models.server.services import ServerServicesDBVacuumSettings

from deployments import local
from deployments.register import filled as with_names
from flows.prefect_settings import configure_prefect
from flows.runs.recovery import PATIENCE_SECONDS
from tests.deployments.manifests import (
    DEPLOYMENTS,
    KUBERNETES,
    compose,
    documents,
    read,
    walk,
)

POOL_FILES = (DEPLOYMENTS / "pools.yaml", KUBERNETES / "pools.yaml")
NAMES = ("DEPLOYMENT", "RECOVERY", "STUDY", "WEBHOOK")
BEAT, BEAT_SECONDS = "PREFECT_FLOWS_HEARTBEAT_FREQUENCY", 30


@pytest.fixture
def of_make_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """Return what `make up` gives server and workers."""
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "user:password")  # else one is made, and kept
    monkeypatch.setattr(local, "STATE", tmp_path)  # where the key of the reports is made, and kept
    return local._environment()


def test_each_server_forgets_old_runs_with_their_logs_and_artifacts(of_make_up: dict[str, str]) -> None:
    chart = {one["name"]: one.get("value") for one in read("server-values.yaml", KUBERNETES)["global"]["prefect"]["env"]}
    services = compose()["services"]
    for settings in (of_make_up, chart, *(services[name]["environment"] for name in ("server", "services"))):
        given = {name: settings[f"PREFECT_SERVER_SERVICES_DB_VACUUM_{name}"] for name in ("ENABLED", "RETENTION_PERIOD")}
        read_by_prefect = ServerServicesDBVacuumSettings.model_validate({name.lower(): one for name, one in given.items()})
        assert read_by_prefect.enabled_vacuum_types == {"events", "flow_runs", "orphans"}
        assert read_by_prefect.retention_period == timedelta(days=90)


@pytest.mark.parametrize("file", POOL_FILES, ids=["process", "kubernetes"])
def test_each_pool_and_queue_of_a_deployment_exists(file: Path) -> None:
    pools = {one["name"]: {queue["name"] for queue in one["queues"]} for one in read(file.name, file.parent)["pools"]}
    for deployment in read("prefect.yaml")["deployments"]:
        told = deployment["work_pool"]
        assert told["work_queue_name"] in pools[told["name"]]


def test_pools_on_kubernetes_are_those_of_one_machine() -> None:
    one, other = (
        {pool["name"]: [queue["name"] for queue in pool["queues"]] for pool in read(file.name, file.parent)["pools"]}
        for file in POOL_FILES
    )
    assert one == other


def test_a_stage_never_waits_in_the_queue_of_the_run_that_waits_for_it() -> None:
    queues = {one["name"]: one["work_pool"]["work_queue_name"] for one in read("prefect.yaml")["deployments"]}
    assert queues["nightly"] not in {queue for name, queue in queues.items() if name != "nightly"}


@pytest.mark.parametrize("deployment", read("prefect.yaml")["deployments"], ids=lambda one: str(one["name"]))
def test_entrypoints_are_flows_that_take_the_parameters(deployment: dict[str, Any]) -> None:
    path, name = deployment["entrypoint"].split(":")
    flow = getattr(import_module(path.removesuffix(".py").replace("/", ".")), name)
    assert isinstance(flow, Flow)
    assert set(deployment.get("parameters", {})) <= set(inspect.signature(flow.fn).parameters)


@pytest.mark.parametrize("told", read("automations.yaml")["automations"], ids=lambda one: str(one["name"]))
def test_automations_are_ones(told: dict[str, Any]) -> None:
    some = str(UUID(int=1))
    wanted = with_names({key: value for key, value in told.items() if key != "needs"}, dict.fromkeys(NAMES, some))
    assert AutomationCore.model_validate(wanted).actions
    assert not [value for value in walk(wanted) if isinstance(value, str) and value in NAMES]


def lost_run() -> dict[str, Any]:
    return next(one for one in read("automations.yaml")["automations"] if one["name"] == "mgvae-lost-run")


@pytest.mark.parametrize(
    ("flow", "ours"),
    [("mgvae-cohort", True), ("mgvae-stage", True), ("mgvae-recovery", False), ("mgvae-paper", False), ("etl", False)],
)
@pytest.mark.parametrize("event", ["prefect.flow-run.heartbeat", "prefect.flow-run.Pending", "prefect.flow-run.Completed"])
def test_only_runs_of_ours_can_be_lost(event: str, flow: str, ours: bool) -> None:
    trigger = EventTrigger.model_validate(lost_run()["trigger"])
    resource = {"prefect.resource.id": f"prefect.flow-run.{UUID(int=1)}"}
    others = [
        {"prefect.resource.id": f"prefect.flow.{UUID(int=2)}", "prefect.resource.role": "flow", "prefect.resource.name": flow},
        {
            "prefect.resource.id": "prefect.tag.mgvae-cohort",
            "prefect.resource.role": "tag",
            "prefect.resource.name": "mgvae-cohort",
        },
    ]
    happened = ReceivedEvent.model_validate(
        {"event": event, "resource": resource, "related": others, "id": UUID(int=3), "occurred": datetime.now(UTC)}
    )
    assert trigger.covers(happened) is ours


def test_the_state_of_a_lost_run_is_confirmed_before_it_is_changed() -> None:
    (action,) = lost_run()["actions"]
    assert action["type"] == "run-deployment"
    entrypoint = next(one["entrypoint"] for one in read("prefect.yaml")["deployments"] if one["name"] == "lost")
    assert entrypoint == "flows/runs/recovery.py:recovery_flow"
    assert lost_run()["trigger"]["within"] >= 10 * BEAT_SECONDS
    assert FlowsSettings.model_fields["heartbeat_frequency"].default < PATIENCE_SECONDS  # of a run that was started otherwise


def test_the_heart_beats_alike_wherever_a_run_is_started(monkeypatch: pytest.MonkeyPatch, of_make_up: dict[str, str]) -> None:
    monkeypatch.delenv(BEAT, raising=False)
    configure_prefect(debug=False)
    deployed = [one for one in read("prefect.yaml")["deployments"] if one["name"] != "lost"]
    settings = [
        os.environ,
        of_make_up,
        *(one["work_pool"]["job_variables"]["env"] for one in deployed),
        *(compose()["services"][name]["environment"] for name in ("worker-cpu", "worker-gpu")),
        *(one["data"] for one in documents() if one["kind"] == "ConfigMap"),
    ]
    assert len(deployed) == 4
    assert [one[BEAT] for one in settings] == [str(BEAT_SECONDS)] * len(settings)


@pytest.mark.parametrize("file", POOL_FILES, ids=["process", "kubernetes"])
def test_one_night_at_a_time_without_a_lease_that_a_server_could_lose(file: Path) -> None:
    nightly = next(one for one in read("prefect.yaml")["deployments"] if one["name"] == "nightly")
    assert "concurrency_limit" not in nightly
    pool = next(one for one in read(file.name, file.parent)["pools"] if one["name"] == nightly["work_pool"]["name"])
    limits = {queue["name"]: queue["limit"] for queue in pool["queues"]}
    assert limits[nightly["work_pool"]["work_queue_name"]] == 1
    assert limits["recovery"] > 1
