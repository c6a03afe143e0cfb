"""One machine with a Prefect server, both pools and their workers, started as `make up` starts them, in a home of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.paths import ROOT
from tests.ports import free_port

LASTS_SECONDS = 600  # waits end with their condition; on a machine that does much else, a night takes ten times as long
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


@dataclass
class Machine:
    """What was started below a folder.

    Attributes:
        folder: its home; runs, studies and logs of a test lie there, too.
        more: further environment of server and workers.
    """

    folder: Path
    more: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=lambda: free_port())
    reports_port: int = field(default_factory=lambda: free_port())

    @property
    def environment(self) -> dict[str, str]:
        """What commands of this machine see."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MGVAE_"))}
        return {
            **own,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PREFECT_HOME": str(self.folder / "home"),
            "MGVAE_LOCAL": str(self.folder / "local"),
            "MGVAE_PORT": str(self.port),
            "MGVAE_REPORTS_PORT": str(self.reports_port),
            "MGVAE_INBOX": str(self.folder / "inbox"),
            "MGVAE_OUT": str(self.folder / "out"),
            "MGVAE_REPORTS": f"{self.folder}/out:{self.folder}/runs",
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "200",
            **self.more,
        }

    def call(self, *command: str, cwd: Path = ROOT, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        done = subprocess.run(
            command, cwd=cwd, env=self.environment, text=True, capture_output=True, timeout=LASTS_SECONDS, check=False
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)} ended {done.returncode}:\n{done.stdout}\n{done.stderr}\n{self.logs()}")
        return done

    def up(self) -> None:
        """Start what does not run."""
        self.call(sys.executable, "-m", "deployments.local", "up")

    def down(self) -> None:
        """Stop all of it."""
        self.call(sys.executable, "-m", "deployments.local", "down")

    def deploy(self, cohort: Path) -> None:
        """Register the deployments, with ``cohort`` as the nightly one's."""
        more = {**self.more, "MGVAE_COHORT": str(cohort)}
        Machine(self.folder, more, self.port, self.reports_port).call(sys.executable, "-m", "deployments.register")

    def declare_lost_after(self, seconds: int) -> None:
        """Let the server declare a run lost sooner than the automation that ships says."""
        (found,) = self.get("automations/filter", automations={"name": {"any_": ["mgvae-lost-run"]}})
        assert found["trigger"]["within"] == 300
        kept = {name: found[name] for name in ("name", "description", "enabled")}
        trigger = {**found["trigger"], "within": seconds}
        (action,) = found["actions"]
        actions = [{**action, "parameters": {**action["parameters"], "patience": seconds}}]
        self.ask("PUT", f"automations/{found['id']}", {**kept, "trigger": trigger, "actions": actions})

    def night(self, *parameters: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Start the nightly deployment as a person does, from another folder, and watch it; ``name=value`` parameters."""
        given = [part for parameter in parameters for part in ("-p", parameter)]
        return self.call(
            "prefect", "deployment", "run", "mgvae-cohort/nightly", "--watch", *given, cwd=self.folder, check=check
        )

    def start(self, deployment_name: str = "mgvae-cohort/nightly", /, **parameters: Any) -> str:
        """Start a deployment over the API, quicker than a command, and return the run's id."""
        deployment = self.ask("GET", f"deployments/name/{deployment_name}").json()
        body = {"parameters": parameters, "state": {"type": "SCHEDULED"}}
        return str(self.get(f"deployments/{deployment['id']}/create_flow_run", **body)["id"])

    def end_of(self, run: str, *, seconds: float = LASTS_SECONDS) -> str:
        """Wait for the end of a run and return its state: COMPLETED, FAILED, CRASHED or CANCELLED."""

        def state() -> str | None:
            found = self.ask("GET", f"flow_runs/{run}").json()["state_type"]
            return str(found) if found in ENDED else None

        return str(wait_for(state, "the end of the run", seconds=seconds, every=0.5))

    def states_of(self, run: str) -> list[str]:
        """Return the names of a run's states, the oldest first."""
        found = self.ask("GET", f"flow_run_states/?flow_run_id={run}").json()
        return [state["name"] for state in sorted(found, key=lambda state: state["timestamp"])]

    def message_of(self, run: str) -> str:
        """Return the message of a run's state."""
        return str(self.ask("GET", f"flow_runs/{run}").json()["state"]["message"])

    def complete(self, **parameters: Any) -> None:
        """Start the nightly deployment and wait until it has completed."""
        assert self.end_of(self.start(**parameters)) == "COMPLETED", self.logs()

    def pid(self, name: str) -> int:
        """Return the number of the process called server, cpu or gpu."""
        return int(json.loads((self.folder / "local" / "processes.json").read_text(encoding="utf-8"))[name]["pid"])

    def flow_processes(self) -> list[int]:
        """Return the processes in which the CPU worker's runs work."""
        command = ["ps", "-o", "pid=", "--ppid", str(self.pid("cpu"))]
        return [int(one) for one in subprocess.run(command, text=True, capture_output=True, check=False).stdout.split()]

    def kill(self, *processes: int) -> None:
        """End processes as a lost machine ends them."""
        for one in processes:
            os.kill(one, signal.SIGKILL)

    def get(self, path: str, **body: Any) -> Any:
        """Return what the API answers."""
        return self.ask("POST", path, body).json()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return the API's response, which must be no error; as Prefect's client, ask again where the database was busy."""
        import httpx

        def response() -> httpx.Response | None:
            found = client.request(method, path, json=body, headers=self._csrf(client, method))
            return None if found.status_code == httpx.codes.SERVICE_UNAVAILABLE else found.raise_for_status()

        base = f"http://127.0.0.1:{self.port}/api/"
        with httpx.Client(base_url=base, auth=self.login(), timeout=60) as client:  # Prefect's own
            return wait_for(response, f"an answer to {path}", seconds=120, every=0.5)

    def login(self) -> tuple[str, str]:
        """Return the user and the password that `make up` made."""
        user, _, password = (self.folder / "local" / "password").read_text(encoding="utf-8").strip().partition(":")
        return user, password

    def report_of(self, study: str, run: str) -> str:
        """Return the address of a run's report."""
        key = (self.folder / "local" / "reports-key").read_text(encoding="utf-8").strip()
        return f"http://127.0.0.1:{self.reports_port}/{key}/{study}/{run}/report.html"

    def _csrf(self, client: Any, method: str) -> dict[str, str]:
        if method == "GET":
            return {}
        token = client.get("csrf-token", params={"client": "tests"}).raise_for_status().json()["token"]
        return {"Prefect-Csrf-Token": token, "Prefect-Csrf-Client": "tests"}

    def runs(self) -> list[dict[str, Any]]:
        """Return the runs of mgvae-cohort that have started, the newest first; the schedule has others for later nights."""
        found = self.get("flow_runs/filter", flows={"name": {"any_": ["mgvae-cohort"]}}, sort="START_TIME_DESC")
        return [run for run in found if run["start_time"] is not None]

    def logs(self) -> str:
        """Return the last lines that server and workers wrote."""
        files = sorted((self.folder / "local").glob("*.log"))
        return "\n".join(f"== {file.name}\n{file.read_text(errors='replace')[-3000:]}" for file in files)


@contextmanager
def on_one_core(number: int | None = None) -> Iterator[None]:
    """Give what is started meanwhile one core: a small study takes less time than the processes that it would start.

    Args:
        number: which; None for that of this process among those of pytest-xdist.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) if number is None else number
    os.sched_setaffinity(0, {sorted(before)[worker % len(before)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def machine(folder: Path, **more: str) -> Iterator[Machine]:
    """Yield a machine that is up; take it down at the end."""
    one = Machine(folder, more)
    try:
        one.up()
        yield one
    finally:
        one.down()


@contextmanager
def postgres() -> Iterator[str]:
    """Start a real Postgres on a free port; yield the URL with which Prefect connects."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    port = free_port()
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    # not among pytest's folders: they are their owner's alone, and each start of pytest makes them so again
    with TemporaryDirectory(prefix="mgvae-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if user:
            shutil.chown(folder, "postgres")
        data = folder / "data"
        quiet: dict[str, Any] = {"check": True, "stdout": subprocess.DEVNULL, "cwd": "/"}
        subprocess.run([*user, str(programs / "initdb"), "-D", str(data), "-U", "prefect", "-A", "trust"], **quiet)
        options = f"-c listen_addresses=127.0.0.1 -p {port} -k {folder}"
        control = [*user, str(programs / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log")]
        subprocess.run([*control, "-o", options, "start"], **quiet)
        try:
            subprocess.run(
                [
                    "psql",
                    "-h",
                    "127.0.0.1",
                    "-p",
                    str(port),
                    "-U",
                    "prefect",
                    "-d",
                    "postgres",
                    "-c",
                    "CREATE DATABASE prefect",
                ],
                **quiet,
            )
            yield f"postgresql+asyncpg://prefect@127.0.0.1:{port}/prefect"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], **quiet)


def wait_for(condition: Callable[[], Any], what: str, *, seconds: float = LASTS_SECONDS, every: float = 0.1) -> Any:
    """Return what ``condition`` returns once it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(every)
    raise AssertionError(f"{what} within {seconds} seconds")
