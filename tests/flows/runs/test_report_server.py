"""The server of reports: each report as it was published, to who knows its address, and nothing beside it."""

import asyncio
import os
import re
import socket
import subprocess
import sys
from contextlib import contextmanager
from threading import Thread

import httpx
import pytest

from flows.runs.report_server import POLICY, Reports, report_url, server_of
from mgvae.errors import ConfigError
from tests.deployments.machine import wait_for
from tests.flows.stored_runs import publish
from tests.paths import ROOT
from tests.ports import free_port

RUN, PAGE, SECRET = "0fd8e20f86b4", "<!DOCTYPE html><title>r\u00e9port</title>", "patient-0417"
HOST = "127.0.0.1:4201"
GOOD = f"/key/small/{RUN}/report.html"


@pytest.fixture
def runs(tmp_path):
    """A folder of runs, with much that is not to be served in it and beside it."""
    folder = tmp_path / "runs"
    publish(folder / "small" / RUN, PAGE)
    (folder / "small" / "latest").symlink_to(RUN)
    (folder / "linked").symlink_to("small")
    for place in (tmp_path / "elsewhere" / "run", folder / "small" / ".hidden"):
        publish(place, PAGE)
    (folder / "out").symlink_to(tmp_path / "elsewhere")
    for place in (tmp_path, folder, folder / "small", folder / "small" / RUN):
        (place / "secret.html").write_text(SECRET)
    (folder / "small" / RUN / "predictions.parquet").write_text(SECRET)
    return folder


def asked(app, path=GOOD, *, method="GET", hosts=(HOST,), query=b""):
    """Return status, headers and body of the answer to a request whose path is exactly this."""
    sent = []

    async def send(message):
        sent.append(message)

    headers = [(b"host", host.encode()) for host in hosts]
    scope = {"type": "http", "method": method, "raw_path": path.encode(), "headers": headers, "query_string": query}
    asyncio.run(app(scope, None, send))
    start, body = sent
    return start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, body["body"]


def reports(*folders):
    return Reports(folders, hosts=[HOST, "localhost:4201"], prefix="/key")


def test_a_report_is_served_as_it_was_published(runs):
    status, headers, body = asked(reports(runs))
    assert (status, body.decode()) == (200, PAGE)
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["content-length"] == str(len(body))
    assert asked(reports(runs), hosts=["LOCALHOST:4201"])[0] == 200


def test_head_has_the_headers_alone(runs):
    _, wanted, _ = asked(reports(runs))
    assert asked(reports(runs), method="HEAD") == (200, wanted, b"")


def test_every_answer_has_the_strict_headers(runs):
    for asking in ({}, {"path": "/"}, {"method": "POST"}, {"hosts": ["evil.org"]}):
        headers = asked(reports(runs), **asking)[1]
        assert headers["content-security-policy"].startswith("default-src 'none';")
        assert "script-src" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers
        assert "access-control-allow-origin" not in headers


def test_the_policy_is_that_of_the_page_and_no_frames():
    page = (ROOT / "mgvae" / "report" / "templates" / "head.html").read_text(encoding="utf-8")
    own = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert f"{own}; frame-ancestors 'none'" == POLICY


NOWHERE = [
    "",
    "/",
    "/key",
    "/key/",
    "/key/small",
    "/key/small/",
    f"/key/small/{RUN}",
    f"/key/small/{RUN}/",
    f"/key/small/{RUN}/predictions.parquet",
    f"/key/small/{RUN}/manifest.json",
    f"/key/small/{RUN}/secret.html",
    "/key/small/secret.html",
    f"/small/{RUN}/report.html",  # without the key
    f"/KEY/small/{RUN}/report.html",
    f"/ke/small/{RUN}/report.html",
    f"{GOOD}/",
    f"{GOOD}x",
    f"{GOOD}\n",
    f"{GOOD}%00",
    f"{GOOD}\0.png",
    f"{GOOD};x",
    f"//key/small/{RUN}/report.html",
    f"/key//small/{RUN}/report.html",
    f"/key/./small/{RUN}/report.html",
    f"/key/small/../small/{RUN}/report.html",
    f"/key/../key/small/{RUN}/report.html",
    f"/key/%73mall/{RUN}/report.html",
    f"/key/small%2f{RUN}/report.html",
    "/key/../elsewhere/run/report.html",
    "/key/%2e%2e/elsewhere/run/report.html",
    "/key/..%2felsewhere/run/report.html",
    "/key/..\\elsewhere/run/report.html",
    "/key/%252e%252e/elsewhere/run/report.html",
    "/key/out/run/report.html",  # a link that leads out
    f"/key/linked/{RUN}/report.html",  # and links that do not
    "/key/small/latest/report.html",
    "/key/small/.hidden/report.html",
    "/key/small/small/report.html",
    f"/key/Small/{RUN}/report.html",
    f"/key/{'s' * 65}/{RUN}/report.html",
    f"http://{HOST}{GOOD}",
    f"/key{ROOT}/report.html",
]


@pytest.mark.parametrize("path", NOWHERE)
def test_nothing_else_is_there(path, runs):
    status, headers, body = asked(reports(runs), path)
    assert (status, body) == (404, b"No such report.\n")
    assert headers["content-type"] == "text/plain; charset=utf-8"


def test_a_query_is_no_part_of_an_address(runs):
    assert asked(reports(runs), query=b"x=1")[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get", "PROPFIND"])
def test_reports_can_be_read_only(method, runs):
    status, headers, body = asked(reports(runs), method=method)
    assert (status, headers["allow"], body) == (405, "GET, HEAD", b"Reports can be read only.\n")


OTHERS = [
    [],
    [""],
    ["evil.org"],
    ["evil.org:4201"],
    ["127.0.0.1"],
    ["127.0.0.1:4200"],
    ["127.0.0.1:4201.evil.org"],
    ["evil.org@127.0.0.1:4201"],
    ["127.0.0.1.:4201"],
    ["0.0.0.0:4201"],
    ["127.1:4201"],
    [HOST, "evil.org"],
    ["evil.org", HOST],
    [HOST, HOST],
]


@pytest.mark.parametrize("hosts", OTHERS, ids=" ".join)
def test_a_name_that_a_page_points_here_gets_nothing(hosts, runs):
    status, _, body = asked(reports(runs), hosts=hosts)
    assert (status, body) == (421, b"This server has another name.\n")


def replaced_by_link(run):
    (run / "report.html").rename(run / "moved.html")
    (run / "report.html").symlink_to("moved.html")


def replaced_by_pipe(run):
    (run / "report.html").unlink()
    os.mkfifo(run / "report.html")


def replaced_by_folder(run):
    (run / "report.html").unlink()
    (run / "report.html").mkdir()


SPOILED = [
    replaced_by_link,
    replaced_by_pipe,
    replaced_by_folder,
    lambda run: (run / "report.html").unlink(),
    lambda run: (run / "report.html").write_text(f"{PAGE}<script>1</script>"),
    lambda run: (run / "manifest.json").unlink(),
    lambda run: (run / "manifest.json").write_text("{"),
    lambda run: (run / "manifest.json").write_text('{"created_at": "", "status": "pass", "lineage": {"artifacts": {}}}'),
]


@pytest.mark.parametrize("spoil", SPOILED)
def test_a_report_that_no_run_published_is_not_served(spoil, runs):
    spoil(runs / "small" / RUN)
    assert asked(reports(runs))[0] == 404


def test_of_two_folders_the_first_that_has_the_run_counts(runs, tmp_path):
    publish(tmp_path / "more" / "small" / RUN, "other")
    publish(tmp_path / "more" / "small" / "second", "second")
    app = reports(tmp_path / "missing", runs, tmp_path / "more")
    assert asked(app)[2].decode() == PAGE
    assert asked(app, "/key/small/second/report.html")[2] == b"second"
    assert asked(reports(), GOOD)[0] == 404


def test_a_folder_that_is_a_link_is_that_to_which_it_leads(runs, tmp_path):
    (tmp_path / "alias").symlink_to(runs)
    assert asked(reports(tmp_path / "alias"))[0] == 200


@pytest.mark.parametrize(
    ("url", "folders", "wanted"),
    [
        (None, None, None),
        ("", "", None),
        (None, "RUNS", None),
        ("https://reports.example.org/x/", None, f"https://reports.example.org/x/small/{RUN}/report.html"),
        ("http://127.0.0.1:1/k", "RUNS", f"http://127.0.0.1:1/k/small/{RUN}/report.html"),
        ("http://127.0.0.1:1/k", "/elsewhere:RUNS", f"http://127.0.0.1:1/k/small/{RUN}/report.html"),
        ("http://127.0.0.1:1/k", "/elsewhere", None),
        ("http://127.0.0.1:1/k", "RUNS/small", None),
    ],
)
def test_a_report_has_an_address_where_it_is_served(url, folders, wanted, runs, monkeypatch):
    for name, value in (("MGVAE_REPORTS_URL", url), ("MGVAE_REPORTS", folders)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value.replace("RUNS", str(runs)))
    assert report_url(runs / "small" / RUN) == wanted


@pytest.mark.parametrize(
    "url", ["", "http://127.0.0.1/key", "https://127.0.0.1:1/k", "http://0.0.0.0:1/k", "http://evil.org:1/k", "http://[::1]:1/"]
)
def test_the_server_is_on_this_machine_alone(url):
    with pytest.raises(ConfigError, match=r"must be http://127\.0\.0\.1:PORT/KEY"):
        server_of(url, lambda hosts, prefix: Reports([], hosts=hosts, prefix=prefix))


@contextmanager
def serving(folder):
    port = free_port()
    server = server_of(f"http://127.0.0.1:{port}/key", lambda hosts, prefix: Reports([folder], hosts=hosts, prefix=prefix))
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started, "the server")
    yield port
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


def said(port, request):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def test_what_comes_over_the_wire(runs):
    """The parts around the application neither decode nor normalise a path, nor add a header."""
    before = sorted((path, path.lstat().st_mtime_ns) for path in runs.rglob("*"))
    with serving(runs) as port:
        found = httpx.get(f"http://127.0.0.1:{port}{GOOD}")
        assert (found.status_code, found.text) == (200, PAGE)
        assert "server" not in found.headers
        assert httpx.head(f"http://127.0.0.1:{port}{GOOD}").content == b""
        ends = f"\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode()
        assert said(port, f"GET {GOOD} HTTP/1.1".encode() + ends).startswith(b"HTTP/1.1 200 ")
        for path in (
            "/key/../elsewhere/run/report.html",
            "/key/%2e%2e/elsewhere/run/report.html",
            "/key/small/",
            "/etc/passwd",
        ):
            assert said(port, f"GET {path} HTTP/1.1".encode() + ends).startswith(b"HTTP/1.1 404 ")
        for line in (f"GET {GOOD} HTTP/1.1\r\nHost: evil.org", f"GET {GOOD} HTTP/1.1", f"GET {GOOD} HTTP/1.0"):
            answer = said(port, f"{line}\r\nConnection: close\r\n\r\n".encode())
            assert answer.startswith((b"HTTP/1.1 421 ", b"HTTP/1.1 400 ")), answer
        for request in (b"GET", b"\x16\x03\x01\0\r\n\r\n", f"{GOOD}\r\n\r\n".encode()):
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(request)  # half a request and nonsense: the next is answered all the same
        assert httpx.get(f"http://127.0.0.1:{port}{GOOD}").status_code == 200
    assert sorted((path, path.lstat().st_mtime_ns) for path in runs.rglob("*")) == before


def test_the_command_needs_an_address():
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "flows.runs.report_server"]
    done = subprocess.run(command, env=environment, text=True, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: MGVAE_REPORTS_URL must be http://127.0.0.1:PORT/KEY")
