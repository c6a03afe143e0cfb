"""Laws of what runs: no secret in a file, no right that is not needed, one password for the API."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.deployments.manifests import (
    COMPOSE,
    DEPLOYMENTS,
    KUBERNETES,
    SETTINGS,
    VALUES,
    UnsetError,
    compose,
    documents,
    filled,
    read,
    walk,
)

SECRET = re.compile(r"(password|passwd|secret|token|auth_?string|api_?key|encryption_?key|access_?key)", re.IGNORECASE)
OURS = ("server", "services", "migrate", "register", "land", "worker-cpu", "worker-gpu")


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
    for content in [*(read(name, KUBERNETES) for name in VALUES), *documents()]:
        for at, value in walk(content):
            if at[-1] == "value" or not isinstance(value, str):
                continue
            plain = SECRET.search(at[-1]) and not re.search(r"(existingsecret|secretkey|PasswordKey|secretName)", at[-1], re.I)
            assert not plain or value in ("",), at
        for env in environments(content):
            assert "valueFrom" in env or not SECRET.search(env["name"]), env["name"]


def environments(content: Any) -> list[dict[str, Any]]:
    if isinstance(content, list):
        entries = [one for one in content if isinstance(one, dict) and "name" in one and ("value" in one or "valueFrom" in one)]
        return [*entries, *(found for one in content for found in environments(one))]
    return [found for one in content.values() for found in environments(one)] if isinstance(content, dict) else []


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
    content = compose()
    assert content["networks"]["database"]["internal"] is True
    inside = {name for name, service in content["services"].items() if "database" in service["networks"]}
    assert inside == {"postgres", "redis", "migrate", "server", "services"}
    for name in ("worker-cpu", "worker-gpu", "register", "land"):
        assert not re.search("POSTGRES|REDIS|DATABASE|ENCRYPTION", json.dumps(content["services"][name]["environment"]))


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
    content = read(name, KUBERNETES)
    if "worker" in content:
        parts = [(content["worker"]["podSecurityContext"], content["worker"]["containerSecurityContext"])]
        auth = content["worker"]["selfHostedServerApiConfig"]["basicAuth"]
    else:
        parts = [
            (content[one]["podSecurityContext"], content[one]["containerSecurityContext"])
            for one in ("server", "backgroundServices")
        ]
        parts.append((content["migrations"]["podSecurityContext"], content["migrations"]["securityContext"]))
        auth = content["server"]["basicAuth"]
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
        content = read(f"{kind}-job-template.json", KUBERNETES)["variables"]["properties"]
        for claim in ("runs_claim", "data_claim", "inbox_claim"):
            assert ("PersistentVolumeClaim", content[claim]["default"]) in there
        assert ("ConfigMap", content["settings_map"]["default"]) in there
    guide = (DEPLOYMENTS / "SEVERAL_MACHINES.md").read_text(encoding="utf-8")
    text = "\n".join(path.read_text(encoding="utf-8") for path in KUBERNETES.iterdir())
    secrets = re.findall(r"(?:existingSecret: |secretKeyRef: \{name: )(mgvae-[a-z]+)", text)
    assert len(set(secrets)) >= 5
    for secret in {*secrets, "mgvae-store"}:
        assert f"create secret generic {secret}" in guide, secret
