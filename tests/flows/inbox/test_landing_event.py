"""The Prefect server knows of an extract that landed; one that does not answer does not undo the landing."""

from __future__ import annotations

import socket
import time

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.inbox.folder import landed, newest_landed
from mgvae.extract.parts import digest, find_parts
from tests.flows.simulated_study import write_study


@pytest.fixture
def server(database):
    """The address of the session's server, for a test that asks for it before `place`."""
    return PREFECT_API_URL.value()


def events_of(study):
    """Return the events of a study's extracts that the server keeps; it writes them down within seconds."""
    wanted = {"filter": {"event": {"name": ["ehr.extract.landed"]}}, "limit": 50}
    with get_client(sync_client=True) as client:
        found = client.request("POST", "/events/filter", json=wanted).json()["events"]
    return [event for event in found if event["payload"]["study"] == study]


def test_the_server_knows_of_an_extract_that_landed_and_of_no_patient(mgvae, server, place):
    write_study(place, study="told")
    with temporary_settings({PREFECT_API_URL: server}):
        said = mgvae("land", "extract.csv")
        assert said.code == 0
        assert "Event ehr.extract.landed sent." in said.out
        assert mgvae("land", "extract.csv").out.startswith("Already in the inbox")
        deadline = time.monotonic() + 30
        while not (found := events_of("told")) and time.monotonic() < deadline:
            time.sleep(0.2)
        (event,) = found  # and none for the second landing
    path = newest_landed(place / "inbox", "told")
    sha256 = digest(find_parts(str(path)))
    assert event["payload"] == {"uri": str(path), "study": "told", "sha256": sha256, "rows": 600}
    assert event["resource"]["prefect.resource.id"] == f"mgvae-cohort.extract.told.{sha256[:12]}"


def test_a_server_that_is_away_does_not_undo_the_landing(mgvae, place):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/api"
        with temporary_settings({PREFECT_API_URL: url}):
            start = time.monotonic()
            said = mgvae("land", "extract.csv")
    assert time.monotonic() - start < 20
    assert said.code == 0
    assert "Warning: the extract has landed, but no event was sent" in said.err
    assert len(landed(place / "inbox", "small")) == 1
