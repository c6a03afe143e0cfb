"""What `make up` starts ends by an interrupt, which is how a worker is stopped, wherever `make up` was started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.deployments.machine import wait_for
from tests.paths import ROOT

SLEEPER = "import pathlib, time; pathlib.Path(__file__).with_name('ready').touch(); time.sleep(60)"
START = "from deployments import local; started = {}; local._start(started, 'one', 'sleeper'); print(started['one']['pid'])"


@pytest.mark.slow
@pytest.mark.parametrize("before", [signal.SIG_IGN, signal.SIG_DFL], ids=["in the background of a script", "at a terminal"])
def test_an_interrupt_ends_what_was_started(tmp_path, before):
    (tmp_path / "sleeper.py").write_text(SLEEPER, encoding="utf-8")
    (tmp_path / "local").mkdir()
    environment = {**os.environ, "MGVAE_LOCAL": str(tmp_path / "local"), "PYTHONPATH": f"{ROOT}:{tmp_path}"}
    given = signal.signal(signal.SIGINT, before)
    try:
        done = subprocess.run(
            [sys.executable, "-c", START], cwd=ROOT, env=environment, text=True, capture_output=True, check=True
        )
    finally:
        signal.signal(signal.SIGINT, given)
    wait_for((tmp_path / "ready").exists, "the start", seconds=30, every=0.05)
    os.kill(int(done.stdout), signal.SIGINT)
    log = tmp_path / "local" / "one.log"
    wait_for(lambda: "KeyboardInterrupt" in log.read_text(encoding="utf-8"), "the end", seconds=20, every=0.05)
