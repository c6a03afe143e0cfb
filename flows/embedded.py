"""The server that Prefect starts by itself where none is configured: Ctrl-C at a terminal must not stop it before the run."""

from __future__ import annotations

import signal
import threading
from contextvars import copy_context

from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL


def start_embedded_server() -> None:
    """Start Prefect's embedded server, unless an address is configured, and return once it answers.

    A terminal sends SIGINT to all processes of its foreground group. The server would end before the run that it serves, which
    then waits over a minute for its answers, fails, and tells of a server that is not there. So the server is started with
    SIGINT blocked, which it inherits; Prefect stops it when this process ends. Ctrl-C still reaches this process at any moment.

    Raises:
        Exception: what Prefect raises where the server does not start.
    """
    if PREFECT_API_URL.value():
        return
    failed: list[Exception] = []

    def start() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # of this thread, and of what it starts
        try:
            with get_client(sync_client=True):
                pass
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=copy_context().run, args=(start,), name="embedded server", daemon=True)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
