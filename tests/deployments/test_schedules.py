"""Prefect makes runs of a schedule: with SQLAlchemy 2.1 its scheduler failed, and said so in the server's log alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.prefect_home import prefect_home

SCRIPT = """
import asyncio
from prefect.server import models, schemas
from prefect.server.database import provide_database_interface
from prefect.server.schemas.schedules import CronSchedule

async def main():
    db = provide_database_interface()
    await db.create_db()
    async with db.session_context(begin_transaction=True) as session:
        flow = await models.flows.create_flow(session, schemas.core.Flow(name="mgvae-cohort"))
        told = schemas.core.DeploymentSchedule(schedule=CronSchedule(cron="0 2 * * *", timezone="UTC"), active=True)
        nightly = schemas.core.Deployment(name="nightly", flow_id=flow.id, schedules=[told])
        made = await models.deployments.create_deployment(session, nightly)
        runs = await models.deployments.schedule_runs(session, made.id, min_runs=3)
    print("runs made:", len(runs))

asyncio.run(main())
"""


@pytest.mark.slow
def test_a_schedule_becomes_runs(tmp_path: Path) -> None:
    settings = {
        "PATH": "/usr/bin:/bin",
        "PREFECT_HOME": str(prefect_home(tmp_path)),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{tmp_path}/prefect.db",
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=settings, capture_output=True, text=True, check=False, timeout=120
    )
    assert "runs made:" in done.stdout, done.stderr
    assert int(done.stdout.rpartition(":")[2]) >= 3
