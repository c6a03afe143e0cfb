"""The noise of private mechanisms: normal, secret by default, repeatable on demand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from mgvae.training.noise import normal, repeatable, sampled, secret


@pytest.mark.parametrize("source", [secret, repeatable(4)])
def test_noise_is_standard_normal(source):
    assert kstest(normal(source, 20_000), "norm").pvalue > 1e-4


def test_secret_noise_never_comes_twice_and_a_seed_repeats_it():
    assert not np.isin(normal(secret, 100), normal(secret, 100)).any()
    np.testing.assert_array_equal(normal(repeatable(4), 5), normal(repeatable(4), 5))
    assert not np.isin(normal(repeatable(4), 5), normal(repeatable(5), 5)).any()


def test_numbers_stay_off_the_ends():
    assert np.isfinite(normal(lambda count: np.full(count, 0.5 * 2.0**-53), 3)).all()


def test_each_unit_is_sampled_by_itself():
    drawn = np.array([sampled(repeatable(seed), 100, 0.3).sum() for seed in range(400)])
    assert drawn.mean() == pytest.approx(30, abs=4 * np.sqrt(21 / 400))
    assert drawn.var() == pytest.approx(21, rel=0.35)  # a fixed number of units would have none
    assert sampled(secret, 7, 1.0).all()
