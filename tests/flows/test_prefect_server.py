"""A command starts a server of its own where none is configured; it may be slow, and nobody else gets its password."""

import os
import socket
import subprocess
import sys
import time
from threading import Event, Thread

import httpx
import pytest
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_SERVER_ALLOW_EPHEMERAL_MODE,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    temporary_settings,
)

from flows import prefect_server
from flows.prefect_server import _wait_for, orchestrated, served
from flows.redaction import OrchestrationError
from tests.prefect_home import prefect_home

LOGIN = "mgvae:invented"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@pytest.fixture
def listening():
    """A socket that is open before anybody answers on it."""
    with socket.create_server(("127.0.0.1", 0)) as opened:
        yield opened


def address_of(listening):
    return f"http://127.0.0.1:{listening.getsockname()[1]}/api"


def test_it_waits_for_a_server_whose_socket_is_open(listening):
    asked = []

    def answer_late():
        time.sleep(0.5)
        connection, _ = listening.accept()
        with connection:
            asked.append(connection.recv(1 << 16))
            connection.sendall(ANSWER)

    thread = Thread(target=answer_late)
    thread.start()
    _wait_for(address_of(listening), LOGIN)
    thread.join()
    assert b"GET /api/admin/version" in asked[0]
    assert b"authorization: basic" in asked[0].lower()


def test_it_waits_no_longer_than_prefect_is_set_to(listening):
    with (
        temporary_settings({PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: 1}),
        pytest.raises(httpx.ReadTimeout, match="timed out"),
    ):
        _wait_for(address_of(listening), LOGIN)


@pytest.fixture
def started(monkeypatch):
    """The address of an own server that is not started; environment and addresses stay as they were."""
    monkeypatch.setattr("flows.prefect_server.os.environ", os.environ.copy())
    monkeypatch.setattr(prefect_server, "_own_addresses", set())
    monkeypatch.setattr(prefect_server, "refresh_global_settings_context", lambda: None)
    address = "http://127.0.0.1:9/api"
    monkeypatch.setattr(prefect_server, "_start_own_server", lambda: address)
    return address


@pytest.mark.slow
def test_work_is_done_while_the_own_server_starts(started, monkeypatch):
    order = []
    monkeypatch.setattr(prefect_server, "_wait_for", lambda *_: order.append("wait"))
    with temporary_settings(restore_defaults={PREFECT_API_URL}), orchestrated(lambda: order.append("work")):
        assert order == ["work", "wait"]
        assert PREFECT_API_URL.value() == started
        assert not served()  # no server that anybody configured


def test_no_server_of_its_own_where_prefect_forbids_one(started):
    with (
        temporary_settings({PREFECT_SERVER_ALLOW_EPHEMERAL_MODE: False}, restore_defaults={PREFECT_API_URL}),
        pytest.raises(OrchestrationError, match="PREFECT_SERVER_ALLOW_EPHEMERAL_MODE allows no server"),
        orchestrated(),
    ):
        pytest.fail("no block without a server")


def test_work_is_done_where_a_server_is_up_already():
    prepared = Event()
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}), orchestrated(prepared.set):
        assert prepared.is_set()
        assert served()


PROGRAM = """
import os, sys
from flows.prefect_settings import configure_prefect
configure_prefect(debug=False)
from flows.prefect_server import orchestrated
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL
with orchestrated():
    import httpx
    url = PREFECT_API_URL.value() + "/admin/version"
    login = httpx.BasicAuth(*PREFECT_API_AUTH_STRING.value().split(":", 1))
    known, unknown = httpx.get(url, auth=login).status_code, httpx.get(url).status_code
    print(known, unknown, url, "prefect.server.api" in sys.modules, flush=True)
    os._exit(0)
"""


@pytest.mark.slow
def test_the_own_server_asks_for_its_password_and_ends_with_a_command_that_is_killed(tmp_path):
    without = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment = without | {"PREFECT_HOME": str(prefect_home(tmp_path))}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    known, unknown, url, imported = done.stdout.split()
    assert (known, unknown, imported) == ("200", "401", "False")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            httpx.get(url)
        except httpx.TransportError:
            return
        time.sleep(0.2)
    pytest.fail("the server outlived its command")
