"""Serve the reports of finished runs on this machine: each ``report.html``, read-only, and nothing beside it.

Usage: python -m flows.runs.report_server, with ``MGVAE_REPORTS_URL`` and ``MGVAE_REPORTS`` in the environment; ``make up``
starts it so. A report is ``<URL>/<study>/<run id>/report.html``. The path of the URL may hold a key that nobody guesses: then
other accounts of this machine, and pages in a browser, cannot ask for a report either.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import re
import stat
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from flows.runs.folder import RunManifest
from mgvae.errors import ConfigError
from mgvae.store.artifact import MANIFEST

if TYPE_CHECKING:
    from uvicorn import Server

URL_SETTING = "MGVAE_REPORTS_URL"
FOLDERS_SETTING = "MGVAE_REPORTS"
PAGE = "report.html"
LOOPBACK = ("127.0.0.1", "localhost")
PLACE = re.compile(rb"/([A-Za-z0-9][A-Za-z0-9_-]{0,63})/([A-Za-z0-9][A-Za-z0-9_-]{0,63})/report\.html")
# what the page asks for itself, and that no other page frames it
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
ANSWERS = {404: "No such report.", 405: "Reports can be read only.", 421: "This server has another name."}
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Reports:
    """An ASGI application that answers GET and HEAD of reports, and nothing else.

    A path must be spelled out: no escapes, no links below the folders. A page is served only as its run published it, with
    the digest that the run's manifest holds.

    Args:
        folders: the folders of runs, each ``<study>/<run id>/report.html``; the first that has a run counts.
        hosts: the names, with ports, by which a browser may know this server: others are pages that point their own name here.
        prefix: begins each path, such as ``/key``.
    """

    def __init__(self, folders: Sequence[Path], *, hosts: Sequence[str], prefix: str = "") -> None:
        self.folders = tuple(folders)
        self.hosts = {host.lower().encode() for host in hosts}
        self.prefix = prefix.encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request; see the ASGI specification."""
        status, page = await asyncio.to_thread(self._answer, scope)
        body = f"{ANSWERS[status]}\n".encode() if page is None else page
        kind = "text/plain" if page is None else "text/html"
        headers = {**HEADERS, "content-type": f"{kind}; charset=utf-8", "content-length": str(len(body))}
        if status == 405:
            headers["allow"] = "GET, HEAD"
        coded = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": coded})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _answer(self, scope: Any) -> tuple[int, bytes | None]:
        """Return the status, and the page where there is one."""
        named = [value.lower() for name, value in scope["headers"] if name.lower() == b"host"]
        if len(named) != 1 or named[0] not in self.hosts:
            return 421, None
        if scope["method"] not in ("GET", "HEAD"):
            return 405, None
        path, key = scope["raw_path"] or b"", self.prefix
        if scope["query_string"] or not hmac.compare_digest(path[: len(key)], key):
            return 404, None
        place = PLACE.fullmatch(path[len(key) :])
        page = self._page(place[1].decode(), place[2].decode()) if place else None
        return (404, None) if page is None else (200, page)

    def _page(self, study: str, run: str) -> bytes | None:
        for folder in self.folders:
            try:
                page, manifest = _read_run(folder, study, run)
                files = RunManifest.model_validate_json(manifest).files or {}
            except (OSError, ValidationError):
                continue
            if files.get(PAGE) == hashlib.sha256(page).hexdigest():
                return page
        return None


def _read_run(folder: Path, study: str, run: str) -> tuple[bytes, bytes]:
    """Return page and manifest of a run, without following a link below the folder.

    Raises:
        OSError: there is none.
    """
    opened = [os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)]
    try:
        for name in (study, run):
            opened.append(os.open(name, FOLDER_FLAGS, dir_fd=opened[-1]))
        return _read_file(PAGE, opened[-1]), _read_file(MANIFEST, opened[-1])
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _read_file(name: str, folder: int) -> bytes:
    with os.fdopen(os.open(name, FILE_FLAGS, dir_fd=folder), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(f"{name} is no file")
        return file.read()


def report_url(folder: Path) -> str | None:
    """Return the address of a run's report, from the environment; None where it is not served.

    With ``MGVAE_REPORTS`` the folders that are served are known, and others have no address.

    Args:
        folder: the run folder.
    """
    base, study = os.environ.get(URL_SETTING), folder.parent
    listed = served_folders()
    if not base or (listed and study.parent.resolve() not in {known.resolve() for known in listed}):
        return None
    return f"{base.rstrip('/')}/{study.name}/{folder.name}/{PAGE}"


def served_folders() -> list[Path]:
    """Return the folders of runs that ``MGVAE_REPORTS`` lists, joined by ``:`` as in PATH."""
    return [Path(name) for name in os.environ.get(FOLDERS_SETTING, "").split(os.pathsep) if name.strip()]


def server_of(url: str, made: Callable[[Sequence[str], str], Reports]) -> Server:
    """Return a server of the reports below folders; its method ``run`` serves until SIGTERM or SIGINT.

    Args:
        url: ``http://127.0.0.1:<port>``, and a key as its path if reports are for those alone who know it.
        made: makes the application from the names of this server and the path that begins each address.
    Raises:
        ConfigError: the address is not one of this machine alone.
    """
    from uvicorn import Config, Server  # slow to import, and every study imports `report_url`

    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname not in LOOPBACK or not parts.port or parts.query or parts.fragment:
        raise ConfigError(f"{URL_SETTING} must be http://127.0.0.1:PORT/KEY, an address of this machine; it is another.")
    hosts = [f"{name}:{parts.port}" for name in LOOPBACK]
    app = made(hosts, parts.path.rstrip("/"))
    plain: dict[str, Any] = {
        "lifespan": "off",
        "ws": "none",
        "interface": "asgi3",
        "proxy_headers": False,
        "server_header": False,
    }
    quiet: dict[str, Any] = {"access_log": False, "log_level": "warning"}  # a path holds the key
    bounds: dict[str, Any] = {"limit_concurrency": 64, "timeout_graceful_shutdown": 3}
    return Server(Config(app, host=LOOPBACK[0], port=parts.port, **plain, **quiet, **bounds))


def main() -> None:
    """Serve the reports that the environment names."""
    try:
        folders = served_folders()
        server_of(os.environ.get(URL_SETTING, ""), lambda hosts, prefix: Reports(folders, hosts=hosts, prefix=prefix)).run()
    except ConfigError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
