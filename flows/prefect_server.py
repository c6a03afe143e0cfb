"""Provide a Prefect server for a flow that a command runs; explain its errors."""

from __future__ import annotations

import os
import secrets
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import copy_context
from typing import Final

import httpx
from prefect.client.orchestration import get_client
from prefect.context import refresh_global_settings_context
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_REQUEST_TIMEOUT,
    PREFECT_API_URL,
    PREFECT_SERVER_API_AUTH_STRING,
    PREFECT_SERVER_CORS_ALLOWED_ORIGINS,
    PREFECT_SERVER_CSRF_PROTECTION_ENABLED,
    temporary_settings,
)

from flows.redaction import OrchestrationError
from mgvae.errors import MGVAEError

MOST_STARTS: Final = 5
PORTS: Final = range(10_000, 32_768)  # below those of outgoing connections; of Prefect's thousand, two commands may choose one


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
        with nullcontext() if served() else _embedded_server(meanwhile):
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
def _embedded_server(meanwhile: Callable[[], object]) -> Iterator[None]:
    """Have Prefect's embedded server answer this process alone.

    It listens on 127.0.0.1 and asks for a password, which keeps out other accounts of this machine. A page of another origin
    may read nothing (CORS) and change nothing (CSRF). The password stands in the environment of this process and in Prefect's
    global settings: Prefect's threads do not inherit others, and some still send when the block has ended.
    """
    password = f"mgvae:{secrets.token_urlsafe(24)}"
    private = {
        PREFECT_SERVER_CORS_ALLOWED_ORIGINS: "",
        PREFECT_SERVER_CSRF_PROTECTION_ENABLED: True,
        PREFECT_SERVER_API_AUTH_STRING: password,
        PREFECT_API_AUTH_STRING: password,
    }
    os.environ |= {setting.name: str(value) for setting, value in private.items()}
    refresh_global_settings_context()
    with temporary_settings(private):
        _start_embedded_server(password, meanwhile)
        yield


def _start_embedded_server(password: str, meanwhile: Callable[[], object]) -> None:
    """Start Prefect's embedded server beyond Ctrl-C, and wait until it answers.

    A terminal sends SIGINT to all processes of its foreground group. The server would end before the run that it serves, which
    then waits over a minute for its answers, fails, and tells of a server that is not there. So the server is started with
    SIGINT blocked, which it inherits; Prefect stops it when this process ends. Ctrl-C still reaches this process at any moment,
    and nobody then waits for the thread.
    """
    import prefect.server.api.server  # noqa: F401 - here, not in the thread: two threads must not import the same at once

    failed: list[Exception] = []

    def start() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # of this thread, and of what it starts
        try:
            _start_own_server(password)
            with get_client(sync_client=True):
                pass
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=copy_context().run, args=(start,), name="embedded server", daemon=True)
    thread.start()
    meanwhile()
    thread.join()
    if failed:
        raise failed[0]


def _start_own_server(password: str) -> None:
    """Start Prefect's embedded server on a port where nobody else answers.

    Prefect looks for a free port and binds it seconds later. Another command may have taken it by then; its server answers
    Prefect's question whether the own one is up, and the run would go there. Only the own server asks for this password.

    Raises:
        RuntimeError: another server answered each time.
    """
    from prefect.server.api.server import SubprocessASGIServer

    SubprocessASGIServer._port_range = PORTS
    for _ in range(MOST_STARTS):
        server = SubprocessASGIServer()
        server.start()
        address = f"{server.api_url}/admin/version"
        with httpx.Client(timeout=PREFECT_API_REQUEST_TIMEOUT.value()) as client:  # five seconds are too few on a busy machine
            open_to_all = client.get(address).status_code != httpx.codes.UNAUTHORIZED
            known = client.get(address, auth=httpx.BasicAuth(*password.split(":", 1))).status_code == httpx.codes.OK
        if known and not open_to_all:
            return
        server.stop()
    raise RuntimeError(f"the embedded server found its port taken {MOST_STARTS} times; try again")


def served() -> bool:
    """Return whether a Prefect server is configured."""
    return bool(PREFECT_API_URL.value())
