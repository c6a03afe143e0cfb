"""An over-trained generator is found out, rows of nobody are not, and a canary the more the oftener it was inserted.

`python -m tests.benchmarks.leaks` does the same with more seeds and epochs.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks.leaks import FOUND, attacked, canary_rank

SEEDS = 6


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_members_of_an_over_trained_generator_are_found_and_nobody_else(seed):
    members, nobody = attacked(seed, epochs=500)
    assert members.strongest.value > 0.8
    assert members.strongest.low > 0.6
    assert nobody.strongest.low <= 0.5 <= nobody.strongest.high


@pytest.mark.slow
def test_a_canary_is_found_the_more_the_oftener_it_was_inserted():
    ranks = np.array([[canary_rank(seed, times, epochs=None) for seed in range(SEEDS)] for times in (0, 1, 16)])
    never, once, sixteen = (ranks <= FOUND).sum(axis=1)
    assert never <= once <= sixteen
    assert never <= 2  # of 6 at 5 %: more with probability 0.002
    assert sixteen >= 5
    assert ranks.mean(axis=1)[1] > ranks.mean(axis=1)[2]
