"""A study with a champion and three nights that nobody considered, for the tests of its champions."""

from __future__ import annotations

import shutil

import pytest

from tests.flows.champion_tools import Nights


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A study with its first champion, and three nights of which none was considered: alike, worse, alike but gates failed."""
    nights = Nights(tmp_path_factory.mktemp("nights") / "runs")
    first = nights.night("one")
    assert nights.consider(first).action == "promoted"
    nights.night("alike", n=1530)
    nights.night("worse", n=1530, spoilt=True)
    nights.night("gates", n=1530, status="fail")
    return nights


@pytest.fixture
def nights(made, tmp_path):
    """A copy of that study, to be changed."""
    shutil.copytree(made.out, tmp_path / "runs", symlinks=True)
    return Nights(tmp_path / "runs")
