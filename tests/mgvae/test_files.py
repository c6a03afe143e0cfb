"""Folders to write into: private, gone at the end, and swept up where their process was killed."""

import os
import platform
import signal
import stat
import subprocess
import sys

import pytest

from mgvae.files import scratch_folder

KILLED = """
import os, pathlib, signal, sys
from mgvae.files import scratch_folder
with scratch_folder(pathlib.Path(sys.argv[1])) as place:
    (place / "half").write_text("a patient")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_it_is_empty_private_and_gone_at_the_end(tmp_path):
    with scratch_folder(tmp_path) as place:
        assert list(place.iterdir()) == []
        assert place.parent == tmp_path
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        (place / "half").write_text("x")
    assert list(tmp_path.iterdir()) == []


def test_it_is_gone_after_an_error(tmp_path):
    def work():
        with scratch_folder(tmp_path) as place:
            (place / "half").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert list(tmp_path.iterdir()) == []


def test_what_may_be_moved_away_may_be_moved_away(tmp_path):
    with scratch_folder(tmp_path) as place:
        (place / "whole").mkdir()
        (place / "whole").replace(tmp_path / "kept")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_what_a_killed_process_left_is_swept_up(tmp_path):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(tmp_path.glob(".writing-*/half"))) == 1
    with scratch_folder(tmp_path) as place:
        assert list(tmp_path.iterdir()) == [place]


def test_folders_of_others_stay(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    stay = [
        f".writing-{os.getpid()}-{platform.node()}-abc",  # at work
        f".writing-{ended.pid}-elsewhere-abc",  # another machine's process numbers say nothing here
        ".writing-x",
        f".writing-{10**30}-{platform.node()}-abc",
        "run",
    ]
    for name in stay:
        (tmp_path / name).mkdir()
    with scratch_folder(tmp_path):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(stay)
