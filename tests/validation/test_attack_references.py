"""Attacks against what others calculate on tiny data."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from validation.attacks.membership import aucs
from validation.attacks.scores import ATTACKS, attack_scores, kernel_log_density


def scipy_log_density(at, centres, width):
    """Return scipy's Gaussian kernel estimate, up to the constant of the kernel."""
    kernel = stats.gaussian_kde(centres, bw_method=width / np.std(centres, ddof=1))
    return kernel.logpdf(at) + np.log(width * np.sqrt(2 * np.pi))


def test_kernel_density_is_scipys(rng):
    at, centres = rng.normal(size=30), rng.normal(size=50)
    found = kernel_log_density(at[:, None], centres[:, None], 0.4)
    np.testing.assert_allclose(found, scipy_log_density(at, centres, 0.4), atol=1e-9)


def test_the_density_ratio_is_that_of_domias(rng):
    """van Breugel et al. 2023, equation 2: p_synthetic / p_reference; each patient is left out of the reference."""
    patients, made = rng.normal(size=25), rng.normal(size=60)
    scores = dict(zip(ATTACKS, attack_scores(patients[:, None], made[:, None], seed=1), strict=True))
    width = np.median([np.abs(np.delete(patients, i) - x).min() for i, x in enumerate(patients)]) / 2
    reference = [scipy_log_density(x, np.delete(patients, i), width)[0] for i, x in enumerate(patients)]
    np.testing.assert_allclose(scores["kernel density"], scipy_log_density(patients, made, width), rtol=1e-6)
    np.testing.assert_allclose(scores["density ratio"], scores["kernel density"] - reference, rtol=1e-6)


def test_the_likelihood_gain_is_that_of_the_mixture_with_and_without_the_patient(rng):
    """Gen-LRA: the likelihood of the nearest synthetic rows under the others and the patient, by that under the others."""
    patients, made = rng.normal(size=12), rng.normal(size=20)
    gain = dict(zip(ATTACKS, attack_scores(patients[:, None], made[:, None], seed=1), strict=True))["generative likelihood"]
    width = np.median([np.abs(np.delete(patients, i) - x).min() for i, x in enumerate(patients)]) / 2
    for place, patient in enumerate(patients):
        near = made[np.argsort(np.abs(made - patient))[:5]]
        kernels = np.exp(-((near[:, None] - patients) ** 2) / (2 * width**2))
        without = np.delete(kernels, place, axis=1).sum(axis=1)
        assert gain[place] == pytest.approx(np.log(kernels.sum(axis=1) / without).mean(), abs=1e-9)


def test_auc_is_mann_whitneys(rng):
    score, member = rng.integers(0, 5, 40).astype(float), rng.random(40) < 0.4
    found = stats.mannwhitneyu(score[member], score[~member]).statistic / (member.sum() * (~member).sum())
    assert aucs(score[None], member[:, None])[0, 0] == pytest.approx(found)
