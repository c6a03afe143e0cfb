"""Headless Chromium over its debugging pipe (DevTools protocol, JSON messages ended by a zero byte); standard library only."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)


def executable() -> str | None:
    """Return the path of Chromium, or nothing where it is not installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Page:
    """One tab. ``requests`` and ``problems`` collect what it asked the network for and what it complained of."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._out, self._in = to_browser, from_browser
        self._buffer, self._number, self._session = b"", 0, None
        self.requests: list[str] = []
        self.problems: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method: str, *, wait_s: float = 60, **params: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._out, data) :]
        answer = self._until(lambda got: got.get("id") == self._number, wait_s)
        assert "error" not in answer, f"{method}: {answer['error']['message']}"
        return answer["result"]

    def open(self, path: Path, *, width: int, height: int = 900) -> None:
        """Show a local file in a window of the given size and wait until it has loaded."""
        self.visit(path.as_uri(), width=width, height=height)

    def visit(self, url: str, *, width: int = 1200, height: int = 900) -> None:
        """Show an address and wait until it has loaded."""
        self.requests.clear()
        self.problems.clear()
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Page.navigate", url=url)
        self._until(lambda got: got.get("method") == "Page.loadEventFired", 60)
        self.evaluate("0")  # what the page complained of while it loaded has arrived by now

    def evaluate(self, expression: str, *, wait_s: float = 60) -> Any:
        """Return the value of a JavaScript expression; of a promise, once it is kept."""
        asked: dict[str, Any] = {"expression": expression, "returnByValue": True, "awaitPromise": True}
        result = self.call("Runtime.evaluate", wait_s=wait_s, **asked)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def screenshot(self) -> bytes:
        """Return the whole page as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"])

    def pdf(self, **paper: float) -> bytes:
        """Return the page as it prints; ``paper``: ``paperWidth`` and ``paperHeight`` in inches."""
        return base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True, printBackground=True, **paper)["data"])

    def _until(self, wanted: Any, wait_s: float) -> dict[str, Any]:
        deadline = time.monotonic() + wait_s
        while True:
            while b"\0" not in self._buffer:
                left = deadline - time.monotonic()
                ready = left > 0 and select.select([self._in], [], [], left)[0]
                assert ready, "Chromium did not answer in time"
                chunk = os.read(self._in, 1 << 20)
                assert chunk, "Chromium ended"
                self._buffer += chunk
            text, self._buffer = self._buffer.split(b"\0", 1)
            message = json.loads(text)
            self._note(message)
            if wanted(message):
                return message

    def _note(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Log.entryAdded":
                self.problems.append(params["entry"]["text"])
            case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown":
                self.problems.append(json.dumps(params)[:500])


@contextlib.contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """Start Chromium on a fresh profile folder, yield a tab, and end it."""
    program = executable()
    assert program is not None
    read_end, to_browser = os.pipe()
    from_browser, write_end = os.pipe()
    # Chromium reads commands from descriptor 3 and answers on 4.
    script = f'exec 3<&{read_end} 4>&{write_end}; exec "$0" "$@"'
    command = ["/bin/bash", "-c", script, program, *FLAGS, f"--user-data-dir={profile}"]
    process = subprocess.Popen(command, pass_fds=(read_end, write_end), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    os.close(read_end)
    os.close(write_end)
    try:
        yield Page(to_browser, from_browser)
    finally:
        os.close(to_browser)
        os.close(from_browser)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
