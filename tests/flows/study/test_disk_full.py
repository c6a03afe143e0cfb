"""A disk that fills up in mid-run: the error says so, the store stays readable, and with more room the run goes on."""

from __future__ import annotations

import os
import subprocess

import pytest

from mgvae.errors import StoreError
from mgvae.store.artifact import digest_folder
from mgvae.store.open import open_store
from tests.flows.flow_tools import NAMES, cached, run_study

pytestmark = pytest.mark.slow


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own with little room."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], check=False).returncode:
        pytest.skip("only root may mount a file system, and not in every container")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def grow(place, size):
    subprocess.run(["mount", "-o", f"remount,size={size}", place], check=True)


def test_a_full_disk_is_told_and_survived(finished, report, small_disk):
    failures = 0
    for size in ("64k", "128k", "256k", "384k", "512k", "768k", "1m"):
        grow(small_disk, size)
        try:
            run_study(finished.cohort, small_disk / "runs")
        except StoreError as error:
            said = str(error)
            assert "must be writable with space left" in said
            assert "No space left on device" in said
            failures += 1
        store = open_store(small_disk / "runs")
        for entry in store.entries():
            assert digest_folder(store.folder(entry.reference)) == entry.sha256
        assert not list((small_disk / "runs").rglob(".writing-*"))
    assert failures >= 3
    grow(small_disk, "64m")
    _, again = run_study(finished.cohort, small_disk / "runs")
    assert again["lineage"]["artifacts"] == report["lineage"]["artifacts"]
    assert cached(again)[:3] == NAMES[:3]
