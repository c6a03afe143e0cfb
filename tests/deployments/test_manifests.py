"""Laws of what is deployed: names that agree, versions that are pinned, no secret in a file, no root in a container."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from docker.utils import exclude_paths
from prefect import Flow
from prefect.events.schemas.automations import AutomationCore
from prefect.server.events.schemas.automations import EventTrigger
from prefect.server.events.schemas.events import ReceivedEvent
from prefect.settings.models.flows import FlowsSettings
from prefect.settings.models.server.services import ServerServicesDBVacuumSettings
from ruamel.yaml import YAML

from deployments import local
from deployments.register import filled as with_names
from flows.prefect_settings import configure_prefect
from flows.runs.recovery import PATIENCE_SECONDS
from tests.deployments.manifests import (
    COMPOSE,
    DEPLOYMENTS,
    KUBERNETES,
    SETTINGS,
    UnsetError,
    compose,
    documents,
    filled,
    read,
    walk,
)
from tests.paths import ROOT

POOL_FILES = (DEPLOYMENTS / "pools.yaml", KUBERNETES / "pools.yaml")
VALUES = ("server-values.yaml", "worker-cpu-values.yaml", "worker-gpu-values.yaml")
SECRET = re.compile(r"(password|passwd|secret|token|auth_?string|api_?key|encryption_?key|access_?key)", re.IGNORECASE)
NAMES = ("DEPLOYMENT", "RECOVERY", "STUDY", "WEBHOOK")
BEAT, BEAT_SECONDS = "PREFECT_FLOWS_HEARTBEAT_FREQUENCY", 30
OURS = ("server", "services", "migrate", "register", "land", "worker-cpu", "worker-gpu")


def image_names() -> list[str]:
    values = [read(name, KUBERNETES) for name in VALUES]
    charts = [one.get("global", {}).get("prefect", {}).get("image") or one["worker"]["image"] for one in values]
    templates = [read(f"{kind}-job-template.json", KUBERNETES) for kind in ("cpu", "gpu")]
    pods = [one["spec"]["template"]["spec"] for one in documents() if one["kind"] == "Job"]
    return [
        *(service["image"] for service in compose()["services"].values()),
        *(f"{one['repository']}:{one['prefectTag']}" for one in charts),
        *(one["variables"]["properties"]["image"]["default"] for one in templates),
        *(container["image"] for pod in pods for container in pod["containers"]),
    ]


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


def test_images_are_pinned() -> None:
    for image in image_names():
        assert re.fullmatch(r"[\w./-]+:\d[\w.-]*(@sha256:[0-9a-f]{64})?", image), image


def test_one_version_of_our_images_everywhere() -> None:
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert version is not None
    ours = [image for image in image_names() if "mgvae" in image]
    assert len(ours) >= 10
    assert {re.sub(r"-(cpu|cuda)$", "", image.rpartition(":")[2]) for image in ours} == {version[1]}


def test_the_version_of_prefect_is_the_locked_one() -> None:
    locked = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    assert read("prefect.yaml")["prefect-version"] == locked["prefect"]
    assert {"prefect-redis", "prefect-kubernetes", "asyncpg", "fastapi", "torch"} <= set(locked)


def test_the_dockerfile_installs_locked_versions_alone_and_ends_without_root() -> None:
    text = (DEPLOYMENTS / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    installs = [line for line in text.splitlines() if "pip install" in line and not line.startswith("#")]
    assert len(installs) == 3
    for line in installs:
        assert "--constraint /opt/mgvae/constraints.txt" in line or "grep '^torch==' /opt/mgvae/constraints.txt" in line
    stages = re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]
    final = [stage for stage in stages if stage.split("\n")[0].endswith((" AS server", " AS worker"))]
    assert len(final) == 2
    for stage in final:
        assert re.findall(r"^USER (.+)$", stage, re.MULTILINE) == ["1001:1001"]
        assert "HEALTHCHECK" in stage
    assert "MGVAE_HOME=/opt/mgvae" in final[1]
    assert "WORKDIR /opt/mgvae" in final[1]


def test_the_image_holds_what_it_needs_and_nothing_of_patients_or_secrets(tmp_path: Path) -> None:
    wanted = {
        "flows/study/flow.py",
        "mgvae/store/local.py",
        "validation/drift.py",
        "deployments/prefect.yaml",
        "constraints.txt",
        "deployments/kubernetes/pools.yaml",
        "data/nafld/cohort.yaml",
        "data/actg320/actg320.csv",
        "README.md",
    }
    unwanted = {
        "runs/s/1/synthetic.parquet",
        "runs/.store/x/y.parquet",
        "inbox/s/1.csv",
        "data/mine/extract.csv",
        "extract.csv",
        ".git/config",
        ".venv/bin/python",
        ".env",
        "deployments/compose.env",
        "deployments/worker.env",
        ".local/prefect/prefect.db",
        "flows/__pycache__/cohort.pyc",
        "tests/a.py",
        "my/cohort.yaml",
    }
    for name in wanted | unwanted:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    sent = {str(one) for one in exclude_paths(str(tmp_path), rules)}
    assert wanted <= sent
    assert not unwanted & sent


def test_what_the_dockerfile_copies_is_sent_to_it() -> None:
    text = (DEPLOYMENTS / "Dockerfile").read_text(encoding="utf-8")
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE):
        for source in line.split()[:-1]:
            assert any(rule == f"!{source}" or rule.startswith(f"!{source}/") for rule in rules), source


@pytest.mark.parametrize(
    "name", ["POSTGRES_PASSWORD", "REDIS_PASSWORD", "PREFECT_API_AUTH_STRING", "PREFECT_SERVER_ENCRYPTION_KEY"]
)
def test_compose_does_not_start_without_its_secrets(name: str) -> None:
    for without in ({**SETTINGS, name: ""}, {key: value for key, value in SETTINGS.items() if key != name}):
        with pytest.raises(UnsetError, match=name):
            compose(without)


def test_the_example_names_every_variable_and_gives_no_secret() -> None:
    example = (DEPLOYMENTS / "compose.env.example").read_text(encoding="utf-8")
    named = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", example, re.MULTILINE))
    lines = [line for line in COMPOSE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert set(re.findall(r"(?<!\$)\$\{(\w+)", "\n".join(lines))) == set(named)
    assert not [name for name, value in named.items() if SECRET.search(name) and value]


def test_no_secret_stands_in_a_file() -> None:
    ours = (
        SETTINGS["POSTGRES_PASSWORD"],
        SETTINGS["REDIS_PASSWORD"],
        SETTINGS["PREFECT_API_AUTH_STRING"],
        SETTINGS["PREFECT_SERVER_ENCRYPTION_KEY"],
    )
    marked = {name: f"<{name}>" for name, value in SETTINGS.items() if value in ours}
    for at, value in walk(YAML(typ="safe").load(filled(COMPOSE.read_text(encoding="utf-8"), {**SETTINGS, **marked}))):
        if SECRET.search(at[-1]) and isinstance(value, str):
            assert value in marked.values(), at
    for told in [*(read(name, KUBERNETES) for name in VALUES), *documents()]:
        for at, value in walk(told):
            if at[-1] == "value" or not isinstance(value, str):
                continue
            plain = SECRET.search(at[-1]) and not re.search(r"(existingsecret|secretkey|PasswordKey|secretName)", at[-1], re.I)
            assert not plain or value in ("",), at
        for env in environments(told):
            assert "valueFrom" in env or not SECRET.search(env["name"]), env["name"]


def environments(told: Any) -> list[dict[str, Any]]:
    if isinstance(told, list):
        entries = [one for one in told if isinstance(one, dict) and "name" in one and ("value" in one or "valueFrom" in one)]
        return [*entries, *(found for one in told for found in environments(one))]
    return [found for one in told.values() for found in environments(one)] if isinstance(told, dict) else []


@pytest.mark.parametrize("name", list(compose()["services"]))
def test_no_service_may_do_more_than_it_must(name: str) -> None:
    service = compose()["services"][name]
    user, group = service["user"].split(":")
    assert int(user) > 0
    assert int(group) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices"} & set(service)
    assert {"cpus", "memory", "pids"} <= set(service["deploy"]["resources"]["limits"])
    assert service["restart"] == ("no" if name in ("migrate", "register", "land") else "unless-stopped")
    for port in service.get("ports", []):
        assert port.startswith("127.0.0.1:")


def test_the_database_is_out_of_the_workers_reach() -> None:
    told = compose()
    assert told["networks"]["database"]["internal"] is True
    inside = {name for name, service in told["services"].items() if "database" in service["networks"]}
    assert inside == {"postgres", "redis", "migrate", "server", "services"}
    for name in ("worker-cpu", "worker-gpu", "register", "land"):
        assert not re.search("POSTGRES|REDIS|DATABASE|ENCRYPTION", json.dumps(told["services"][name]["environment"]))


def test_everyone_has_the_same_password_for_the_api() -> None:
    one = compose({**SETTINGS, "PREFECT_API_AUTH_STRING": "<ours>"})["services"]
    for name in OURS:
        setting = "PREFECT_SERVER_API_AUTH_STRING" if name in ("server", "services", "migrate") else "PREFECT_API_AUTH_STRING"
        assert one[name]["environment"][setting] == "<ours>"
        assert one[name]["environment"]["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
        assert one[name]["environment"]["PREFECT_SERVER_ALLOW_EPHEMERAL_MODE"] == "false"


def test_workers_write_runs_alone_and_parameters_lead_nowhere_else() -> None:
    services = compose({**SETTINGS, "MGVAE_STORE": "s3://bucket/prefix"})["services"]
    for name in ("worker-cpu", "worker-gpu"):
        mounts = {one["target"]: one.get("read_only", False) for one in services[name]["volumes"]}
        assert mounts == {"/data": True, "/opt/mgvae/inbox": True, "/opt/mgvae/runs": False}
        roots = re.split(r":(?!//)", services[name]["environment"]["MGVAE_ROOTS"])
        assert set(roots) == {*mounts, "/opt/mgvae/data", "s3://bucket/prefix"}
    assert services["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"] == [
        {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
    ]
    assert services["worker-gpu"]["command"][services["worker-gpu"]["command"].index("--limit") + 1] == "1"


def test_docker_compose_takes_the_file(tmp_path: Path) -> None:
    try:
        subprocess.run(["docker", "compose", "version"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("docker compose is not installed")
    (env := tmp_path / "compose.env").write_text("".join(f"{name}={value}\n" for name, value in SETTINGS.items()))
    command = ["docker", "compose", "-f", str(COMPOSE), "--env-file", str(env), "--profile", "gpu", "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", VALUES)
def test_pods_of_the_charts_obey_the_restricted_standard(name: str) -> None:
    told = read(name, KUBERNETES)
    if "worker" in told:
        parts = [(told["worker"]["podSecurityContext"], told["worker"]["containerSecurityContext"])]
        auth = told["worker"]["selfHostedServerApiConfig"]["basicAuth"]
    else:
        parts = [
            (told[one]["podSecurityContext"], told[one]["containerSecurityContext"]) for one in ("server", "backgroundServices")
        ]
        parts.append((told["migrations"]["podSecurityContext"], told["migrations"]["securityContext"]))
        auth = told["server"]["basicAuth"]
    assert auth == {"enabled": True, "existingSecret": "mgvae-auth"}
    for pod, container in parts:
        check_restricted(pod, container)


def check_restricted(pod: dict[str, Any], container: dict[str, Any]) -> None:
    """What the Pod Security Standard "restricted" asks for, and a root file system that cannot be written."""
    assert pod["runAsNonRoot"] is True
    assert pod["runAsUser"] == 1001
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["allowPrivilegeEscalation"] is False
    assert container["readOnlyRootFilesystem"] is True
    assert container["capabilities"] == {"drop": ["ALL"]}


def test_what_jobs_need_is_there_or_said_to_be_made_by_hand() -> None:
    there = {(one["kind"], one["metadata"].get("name")) for one in documents()}
    for kind in ("cpu", "gpu"):
        told = read(f"{kind}-job-template.json", KUBERNETES)["variables"]["properties"]
        for claim in ("runs_claim", "data_claim", "inbox_claim"):
            assert ("PersistentVolumeClaim", told[claim]["default"]) in there
        assert ("ConfigMap", told["settings_map"]["default"]) in there
    guide = (DEPLOYMENTS / "SEVERAL_MACHINES.md").read_text(encoding="utf-8")
    text = "\n".join(path.read_text(encoding="utf-8") for path in KUBERNETES.iterdir())
    secrets = re.findall(r"(?:existingSecret: |secretKeyRef: \{name: )(mgvae-[a-z]+)", text)
    assert len(set(secrets)) >= 5
    for secret in {*secrets, "mgvae-store"}:
        assert f"create secret generic {secret}" in guide, secret
