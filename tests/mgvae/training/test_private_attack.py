"""Attacks find the cases of an over-trained generator, and not those of a private one."""

from __future__ import annotations

import pytest

from tests.benchmarks.privacy import attacked


@pytest.mark.slow
def test_privacy_stops_the_attacks_on_membership():
    open_to_all, private = attacked(0, None, epochs=400), attacked(0, 5.0)
    assert open_to_all.strongest.value > 0.8
    assert private.strongest.value < 0.65
    assert private.p_value > 0.05  # no more than chance
