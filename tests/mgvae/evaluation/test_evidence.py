"""Evidence, luck and shrinkage against closed forms, numerical integration and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from mgvae.evaluation.evidence import LUCK, POWER, PRIOR, Prior, evidence, expected_gain, needed, smallest_gain, worth
from mgvae.results.evaluation import Contrast, Contrasts

LR = "logistic_regression"


def gain(value=0.05, se=0.02):
    limits = dict.fromkeys(("low", "high", "family_low", "family_high", "least_repeat"))
    return {"value": value, "se": se, **limits}


def contrast(auroc=(0.05, 0.02), net_benefit=(0.004, 0.002), log_loss=(-0.003, 0.002)):
    measures = {"auroc": auroc, "scaled_brier": (0.0, 0.01), "net_benefit": net_benefit, "log_loss": log_loss}
    return Contrast.model_validate({name: gain(*numbers) for name, numbers in measures.items()})


def contrasts(critical, candidates):
    reference = {"arm": "none", "classifier": LR}
    return Contrasts.model_validate({"reference": reference, "candidates": candidates, "critical": critical, "against": {}})


def test_evidence_is_the_mean_gain_in_standard_errors_and_less_log_loss_is_a_gain():
    assert evidence(contrast(net_benefit=(0.004, 0.002), log_loss=(-0.003, 0.002))) == pytest.approx((2 + 1.5) / 2)
    assert evidence(contrast(net_benefit=(-0.004, 0.002), log_loss=(0.003, 0.002))) == pytest.approx(-(2 + 1.5) / 2)


@pytest.mark.parametrize("numbers", [(None, 0.002), (0.004, None), (0.0, 0.0)])
@pytest.mark.parametrize("measure", ["net_benefit", "log_loss"])
def test_without_a_number_there_is_no_evidence(measure, numbers):
    assert evidence(contrast(**{measure: numbers})) is None
    assert expected_gain(contrast(**{measure: numbers})).value is None


@pytest.mark.parametrize("candidates", [1, 2, 5, 30])
def test_of_independent_useless_arms_the_luckiest_reaches_what_is_needed_as_often_as_said(candidates):
    critical = stats.norm.ppf(0.975 ** (1 / candidates))
    best = np.random.default_rng(0).normal(size=(40_000, candidates)).max(axis=1)
    assert (best >= needed(contrasts(critical, candidates))).mean() == pytest.approx(LUCK, abs=0.01)


def test_correlated_arms_count_as_fewer_and_none_as_less_than_one():
    alone = needed(contrasts(1.96, 1))
    assert alone == pytest.approx(stats.norm.ppf(1 - LUCK), abs=1e-3)
    assert needed(contrasts(1.96, 30)) == pytest.approx(alone, abs=1e-3)
    assert needed(contrasts(1.2, 30)) == pytest.approx(alone, abs=1e-3)
    assert alone < needed(contrasts(2.3, 30)) < needed(contrasts(2.8, 30))
    assert needed(contrasts(50.0, 3)) == pytest.approx(stats.norm.ppf((1 - LUCK) ** (1 / 3)))
    assert needed(contrasts(None, 3)) is None
    assert needed(contrasts(2.0, 0)) is None


@pytest.mark.parametrize(("seen", "error"), [(1.5, 0.04), (-0.7, 0.02), (3.0, 0.01), (8.0, 0.02)])
def test_the_shrunk_gain_is_the_posterior_by_numerical_integration(seen, error):
    def joint(x):
        prior = sum(weight * stats.norm.pdf(x, scale=sd) for weight, sd in PRIOR.parts)
        return prior * stats.norm.pdf(seen * error, loc=x, scale=error)

    whole, first, second = (
        integrate.quad(lambda x, k=k: x**k * joint(x), -1, 1, points=[0, seen * error])[0] for k in range(3)
    )
    mean, sd = PRIOR.shrunk(seen, error)
    assert mean == pytest.approx(first / whole, rel=1e-6)
    assert sd == pytest.approx(np.sqrt(second / whole - (first / whole) ** 2), rel=1e-5)


def test_a_large_gain_is_hardly_shrunk_and_a_small_uncertain_one_is():
    assert PRIOR.shrunk(7.0, 0.01)[0] > 0.9 * 0.07
    assert PRIOR.shrunk(1.0, 0.02)[0] < 0.4 * 0.02
    assert PRIOR.shrunk(0.0, 0.02)[0] == 0


def test_shrinkage_is_odd_rises_with_the_evidence_and_weights_sum_to_one():
    values = [PRIOR.shrunk(seen, 0.03)[0] for seen in np.linspace(-6, 6, 61)]
    assert np.all(np.diff(values) > 0)
    assert np.allclose(values, -np.array(values[::-1]))
    assert sum(weight for weight, _ in PRIOR.parts) == 1
    assert Prior(((1.0, 0.02),)).shrunk(2.0, 0.02) == pytest.approx((0.02, 0.02 / np.sqrt(2)))


@pytest.mark.parametrize("error", [0.004, 0.02, 0.06])
def test_a_true_gain_of_the_smallest_size_is_found_with_the_stated_power(error):
    """Both conditions, luck and shrinkage, must be met; the normal draws are the study's evidence."""
    compared, relevant = contrast(auroc=(0.0, error), net_benefit=(0.0, error / 10)), 0.02
    found = smallest_gain(contrasts(2.2, 4), [compared], relevant=relevant)
    drawn = found.auroc / error + np.random.default_rng(1).normal(size=4000)
    enough = [PRIOR.shrunk(one, error)[0] >= worth(relevant) for one in drawn]
    power = np.mean((drawn >= needed(contrasts(2.2, 4))) & enough)
    assert power == pytest.approx(POWER, abs=0.02)
    assert found.value == pytest.approx(found.auroc / 10)


def test_the_smallest_gain_is_that_of_the_least_precise_arm():
    precise, rough = contrast(auroc=(0.0, 0.01)), contrast(auroc=(0.0, 0.03))
    both, alone = (smallest_gain(contrasts(2.0, 2), arms, relevant=0.02) for arms in ([precise, rough], [rough]))
    assert both == alone
    assert smallest_gain(contrasts(2.0, 2), [], relevant=0.02) is None
    assert smallest_gain(contrasts(None, 2), [rough], relevant=0.02) is None
