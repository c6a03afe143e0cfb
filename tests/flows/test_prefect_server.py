"""The command's own server may answer as slowly as Prefect allows: a busy machine is no error."""

import base64
import os
import time
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import httpx
import pytest
from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import PREFECT_API_REQUEST_TIMEOUT, PREFECT_API_URL, temporary_settings

from flows.prefect_server import _start_own_server, orchestrated

LOGIN = "mgvae:invented"
SECONDS = 0.6  # until it answers


class Busy(BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(SECONDS)
        known = self.headers.get("Authorization") == f"Basic {base64.b64encode(LOGIN.encode()).decode()}"
        self.send_response(200 if known else 401)
        self.end_headers()

    def log_message(self, *_):
        """Print nothing."""


@pytest.fixture
def busy(monkeypatch):
    """A server that knows the password, asked in place of Prefect's."""
    monkeypatch.setattr(SubprocessASGIServer, "_port_range", SubprocessASGIServer._port_range)
    monkeypatch.setattr(SubprocessASGIServer, "start", lambda self: None)
    with ThreadingHTTPServer(("127.0.0.1", 0), Busy) as server:
        address = f"http://127.0.0.1:{server.server_port}/api"
        monkeypatch.setattr(SubprocessASGIServer, "api_url", property(lambda self: address))
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield
        server.shutdown()
        thread.join()


def test_it_waits_as_long_as_prefect_does(busy):
    with temporary_settings({PREFECT_API_REQUEST_TIMEOUT: 30 * SECONDS}):
        _start_own_server(LOGIN)
    with temporary_settings({PREFECT_API_REQUEST_TIMEOUT: SECONDS / 6}), pytest.raises(httpx.ReadTimeout, match="timed out"):
        _start_own_server(LOGIN)


def test_work_is_done_while_the_own_server_starts(monkeypatch):
    prepared, waited = Event(), []
    monkeypatch.setattr("flows.prefect_server._start_own_server", lambda password: waited.append(prepared.wait(10 * SECONDS)))
    monkeypatch.setattr("flows.prefect_server.get_client", lambda **_: nullcontext())
    monkeypatch.setattr("flows.prefect_server.os.environ", os.environ.copy())
    with temporary_settings(restore_defaults={PREFECT_API_URL}), orchestrated(prepared.set):
        assert waited == [True]


def test_work_is_done_where_a_server_is_up_already():
    prepared = Event()
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}), orchestrated(prepared.set):
        assert prepared.is_set()
