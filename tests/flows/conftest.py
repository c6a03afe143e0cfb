"""One Prefect server and one finished run for all tests of the flow; nothing touches the user's own Prefect home."""

from __future__ import annotations

import atexit
import fcntl
import json
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import draw
from tests.flows.simulated_study import BRIEF, write_study

HOME = Path(tempfile.mkdtemp(prefix="mgvae-prefect-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
os.environ |= {
    "PREFECT_HOME": str(HOME),
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",  # no flow here has blocks, and it takes a third of the start
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
}
for name in ("PREFECT_API_URL", "PREFECT_PROFILE"):
    os.environ.pop(name, None)


@dataclass(frozen=True)
class Finished:
    """A study and what its run made.

    Attributes:
        cohort: cohort.yaml.
        out: the folder of runs.
        server: a copy of what the server had on disk when the run ended.
        result: of the flow.
    """

    cohort: Path
    out: Path
    server: Path
    result: dict[str, Any]

    @property
    def run(self) -> Path:
        return Path(self.result["run"])

    def copied(self, folder: Path) -> Path:
        """Return a copy of all runs and of the store, to be changed."""
        shutil.copytree(self.out, folder / "runs", symlinks=True)
        return folder / "runs"


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Start Prefect's own server on a new database; yield the folder that holds it."""
    from prefect.settings import (
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        PREFECT_SERVER_DATABASE_CONNECTION_URL,
        temporary_settings,
    )
    from prefect.testing.utilities import prefect_test_harness

    with pytest.MonkeyPatch.context() as patch, prefect_test_harness(server_startup_timeout=120):
        # the numbers do not depend on how many processes there are, and starting one takes longer than the work
        patch.setattr("mgvae.evaluation.parallel.cores", lambda: 1)
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):  # each flow ends by waiting a second for its heart
            yield Path(PREFECT_SERVER_DATABASE_CONNECTION_URL.value().partition("///")[2]).parent
        logging.getLogger("prefect").setLevel(logging.WARNING)  # it would tell of its end a console that is closed by now


@pytest.fixture(scope="module", autouse=True)
def pages_of_words(empty_figures: None) -> None:
    """Leave the figures empty in all runs but the `finished` one."""


@pytest.fixture(scope="session")
def finished(database: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Return one complete run of the simulated study; tests that change anything take a copy.

    The first process that asks makes it; others of pytest-xdist wait for it and read it.
    """
    from flows.study.flow import cohort_flow

    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "finished"
    folder.mkdir(exist_ok=True)
    place, server, done = folder / "runs", folder / "server", folder / "result.json"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cohort = folder / "cohort.yaml"
        if not done.exists():
            write_study(folder, **BRIEF)
            with pytest.MonkeyPatch.context() as patch:
                draw(patch)
                result = cohort_flow(str(cohort), out=str(place))
            shutil.copytree(database, server, dirs_exist_ok=True)
            done.write_text(json.dumps(result), encoding="utf-8")
    return Finished(cohort, place, server, json.loads(done.read_text(encoding="utf-8")))


@pytest.fixture(scope="session")
def report(finished: Finished) -> dict[str, Any]:
    """Return report.json of the complete run."""
    content: dict[str, Any] = json.loads((finished.run / "report.json").read_text(encoding="utf-8"))
    return content


@dataclass(frozen=True)
class Said:
    """What the command line said."""

    code: int
    out: str
    err: str


@pytest.fixture
def mgvae(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Return the command `mgvae`, run in this process as the installed script does."""
    from flows.cli import main

    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["mgvae", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return Said(ended.value.code or 0, *capfd.readouterr())

    return call


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute cells in two processes, as on a machine with two cores."""
    monkeypatch.delenv("MGVAE_DASK", raising=False)
    monkeypatch.setattr("mgvae.evaluation.parallel.cores", lambda: 2)
