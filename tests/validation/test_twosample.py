import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.covariance import ledoit_wolf

from tests.validation.simulated_patients import draw_patients
from validation import twosample
from validation.twosample import RIDGE, _log_density, two_sample_auc


@pytest.mark.slow
def test_one_distribution_cannot_be_told_apart(rng, monkeypatch):
    monkeypatch.setattr(twosample, "TREES", 10)
    found = [
        two_sample_auc(draw_patients(rng, 60, cases=True), draw_patients(rng, 300, cases=True), seed=i, repeats=1)
        for i in range(12)
    ]
    assert np.mean([item.value for item in found]) == pytest.approx(0.5, abs=0.07)
    assert sum(item.low <= 0.5 <= item.high for item in found) >= 10


def test_a_shifted_distribution_is_told_apart(rng):
    first, second = draw_patients(rng, 100, cases=True), draw_patients(rng, 100, cases=True)
    second["lab0"] += 20
    assert two_sample_auc(first, second, seed=1).low > 0.95


@pytest.mark.slow
def test_unrounded_values_and_missingness_are_told_apart(rng):
    first, second = draw_patients(rng, 300, cases=True), draw_patients(rng, 300, cases=True)
    second["lab7"] = second["lab7"].fillna(0.0)
    assert two_sample_auc(first, second, seed=1).low > 0.55


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 3, 5])
def test_a_handful_of_rows(rng, size):
    found = two_sample_auc(draw_patients(rng, size, cases=True), draw_patients(rng, 50, cases=True), seed=1)
    assert 0 <= found.low < 0.5
    assert found.high > 0.5


def test_one_row_is_not_judged(rng):
    assert two_sample_auc(draw_patients(rng, 1, cases=True), draw_patients(rng, 50, cases=True), seed=1) is None


@pytest.mark.slow
def test_same_seed_same_answer(rng):
    tables = draw_patients(rng, 40, cases=True), draw_patients(rng, 90, cases=True)
    assert two_sample_auc(*tables, seed=5, repeats=1) == two_sample_auc(*tables, seed=5, repeats=1)
    assert two_sample_auc(*tables, seed=5, repeats=1) != two_sample_auc(*tables, seed=6, repeats=1)


@pytest.mark.parametrize(("rows", "width"), [(30, 29), (30, 30), (30, 31), (30, 200), (3, 40)])
def test_densities_of_wide_tables_are_those_of_the_whole_covariance(rng, rows, width):
    sample = rng.normal(size=(rows, width)) * rng.random(width) + rng.normal(size=(rows, 1))
    at = rng.normal(size=(7, width))
    mean = sample.mean(axis=0)
    covariance, _ = ledoit_wolf(sample - mean, assume_centered=True)
    covariance += (RIDGE * np.trace(covariance) / width + 1e-9) * np.eye(width)
    wanted = multivariate_normal(mean, covariance).logpdf(at) + width / 2 * np.log(2 * np.pi)
    assert np.allclose(_log_density(sample, at), wanted)


def test_densities_of_rows_that_are_alike(rng):
    assert np.isfinite(_log_density(np.ones((4, 10)), rng.normal(size=(3, 10)))).all()
