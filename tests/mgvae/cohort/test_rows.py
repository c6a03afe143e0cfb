"""How many cases to add: the count that brings the share nearest to the asked one, exactly."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgvae.cohort.rows import cases_to_add


def outcome(events, others):
    return np.repeat([1, 0], [events, others])


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 300), st.integers(1, 3000), st.one_of(st.floats(0.01, 0.9), st.integers(1, 50).map(lambda n: n / 100)))
def test_no_other_count_brings_the_share_nearer(events, others, prevalence):
    n = cases_to_add(outcome(events, others), prevalence)
    asked = Fraction(prevalence)

    def off(count):
        return abs(Fraction(events + count, events + count + others) - asked)

    assert n >= 0
    assert off(n) <= off(n + 1)
    assert n == 0 or off(n) <= off(n - 1)


@pytest.mark.parametrize(
    ("events", "others", "prevalence", "n"),
    [(5, 492, 0.04, 16), (20, 100, 0.5, 80), (120, 100, 0.5, 0), (30, 70, 0.3, 0), (5, 0, 0.5, 0), (0, 10, 0.5, 10)],
)
def test_counts(events, others, prevalence, n):
    assert cases_to_add(outcome(events, others), prevalence) == n
    assert cases_to_add(outcome(events, others).astype(bool), prevalence) == n
