"""Who reaches the server that `make up` starts: its owner, and no page of another origin in a browser on that machine."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from tests.browser.headless import browser, executable
from tests.deployments.machine import machine, wait_for
from tests.flows.stored_runs import publish
from tests.paths import ROOT
from tests.prefect_home import prefect_home

pytestmark = pytest.mark.slow
FLOW = json.dumps({"name": "of-another-origin"})


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    with machine(tmp_path_factory.mktemp("machine")) as one:
        yield one


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    if executable() is None:
        pytest.skip("there is no Chromium")
    with browser(tmp_path_factory.mktemp("chromium")) as one:
        yield one


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """The address of a page on another port."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "index.html").write_text("<title>elsewhere</title>", encoding="utf-8")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def flows(up):
    return {found["name"] for found in up.get("flows/filter")}


def encoded(up):
    return base64.b64encode(":".join(up.login()).encode()).decode()


def asked(page, up, path, **options):
    """Return the status of the API's answer to a page, or what kept the page from it."""
    call = f"fetch('http://127.0.0.1:{up.port}/api/{path}', {json.dumps(options)}).then(a => a.status, e => e.name)"
    return page.evaluate(call)


@pytest.mark.parametrize("path", ["admin/settings", "csrf-token?client=a", "collections/views/aggregate-worker-metadata"])
def test_without_the_password_nothing_is_read(path, up):
    assert httpx.get(f"http://127.0.0.1:{up.port}/api/{path}").status_code == 401
    assert httpx.get(f"http://127.0.0.1:{up.port}/api/{path}", auth=("mgvae", "guessed")).status_code == 401


def test_without_the_token_nothing_is_written_even_with_the_password(up):
    answer = httpx.post(f"http://127.0.0.1:{up.port}/api/flows/", content=FLOW, auth=up.login())
    assert (answer.status_code, answer.json()["detail"]) == (403, "Missing CSRF token.")


@pytest.mark.parametrize(
    ("origin", "allowed"), [("127.0.0.1:PORT", True), ("localhost:PORT", True), ("127.0.0.1:1", False), ("evil.org", False)]
)
def test_only_the_server_s_own_pages_may_read_answers(origin, allowed, up):
    origin = f"http://{origin}".replace("PORT", str(up.port))
    answer = httpx.get(f"http://127.0.0.1:{up.port}/api/health", headers={"Origin": origin})
    assert answer.headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)


def test_a_page_of_another_origin_reads_and_writes_nothing(up, page, elsewhere):
    page.visit(elsewhere)
    before = flows(up)
    known = {"Authorization": f"Basic {encoded(up)}"}
    for headers in ({}, known):
        assert asked(page, up, "health", headers=headers) == "TypeError"
        assert asked(page, up, "flows/filter", method="POST", headers=headers, body="{}") == "TypeError"
        as_json = {**headers, "Content-Type": "application/json"}
        assert asked(page, up, "flows/", method="POST", headers=as_json, body=FLOW) == "TypeError"
        asked(page, up, "flows/", method="POST", mode="no-cors", headers=headers, body=FLOW)  # it is sent, and refused
    socket = f"new Promise(done => {{ const s = new WebSocket('ws://127.0.0.1:{up.port}/api/events/in'); "
    socket += "s.onopen = () => done('open'); s.onerror = s.onclose = () => done('refused'); })"
    assert page.evaluate(socket) == "refused"
    assert flows(up) == before


def test_the_server_s_own_pages_work_with_the_password(up, page):
    page.visit(f"http://127.0.0.1:{up.port}/login")
    page.evaluate(f"localStorage.setItem('prefect-password', '{encoded(up)}')")
    page.visit(f"http://127.0.0.1:{up.port}/work-pools")
    wait_for(
        lambda: "mgvae-cpu" in page.evaluate("document.body.innerText"), "the work pools on the page", seconds=30, every=0.5
    )
    assert asked(page, up, "health") == 200


def test_the_password_is_its_owner_s_alone(up):
    user, password = up.login()
    assert (user, len(password)) == ("mgvae", 32)
    for path in (up.folder / "local" / "password", up.folder / "home" / "profiles.toml"):
        assert path.stat().st_mode & 0o777 == 0o600
        assert password in path.read_text(encoding="utf-8")
    listed = subprocess.run(["ps", "-ww", "-eo", "args="], capture_output=True, text=True, check=True).stdout
    assert re.search(r"prefect server start .*--port", listed)
    assert password not in listed + up.logs()
    up.up()
    assert up.login() == (user, password)


def test_a_report_is_for_who_knows_its_address(up, page, elsewhere):
    run, text = up.folder / "out" / "small" / "0fd8e20f86b4", "<!DOCTYPE html><title>r</title><p>a report"
    publish(run, text)
    address = up.report_of("small", run.name)
    assert httpx.get(address).text == text
    key = (up.folder / "local" / "reports-key").read_text(encoding="utf-8").strip()
    assert (up.folder / "local" / "reports-key").stat().st_mode & 0o777 == 0o600
    assert httpx.get(address.replace(f"/{key}/", "/")).status_code == 404
    listed = subprocess.run(["ps", "-eo", "args="], capture_output=True, text=True, check=True).stdout
    assert key not in listed + up.logs()
    page.visit(elsewhere)  # a page of another origin, even with the address
    assert page.evaluate(f"fetch('{address}').then(a => a.text(), e => e.name)") == "TypeError"
    page.problems.clear()
    frame = f"const f = document.createElement('iframe'); f.src = '{address}'; document.body.append(f); f.onload = done"
    page.evaluate(f"new Promise(done => {{ {frame} }})")
    assert any("frame-ancestors" in problem for problem in page.problems)
    page.visit(address)
    assert page.evaluate("document.body.innerText") == "a report"
    up.kill(up.pid("reports"))
    up.up()
    assert httpx.get(address).text == text  # also after it was killed and started again


def test_down_stops_the_reports_too(up):  # the last test of this machine
    pid, address = up.pid("reports"), up.report_of("small", "x")
    assert httpx.get(address).status_code == 404
    up.down()
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), "the end of the reports' server", seconds=30, every=0.2)
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)


EMBEDDED = """
from flows.prefect_settings import configure_prefect
configure_prefect(debug=False)
import httpx
from threading import Thread
from flows.prefect_server import orchestrated
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL

def ask(found):
    with get_client(sync_client=True) as client:
        found.append(str(client.create_flow_from_name("ours")))

with orchestrated():
    url = PREFECT_API_URL.value()
    page = {"Origin": "http://evil.org"}
    answers = httpx.get(f"{url}/admin/version", headers=page), httpx.post(f"{url}/flows/filter", json={}, headers=page)
    found = []
    ask(found)
    thread = Thread(target=ask, args=(found,))  # which inherits no settings
    thread.start()
    thread.join()
    flow(lambda: None, name="ours")()
ask(found)  # as what is still to be sent when the command has ended
print(*[(one.status_code, one.headers.get("Access-Control-Allow-Origin")) for one in answers], len(found), len({*found}))
"""


def test_the_server_that_a_command_starts_answers_this_command_alone(tmp_path):
    home = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PREFECT_HOME": str(prefect_home(tmp_path))}
    home["PREFECT_LOGGING_LEVEL"] = "WARNING"
    home["PYTHONPATH"] = str(ROOT)  # also of the server's process
    done = subprocess.run([sys.executable, "-c", EMBEDDED], cwd=ROOT, env=home, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("(401, None) (403, None) 3 1\n", "")
