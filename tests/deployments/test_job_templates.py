"""The job templates, as Prefect reads them and as its Kubernetes worker fills them in."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import jsonschema
import pytest
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun
from prefect.testing.utilities import prefect_test_harness
from prefect.utilities.templating import apply_values, find_placeholders

from deployments.register import _template
from tests.deployments.manifests import KUBERNETES, read
from tests.deployments.test_containers import check_restricted

KINDS = ("cpu", "gpu")


def template(kind: str) -> dict[str, Any]:
    pool = next(one for one in read("pools.yaml", KUBERNETES)["pools"] if one["name"] == f"mgvae-{kind}")
    return _template(pool, KUBERNETES)


def pod(kind: str, **values: Any) -> dict[str, Any]:
    told = template(kind)
    defaults = {name: one["default"] for name, one in told["variables"]["properties"].items() if "default" in one}
    job = apply_values(told["job_configuration"], {**defaults, **values})["job_manifest"]
    return dict(job["spec"]["template"]["spec"])


@pytest.mark.parametrize("kind", KINDS)
def test_prefect_takes_the_template_for_a_pool(kind: str) -> None:
    told = template(kind)
    assert WorkPoolCreate(name="x", type="kubernetes", base_job_template=told).base_job_template == told
    variables = told["variables"]
    jsonschema.Draft202012Validator.check_schema(variables)
    defaults = {name: one["default"] for name, one in variables["properties"].items() if "default" in one}
    jsonschema.validate(defaults, variables)
    assert {one.name for one in find_placeholders(told["job_configuration"])} == set(variables["properties"])


@pytest.mark.parametrize(("kind", "gpus"), [("cpu", 0), ("gpu", 1)])
def test_a_job_asks_for_its_gpu_and_for_bounded_resources(kind: str, gpus: int) -> None:
    resources = pod(kind)["containers"][0]["resources"]
    assert int(resources["limits"].get("nvidia.com/gpu", 0)) == int(resources["requests"].get("nvidia.com/gpu", 0)) == gpus
    assert {"cpu", "memory"} <= set(resources["limits"])
    assert {"cpu", "memory"} <= set(resources["requests"])
    more = pod(kind, memory_limit="64Gi", node_selector={"a": "b"})
    assert more["containers"][0]["resources"]["limits"]["memory"] == "64Gi"
    assert more["nodeSelector"] == {"a": "b"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_job_has_no_rights_that_it_does_not_need(kind: str) -> None:
    told = pod(kind)
    check_restricted(told["securityContext"], told["containers"][0]["securityContext"])
    assert told["automountServiceAccountToken"] is False
    mounts = {one["mountPath"]: one.get("readOnly", False) for one in told["containers"][0]["volumeMounts"]}
    assert mounts == {"/opt/mgvae/runs": False, "/data": True, "/opt/mgvae/inbox": True, "/tmp": False}  # noqa: S108


def test_both_kinds_differ_in_what_a_gpu_needs_only() -> None:
    told, other = template("cpu"), template("gpu")
    assert set(told["variables"]["properties"]) == set(other["variables"]["properties"])
    differ = {name for name, one in told["variables"]["properties"].items() if one != other["variables"]["properties"][name]}
    assert differ == {"image", "tolerations", "pod_watch_timeout_seconds"}


@pytest.fixture(scope="module")
def server() -> Iterator[None]:
    """Start Prefect's server for the worker: the one that it would start itself is given up after twenty seconds."""
    with prefect_test_harness(server_startup_timeout=240):
        yield
        logging.getLogger("prefect").setLevel(logging.WARNING)  # it would tell of its end a console that is closed by now


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_kubernetes_worker_makes_a_job_of_it(kind: str, server: None) -> None:
    pytest.importorskip("prefect_kubernetes", reason="needs pip install 'mgvae-cohort[kubernetes]'")
    from kubernetes_asyncio import client
    from prefect_kubernetes.worker import KubernetesWorkerJobConfiguration

    made = asyncio.run(KubernetesWorkerJobConfiguration.from_template_and_values(template(kind), {"env": {"A": "1"}}))
    made.prepare_for_flow_run(FlowRun(id=uuid4(), flow_id=uuid4(), name="Validate-1"))
    spec = made.job_manifest["spec"]["template"]["spec"]
    assert spec["containers"][0]["args"] == ["prefect", "flow-run", "execute"]
    assert {"name": "A", "value": "1"} in spec["containers"][0]["env"]
    assert made.job_manifest["spec"]["template"]["metadata"]["labels"]["mgvae.io/role"] == "job"
    assert made.job_manifest["metadata"]["namespace"] == "mgvae"
    known = set(client.V1PodSpec.attribute_map.values()) | {"parallelism", "completions"}  # Prefect insists on these two here
    assert set(spec) <= known
    assert set(spec["containers"][0]) <= set(client.V1Container.attribute_map.values())
