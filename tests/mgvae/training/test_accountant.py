"""The accountant, against laws and against what Opacus 1.6.0 finds.

The references come from ``RDPAccountant`` and ``PRVAccountant`` (which is tight, with an error of at most 0.01 upwards), with
``history`` set to the triples below and delta 1e-5.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from mgvae.errors import TrainingError
from mgvae.training.accountant import Mechanism, calibrated, is_exact, spent_epsilon

OPACUS = {  # (noise, rate, steps), ... -> RDP, PRV
    ((1.1, 0.01, 1000),): (1.71177, 1.52547),
    ((5.0, 1.0, 50),): (7.07739, 6.58330),
    ((1.0, 0.2, 100),): (15.97263, 14.53829),
    ((4.0, 1.0, 1), (2.0, 0.3, 100)): (8.72726, 8.03791),
    ((0.8, 0.05, 300),): (10.43969, 9.32081),
}


@pytest.mark.parametrize("history", OPACUS)
def test_epsilon_is_that_of_opacus(history):
    renyi, tight = OPACUS[history]
    mechanisms = [Mechanism(*entry) for entry in history]
    found = spent_epsilon(mechanisms, 1e-5)
    if is_exact(mechanisms):
        assert tight - 0.011 <= found <= tight
    else:  # whole orders alone are a little looser than all, never tighter
        assert renyi - 1e-4 <= found <= 1.06 * renyi


def test_a_gaussian_mechanism_loses_what_its_definition_says():
    """At the epsilon found, the largest excess probability of any event is delta, by integration over outputs."""
    noise, delta = 0.9, 1e-3
    epsilon = spent_epsilon([Mechanism(noise)], delta)
    x = np.linspace(-12, 12, 400_001)
    excess = np.maximum(norm.pdf(x, 1, noise) - math.exp(epsilon) * norm.pdf(x, 0, noise), 0)
    assert np.trapezoid(excess, x) == pytest.approx(delta, rel=1e-4)


def test_uses_add_up_like_one_use_with_less_noise():
    assert spent_epsilon([Mechanism(6.0, 1.0, 9)], 1e-5) == pytest.approx(spent_epsilon([Mechanism(2.0)], 1e-5))


def test_sampling_only_helps_and_more_steps_only_cost():
    few, more, all_of_them = (spent_epsilon([Mechanism(2.0, *rest)], 1e-5) for rest in ((0.1, 50), (0.1, 100), (1.0, 100)))
    assert 0 < few < more < all_of_them


@pytest.mark.parametrize("rate", [1.0, 0.1])
@pytest.mark.parametrize("epsilon", [0.01, 1.0, 5.0, 100.0])
def test_the_budget_is_kept_and_nearly_used_up(rate, epsilon):
    found = calibrated(lambda scale: (Mechanism(scale), Mechanism(3 * scale, rate, 20)), epsilon=epsilon, delta=1e-5)
    assert 0.97 * epsilon < spent_epsilon(found, 1e-5) <= epsilon


def test_a_budget_that_cannot_be_shown_to_be_kept_is_refused():
    """Whole orders up to about a thousand say nothing below a certain epsilon, however loud the noise."""
    with pytest.raises(TrainingError, match="Choose a larger epsilon or delta"):
        calibrated(lambda scale: (Mechanism(scale, 0.1, 20),), epsilon=1e-4, delta=1e-5)
    assert calibrated(lambda scale: (Mechanism(scale),), epsilon=1e-4, delta=1e-5)[0].noise > 1
