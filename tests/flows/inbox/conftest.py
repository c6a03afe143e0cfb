"""A study that an extract is to land for."""

from __future__ import annotations

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from tests.flows.simulated_study import write_study


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder with cohort.yaml and extract.csv, and no server."""
    write_study(tmp_path / "study")
    monkeypatch.chdir(tmp_path / "study")
    for name in ("MGVAE_COHORT", "MGVAE_INBOX", "MGVAE_ROOTS"):
        monkeypatch.delenv(name, raising=False)
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        yield tmp_path / "study"
