"""What a refused landing says, and what it leaves: nothing."""

from __future__ import annotations

from tests.flows.simulated_study import CANARY


def message_of(said, *words):
    """Check that the command failed with one message, and return it."""
    assert said.code == 1
    assert said.out == ""
    assert said.err.startswith("Error: ")
    assert said.err.count("\n") == 1
    for word in words:
        assert word in said.err
    assert CANARY not in said.err
    return said.err


def nothing_landed(place):
    assert not (place / "inbox").exists()
