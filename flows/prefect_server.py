"""Provide a Prefect server for a flow that a command runs; explain its errors."""

from __future__ import annotations

import atexit
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Final

import httpx
from prefect.context import refresh_global_settings_context
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_SERVER_ALLOW_EPHEMERAL_MODE,
    PREFECT_SERVER_API_AUTH_STRING,
    PREFECT_SERVER_CORS_ALLOWED_ORIGINS,
    PREFECT_SERVER_CSRF_PROTECTION_ENABLED,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    get_current_settings,
    temporary_settings,
)

from flows.redaction import OrchestrationError
from mgvae.errors import MGVAEError

# what a server for one command does without: pages, and blocks that none of our flows uses; to see whether these changed since
# they were registered, it would import every package of Prefect's that is installed
SPARED: Final = {
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
    "PREFECT_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
}
SECONDS_TO_END: Final = 5.0
_own_addresses: set[str] = set()


@contextmanager
def orchestrated(meanwhile: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Have a server answer, and run a flow in the block.

    Errors of ours pass; any other that leaves a flow whose body uses `redact_errors` is Prefect's own, and quotes no data.

    Args:
        meanwhile: called once, while a server of our own starts, which takes seconds.
    Raises:
        OrchestrationError: what Prefect raised.
    """
    try:
        if served():
            meanwhile()
        with nullcontext() if served() else _own_server(meanwhile):
            yield
    except MGVAEError:
        raise
    except Exception as error:
        reason = (str(error).strip() or "no reason given").splitlines()[0].rstrip(".")
        raise OrchestrationError(
            f"Prefect must be able to run the flow; {type(error).__name__}: {reason}. Check PREFECT_API_URL and PREFECT_HOME, "
            "or leave both unset to run without a server."
        ) from None


@contextmanager
def _own_server(meanwhile: Callable[[], object]) -> Iterator[None]:
    """Have a server of our own answer this process alone.

    It listens on 127.0.0.1 and asks for a password, which keeps out other accounts of this machine. A page of another origin
    may read nothing (CORS) and change nothing (CSRF). Address and password stand in the environment of this process and in
    Prefect's global settings: Prefect's threads do not inherit others, and some still send when the block has ended.
    """
    if not PREFECT_SERVER_ALLOW_EPHEMERAL_MODE.value():
        raise RuntimeError("PREFECT_API_URL is not set, and PREFECT_SERVER_ALLOW_EPHEMERAL_MODE allows no server of its own")
    password = f"mgvae:{secrets.token_urlsafe(24)}"
    private = {
        PREFECT_SERVER_CORS_ALLOWED_ORIGINS: "",
        PREFECT_SERVER_CSRF_PROTECTION_ENABLED: True,
        PREFECT_SERVER_API_AUTH_STRING: password,
        PREFECT_API_AUTH_STRING: password,
    }
    os.environ |= {setting.name: str(value) for setting, value in private.items()}
    with temporary_settings(private):
        address = _start_own_server()
    _own_addresses.add(address)
    os.environ[PREFECT_API_URL.name] = address
    refresh_global_settings_context()
    nobody_listens = {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}  # and the end of a flow waits up to a second for their thread
    with temporary_settings(private | nobody_listens | {PREFECT_API_URL: address}):
        meanwhile()
        _wait_for(address, password)
        yield


def _start_own_server() -> str:
    """Start a Prefect server in a process of its own, and return the address of its interface; it ends with this process.

    The socket is opened here, so that no other process answers in its place. The server has a process group of its own: a
    terminal sends SIGINT to the whole foreground group, and a server that ends before the run that it serves would make it wait
    over a minute for its answers. Prefect's own way to start one imports the server in this process too.
    """
    environment = {**os.environ, **get_current_settings().to_environment_variables(exclude_unset=True), **SPARED}
    with socket.create_server(("127.0.0.1", 0)) as listening:
        place = listening.fileno()
        command = [sys.executable, "-P", "-m", "flows.own_server", str(place)]
        process = subprocess.Popen(command, env=environment, pass_fds=[place], stdin=subprocess.PIPE, process_group=0)  # noqa: S603
        atexit.register(_end, process)
        return f"http://127.0.0.1:{listening.getsockname()[1]}/api"


def _wait_for(address: str, password: str) -> None:
    """Wait until a server answers: its socket is open before it is there."""
    with httpx.Client(timeout=PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.value()) as client:
        client.get(f"{address}/admin/version", auth=httpx.BasicAuth(*password.split(":", 1))).raise_for_status()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()


def served() -> bool:
    """Return whether a Prefect server is configured, other than one of our own."""
    address = PREFECT_API_URL.value()
    return bool(address) and address not in _own_addresses
