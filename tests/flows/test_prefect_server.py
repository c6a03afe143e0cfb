"""The command's own server may answer as slowly as Prefect allows: a busy machine is no error."""

import base64
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest
from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import PREFECT_API_REQUEST_TIMEOUT, temporary_settings

from flows.prefect_server import _start_own_server

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
