"""Laws of our images: pinned, of one version, with what they need, without patients or secrets, and without root."""

from __future__ import annotations

import re
from pathlib import Path

from docker.utils import exclude_paths

from tests.deployments.manifests import (
    DEPLOYMENTS,
    KUBERNETES,
    VALUES,
    compose,
    documents,
    read,
)
from tests.paths import ROOT


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
