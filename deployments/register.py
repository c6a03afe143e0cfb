"""Registration with a Prefect server: ``make deploy``, which may be repeated.

It covers work pools, deployments and automations.

Usage: python -m deployments.register [--pools FILE] [--only-pools]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL
from prefect.workers.utilities import get_default_base_job_template_for_infrastructure_type
from pydantic import SecretStr
from ruamel.yaml import YAML

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
NIGHTLY = "mgvae-cohort/nightly"
RECOVERY = "mgvae-recovery/lost"
WEBHOOK_SETTING = "MGVAE_WEBHOOK"
DEFAULTS = {
    "MGVAE_HOME": str(ROOT),
    "MGVAE_TIMEZONE": "UTC",
    "MGVAE_COHORT": "data/nafld/cohort.yaml",
    "MGVAE_INBOX": "inbox",
    "MGVAE_OUT": "runs",
    "MGVAE_PATIENTS": "",
    "MGVAE_RISKS": "",
}


def main() -> None:
    """Register work pools, deployments and automations."""
    options = argparse.ArgumentParser(description="Register pools, deployments and automations with the Prefect server.")
    options.add_argument("--pools", type=Path, default=HERE / "pools.yaml", help="which work pools and queues there are")
    options.add_argument("--only-pools", action="store_true", help="leave deployments and automations as they are")
    chosen = options.parse_args()
    if not PREFECT_API_URL.value():
        sys.exit("Error: a Prefect server must be known, and PREFECT_API_URL is not set. Start one with make up.")
    try:
        with get_client(sync_client=True) as client:
            for pool in _read(chosen.pools)["pools"]:
                register_pool(client, pool, chosen.pools.parent)
            if chosen.only_pools:
                return
            register_deployments()
            register_automations(client, _read(HERE / "automations.yaml")["automations"])
    except (OSError, httpx.HTTPError, RuntimeError) as error:
        sys.exit(f"Error: the Prefect server at {PREFECT_API_URL.value()} must answer; {type(error).__name__}.")
    print(f"Registered with the server at {PREFECT_API_URL.value()}. Next: prefect deployment run {NIGHTLY} --watch")  # noqa: T201


def register_pool(client: SyncPrefectClient, pool: Mapping[str, Any], folder: Path) -> None:
    """Create or update a work pool and its queues.

    Args:
        client: of the server.
        pool: name, type, description, queues, and a job template's file in ``folder`` where it has one of its own.
        folder: where the template lies.
    """
    name, description, template = pool["name"], pool["description"], _template(pool, folder)
    try:
        client.read_work_pool(name)
        client.update_work_pool(name, WorkPoolUpdate(description=description, base_job_template=template or None))
    except ObjectNotFound:
        created = WorkPoolCreate(name=name, type=pool["type"], description=description, base_job_template=template)
        client.create_work_pool(created)
    for queue in pool["queues"]:
        _register_queue(client, pool["name"], queue)


def register_deployments() -> None:
    """Register the deployments of prefect.yaml.

    Raises:
        SystemExit: Prefect refused a deployment; the message holds its reason.
    """
    settings = {**DEFAULTS, **os.environ}
    settings.setdefault("MGVAE_STUDY", str(_read(ROOT / settings["MGVAE_COHORT"])["study"]))
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(HERE / "prefect.yaml")]
    done = subprocess.run(  # noqa: S603 - a fixed command
        command, cwd=ROOT, env=settings, check=False, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"Error: prefect deploy refused the deployments.\n{done.stdout}{done.stderr}")


def register_automations(client: SyncPrefectClient, automations: list[dict[str, Any]]) -> None:
    """Create or update the automations.

    Those that need the webhook are left out until its address is set.
    """
    nightly = client.read_deployment_by_name(NIGHTLY)
    study = str(_read(ROOT / nightly.parameters["cohort"])["study"])
    recovery = client.read_deployment_by_name(RECOVERY)
    known = {"DEPLOYMENT": str(nightly.id), "RECOVERY": str(recovery.id), "STUDY": study}
    address = os.environ.get(WEBHOOK_SETTING)
    if address:
        block = Webhook(url=SecretStr(address))
        known["WEBHOOK"] = str(asyncio.run(block.asave("mgvae-night-failed", overwrite=True)))
    for automation in automations:
        needs = automation.pop("needs", None)
        if needs is not None and needs not in known:
            print(f"{automation['name']}: left out, since {WEBHOOK_SETTING} is not set.")  # noqa: T201
            continue
        wanted = AutomationCore.model_validate(filled(automation, known))
        existing = client.read_automations_by_name(wanted.name)
        if existing:
            client.update_automation(existing[0].id, wanted)
        else:
            client.create_automation(wanted)


def _register_queue(client: SyncPrefectClient, pool: str, queue: Mapping[str, Any]) -> None:
    wanted = {"concurrency_limit": queue["limit"], "priority": queue["priority"]}
    try:
        existing = client.read_work_queue_by_name(queue["name"], work_pool_name=pool)
        client.update_work_queue(existing.id, **wanted)
    except ObjectNotFound:
        client.create_work_queue(queue["name"], work_pool_name=pool, **wanted)


def _template(pool: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    if "template" in pool:
        return dict(_read(folder / pool["template"]))
    return asyncio.run(get_default_base_job_template_for_infrastructure_type(pool["type"])) or {}


def filled(template: Any, known: Mapping[str, str]) -> Any:
    """Return ``template`` with known names replaced by their values."""
    if isinstance(template, dict):
        return {key: filled(value, known) for key, value in template.items()}
    if isinstance(template, list):
        return [filled(value, known) for value in template]
    if isinstance(template, str):
        for name, value in known.items():
            template = re.sub(rf"\b{name}\b", value.replace("\\", r"\\"), template)
    return template


def _read(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
