"""The commands and settings of compose.yaml, on this machine: Postgres, Redis, API, services and a worker, all apart."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
from prefect.events.schemas.events import Event, Resource

from tests.deployments.manifests import SETTINGS, compose
from tests.paths import ROOT
from tests.ports import free_port

pytestmark = pytest.mark.slow
SECONDS = 240.0  # waits end with their condition
NIGHTLY = "mgvae-cohort/nightly"


@dataclass(frozen=True)
class Site:
    api: str
    folder: Path
    worker: Mapping[str, str]

    def ask(self, method: str, path: str, body: Any = None, *, auth: str | None = SETTINGS["PREFECT_API_AUTH_STRING"]) -> Any:
        told = {"Authorization": f"Basic {base64.b64encode(auth.encode()).decode()}"} if auth else {}
        if method != "GET":
            told |= {"Prefect-Csrf-Client": "tests", "Prefect-Csrf-Token": self._csrf()}
        answer = httpx.request(method, f"{self.api}{path}", json=body, headers=told, timeout=20)
        return answer if auth != SETTINGS["PREFECT_API_AUTH_STRING"] else answer.raise_for_status().content and answer.json()

    def _csrf(self) -> str:
        return str(self.ask("GET", "/csrf-token?client=tests")["token"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    pytest.importorskip("prefect_redis", reason="needs pip install 'mgvae-cohort[server]'")
    programs = _programs()
    folder = tmp_path_factory.mktemp("site")
    database, messages, port = (free_port() for _ in range(3))
    services = compose({**SETTINGS, "PREFECT_API_URL": f"http://127.0.0.1:{port}/api"})["services"]
    here = {"@postgres:5432": f"@127.0.0.1:{database}", "@redis:6379": f"@127.0.0.1:{messages}", "/opt/mgvae": str(ROOT)}

    def environment(service: str) -> dict[str, str]:
        out = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MGVAE_"))}
        for name, value in services[service]["environment"].items():
            for there, ours in here.items():
                value = value.replace(there, ours)
            out[name] = value
        ui = {"PREFECT_SERVER_UI_STATIC_DIRECTORY": str(folder / "ui")} if service == "server" else {}
        return {**out, **ui, "PREFECT_HOME": str(folder / service), "PREFECT_PROFILES_PATH": str(folder / "none.toml")}

    def command(service: str, **changed: str) -> list[str]:
        told = [changed.get(word, word) for word in services[service]["command"]]
        return [sys.executable, *(["-m", *told] if told[0] == "prefect" else told[1:])]

    with ExitStack() as stack:
        home = Path(stack.enter_context(TemporaryDirectory(prefix="mgvae-", ignore_cleanup_errors=True)))  # others may enter it
        stack.enter_context(_postgres(programs, home, folder / "postgres.log", database))
        stack.enter_context(_redis(programs, folder, messages))
        subprocess.run(command("migrate"), env=environment("migrate"), cwd=ROOT, check=True, timeout=SECONDS)
        address = {"0.0.0.0": "127.0.0.1", "4200": str(port)}  # noqa: S104 - what the container listens on
        stack.enter_context(_running(command("server", **address), environment("server"), folder / "server.log"))
        stack.enter_context(_running(command("services"), environment("services"), folder / "services.log"))
        api = f"http://127.0.0.1:{port}/api"
        _until(lambda: httpx.get(f"{api}/health").status_code == 200, "the API answers")
        subprocess.run(command("register"), env=environment("register"), cwd=ROOT, check=True, timeout=SECONDS)
        stack.enter_context(_running(command("worker-cpu"), environment("worker-cpu"), folder / "worker.log"))
        yield Site(api, folder, environment("worker-cpu"))


def test_without_the_password_nothing_is_told_but_that_it_lives(site: Site) -> None:
    assert site.ask("GET", "/health", auth=None).status_code == 200
    answer = httpx.post(f"{site.api}/deployments/filter", json={}, auth=tuple(SETTINGS["PREFECT_API_AUTH_STRING"].split(":")))
    assert (answer.status_code, answer.json()["detail"]) == (403, "Missing CSRF token.")
    for auth in (None, "team:wrong", "team:", "c3"):
        assert site.ask("POST", "/deployments/filter", {}, auth=auth).status_code == 401


def test_services_in_a_process_of_their_own_schedule_the_night(site: Site) -> None:
    found = {"deployments": {"name": {"any_": ["nightly"]}}, "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    assert _until(lambda: site.ask("POST", "/flow_runs/filter", found), "runs are scheduled")


def test_an_event_reaches_the_automation_through_redis_and_its_run_may_lead_nowhere_else(site: Site) -> None:
    elsewhere = site.folder / "elsewhere.csv"
    resource = {"prefect.resource.id": "mgvae-cohort.extract.nafld.0"}
    event = Event(event="ehr.extract.landed", resource=Resource.model_validate(resource), payload={"uri": str(elsewhere)})
    assert site.ask("POST", "/events", [event.model_dump(mode="json")], auth="team:wrong").status_code == 401
    site.ask("POST", "/events", [event.model_dump(mode="json")])

    def run() -> Any:
        runs = site.ask("POST", "/flow_runs/filter", {"deployments": {"name": {"any_": ["nightly"]}}})
        ours = [one for one in runs if one["parameters"].get("extract") == str(elsewhere)]
        return ours and ours[0]["state"]["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED") and ours[0]

    ended = _until(run, "the automation's run ends")
    assert ended["state"]["type"] == "FAILED"
    assert "must lie below one of the folders and URLs that MGVAE_ROOTS lists" in ended["state"]["message"]


def _programs() -> dict[str, str]:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    path = os.pathsep.join([*(str(one) for one in reversed(found)), os.environ.get("PATH", "")])
    programs = {name: shutil.which(name, path=path) for name in ("initdb", "postgres", "redis-server")}
    missing = [name for name, place in programs.items() if place is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)} (Debian: postgresql, redis-server)")
    return {name: str(place) for name, place in programs.items()}


@contextmanager
def _postgres(programs: Mapping[str, str], home: Path, log: Path, port: int) -> Iterator[None]:
    given: dict[str, Any] = {}
    (password := home / "password").write_text(SETTINGS["POSTGRES_PASSWORD"], encoding="utf-8")
    (data := home / "data").mkdir(mode=0o700)
    if os.geteuid() == 0:  # Postgres refuses to run as root
        given = {"user": "postgres", "group": "postgres", "extra_groups": []}
        for one in (home, password, data):
            shutil.chown(one, "postgres", "postgres")
    make = [programs["initdb"], "-D", str(data), "-U", "prefect", "--auth=scram-sha-256", f"--pwfile={password}", "--no-sync"]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL, cwd="/", **given)
    start = [programs["postgres"], "-D", str(data), "-p", str(port), "-k", str(data), "-c", "listen_addresses=127.0.0.1"]
    with _running(start, dict(os.environ), log, stop=signal.SIGINT, **given):
        _until(lambda: _made_database(port), "Postgres answers")
        yield


def _made_database(port: int) -> bool:
    """Make the database; return False where Postgres does not answer yet: it listens a little before."""
    import asyncio

    import asyncpg

    async def make() -> None:
        given = {"host": "127.0.0.1", "port": port, "user": "prefect", "password": SETTINGS["POSTGRES_PASSWORD"]}
        connection = await asyncpg.connect(database="postgres", **given)
        await connection.execute("CREATE DATABASE prefect")
        await connection.close()

    with suppress(OSError, asyncpg.CannotConnectNowError):
        asyncio.run(make())
        return True
    return False


@contextmanager
def _redis(programs: Mapping[str, str], folder: Path, port: int) -> Iterator[None]:
    command = compose()["services"]["redis"]["command"]
    script = command[2].replace("dir /data", f"dir {folder}\\nbind 127.0.0.1\\nport {port}")
    path = f"{Path(programs['redis-server']).parent}:{os.environ['PATH']}"
    given = {**os.environ, "REDIS_PASSWORD": SETTINGS["REDIS_PASSWORD"], "PATH": path}
    with _running([*command[:2], script], given, folder / "redis.log"):
        _until(lambda: _open(port), "Redis listens")
        yield


@contextmanager
def _running(
    command: list[str], env: Mapping[str, str], log: Path, *, stop: signal.Signals = signal.SIGTERM, **given: Any
) -> Iterator[None]:
    with log.open("wb") as to:
        process = subprocess.Popen(
            command, env=dict(env), cwd=given.pop("cwd", ROOT), stdout=to, stderr=to, start_new_session=True, **given
        )
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, stop)
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _until(told: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            if answer := told():
                return answer
        time.sleep(0.3)
    raise AssertionError(f"within {SECONDS:.0f} s must happen, and did not: {what}")


def _open(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0
