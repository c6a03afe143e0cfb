"""Server, work pools, workers and reports on one machine: ``make up`` and ``make down``.

Usage: python -m deployments.local up|down|status

``.local/processes.json`` records the started processes; ``down`` stops exactly these. Logs and the embedded database lie
in ``.local``, too, and so do the password that the server asks for and the key in the address of the reports, readable by
their owner alone. While it is up, the active Prefect profile is ``mgvae-local``, which holds address and password, so that
``prefect`` finds the server from any folder; ``down`` activates the earlier profile again.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from deployments.profile import restore_profile, use_profile
from deployments.register import DEFAULTS, ROOT
from flows.runs.report_server import FOLDERS_SETTING, URL_SETTING

STATE = Path(os.environ.get("MGVAE_LOCAL", ROOT / ".local"))
PORT = int(os.environ.get("MGVAE_PORT", "4200"))
REPORTS_PORT = int(os.environ.get("MGVAE_REPORTS_PORT", PORT + 1))
API = f"http://127.0.0.1:{PORT}/api"
ORIGINS = f"http://127.0.0.1:{PORT},http://localhost:{PORT}"  # the server's own pages, by both of its names
PASSWORD = STATE / "password"
USER = "mgvae"
MORE = {"server": {"PREFECT_LOGGING_HANDLERS_CONSOLE_CLASS": "deployments.server_log.ServerConsole"}}
EARLIER = STATE / "profile"
WORKERS = {"cpu": (), "gpu": ("--limit", "1")}
# a caller that has an address of reports serves them itself
STARTED = ("server", *WORKERS) if os.environ.get(URL_SETTING) else ("server", "reports", *WORKERS)
HEALTHY_WITHIN_SECONDS = 120
STOPPED_WITHIN_SECONDS = 30


def up() -> None:
    """Start the server, the work pools, the workers and the server of reports that do not run yet.

    Raises:
        SystemExit: something else listens on a port, a process did not stay up, or the server asks for no password.
    """
    STATE.mkdir(mode=0o700, exist_ok=True)
    running = {name: process for name, process in _recorded().items() if _alive(process)}
    missing = [name for name in STARTED if name not in running]
    if "server" in missing and _answers():
        sys.exit(f"Error: port {PORT} must be free; a Prefect server that make up did not start answers there. Set MGVAE_PORT.")
    if "reports" in missing and _listens(REPORTS_PORT):
        sys.exit(f"Error: port {REPORTS_PORT} must be free for the reports; something listens there. Set MGVAE_REPORTS_PORT.")
    if "server" in missing:
        _start(running, "server", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(PORT))
    if "reports" in missing:
        _start(running, "reports", "flows.runs.report_server")
    _wait_for(running, "server", _answers)
    if _status("admin/version", timeout=30) != 401:
        sys.exit(f"Error: the server at {API} must ask for a password; it answers without one. Run make down, then make up.")
    if "reports" in STARTED:
        _wait_for(running, "reports", lambda: _listens(REPORTS_PORT))
    use_profile(_access(), EARLIER)
    _make_pools()
    for name, options in WORKERS.items():
        if name in missing:
            pool = f"mgvae-{name}"
            _start(running, name, "prefect", "worker", "start", "--pool", pool, "--name", pool, "--type", "process", *options)
    reports = f", reports on port {REPORTS_PORT}" if "reports" in STARTED else ""
    _say(
        f"Up: server at {API[:-4]}{reports} and workers mgvae-cpu, mgvae-gpu. Its pages ask for the line in "
        f"{_relative(PASSWORD)}. Logs in {_relative(STATE)}. Next: make deploy"
    )


def down() -> None:
    """Cancel active runs, then stop what `up` started, workers first."""
    recorded = _recorded()
    if "server" in recorded and _alive(recorded["server"]) and _answers():
        _cancel_runs()
    for name in sorted(recorded, key=lambda name: name == "server"):
        if _alive(recorded[name]):
            _stop(recorded[name])
        del recorded[name]
        _record(recorded)
    restore_profile(EARLIER)
    _say("Down. Runs, the artifact store and the server's database stay.")


def status() -> None:
    """Print what runs; exit code 1 unless everything does."""
    recorded = _recorded()
    states = {name: name in recorded and _alive(recorded[name]) for name in STARTED}
    for name, runs in states.items():
        _say(f"{name}: {'runs' if runs else 'does not run'}")
    sys.exit(0 if all(states.values()) else 1)


def _environment() -> dict[str, str]:
    """Return the environment of server and workers; settings of the caller win."""
    auth = os.environ.get("PREFECT_SERVER_API_AUTH_STRING") or _kept(PASSWORD, f"{USER}:")
    given = {
        **DEFAULTS,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # any page that a browser on this machine shows could otherwise register a deployment and have the worker run it
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": ORIGINS,
        "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        # in memory, the default, a server that is killed would leave the slot of an active run taken for ever
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        # a run goes after 90 days with its logs, artifacts and tasks; by default Prefect removes events alone, after 7 days
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": "7776000",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        "PREFECT_CLIENT_MAX_RETRIES": "9",  # a worker, and its runs, wait for a server that is away
        "OMP_NUM_THREADS": "1",  # small models gain nothing from more, and lose much on a busy machine
    }
    fixed = {"PREFECT_HOME": str(STATE / "prefect"), "PREFECT_API_URL": API, "PYTHONUNBUFFERED": "1"}
    fixed |= {"PREFECT_SERVER_API_AUTH_STRING": auth, "PREFECT_API_AUTH_STRING": auth}
    out = {**given, **os.environ, **fixed}
    if "reports" in STARTED:
        out[URL_SETTING] = f"http://127.0.0.1:{REPORTS_PORT}/{_kept(STATE / 'reports-key', '')}"
        out[FOLDERS_SETTING] = out.get(FOLDERS_SETTING) or str((Path(out["MGVAE_HOME"]) / out["MGVAE_OUT"]).resolve())
    out.pop("PREFECT_PROFILE", None)
    return out


def _kept(path: Path, begins: str) -> str:
    """Return the secret in a file, made once and kept for its owner alone."""
    kept = path.read_text(encoding="utf-8").strip() if path.is_file() else ""
    if not kept:
        kept, new = f"{begins}{secrets.token_urlsafe(24)}", path.with_suffix(".new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(f"{kept}\n")
        new.replace(path)
    path.chmod(0o600)
    return kept


def _start(running: dict[str, Any], name: str, module: str, *arguments: str) -> None:
    """Start a module as a process that outlives this one, and record it at once."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a script: a worker would not end by it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    with (STATE / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - a fixed command
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env={**_environment(), **MORE.get(name, {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    running[name] = {"pid": process.pid, "began": _began(process.pid)}
    _record(running)


def _stop(process: Mapping[str, Any]) -> None:
    """Terminate a process, and kill its group where it does not end in time."""
    _signal(os.kill, process["pid"], signal.SIGTERM)
    _wait_until(lambda: not _alive(process), STOPPED_WITHIN_SECONDS)
    _signal(os.killpg, process["pid"], signal.SIGKILL)  # flow runs that a worker left behind


def _signal(send: Callable[[int, int], None], pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        send(pid, number)


def _alive(process: Mapping[str, Any]) -> bool:
    """Return whether the started process still runs, not another with its number."""
    began = _began(int(process["pid"]))
    return bool(began) and began == process["began"]


def _began(pid: int) -> str:
    command = ["ps", "-o", "lstart=,stat=", "-p", str(pid)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})  # noqa: S603
    fields = done.stdout.strip().rsplit(maxsplit=1)
    return "" if len(fields) < 2 or fields[1].startswith("Z") else fields[0]


def _wait_for(running: Mapping[str, Any], name: str, ready: Callable[[], bool]) -> None:
    _wait_until(lambda: ready() or not _alive(running[name]), HEALTHY_WITHIN_SECONDS)
    if not (_alive(running[name]) and ready()):
        sys.exit(f"Error: the process {name} must answer; it does not. See {_relative(STATE / f'{name}.log')}.")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait_until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.2)


def _answers() -> bool:
    return _status("health") == 200


def _status(path: str, *, timeout: float = 2) -> int:
    """Return the status of the server's answer to who brings no password; 0 for none."""
    try:
        with urllib.request.urlopen(f"{API}/{path}", timeout=timeout) as answer:  # noqa: S310 - a fixed address
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def _make_pools() -> None:
    command = [sys.executable, "-m", "deployments.register", "--only-pools"]
    if subprocess.run(command, cwd=ROOT, env=_environment(), check=False).returncode:  # noqa: S603 - a fixed command
        sys.exit("Error: the work pools must be made before workers can start.")


def _cancel_runs() -> None:
    """Cancel active runs and wait for their end.

    A run left active would keep its slot when the server is up again.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter
    from prefect.settings import temporary_settings
    from prefect.states import Cancelling

    busy = FlowRunFilter.model_validate({"state": {"type": {"any_": ["PENDING", "RUNNING", "CANCELLING"]}}})
    try:
        with temporary_settings(_access()), get_client(sync_client=True) as client:
            active = client.read_flow_runs(flow_run_filter=busy)
            for run in active:
                client.set_flow_run_state(run.id, Cancelling(), force=True)
            _wait_until(lambda: not client.read_flow_runs(flow_run_filter=busy), STOPPED_WITHIN_SECONDS)
    except Exception as error:  # whatever is wrong with the server, everything must stop
        _say(f"Active runs were not cancelled: the server did not do it ({type(error).__name__}). They end with the workers.")
        return
    if active:
        _say(f"Cancelled {len(active)} active runs; finished stages are kept.")


def _access() -> dict[Any, Any]:
    """Return the settings with which a client reaches the server."""
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL

    return {PREFECT_API_URL: API, PREFECT_API_AUTH_STRING: _environment()["PREFECT_API_AUTH_STRING"]}


def _recorded() -> dict[str, Any]:
    try:
        return dict(json.loads((STATE / "processes.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _record(running: Mapping[str, Any]) -> None:
    new = STATE / "processes.new"
    new.write_text(json.dumps(running), encoding="utf-8")
    new.replace(STATE / "processes.json")


def _relative(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    commands = {"up": up, "down": down, "status": status}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit(f"Usage: python -m deployments.local {'|'.join(commands)}")
    commands[sys.argv[1]]()
