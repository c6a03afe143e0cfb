"""Exemplar weights: they sum to one, stay flat where nothing speaks for tilting, and come close to a known ratio."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression

from mgvae.paper.oversamplers.fine_tuning import log_responsibility
from mgvae.training.exemplar_weights import capped, log_tilt, ridge_slopes


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("exemplars", "cases"), [(2, 1), (50, 3), (3000, 5), (500, 800)])
def test_weights_sum_to_one(exemplars, cases):
    weight = log_tilt(normal(exemplars, 4), normal(cases, 4, seed=1) + 1)
    assert weight.shape == (exemplars,)
    assert weight.dtype == torch.float32
    assert weight.exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_cases_like_the_majority_leave_the_weights_uniform():
    codes = normal(2000, 3)
    weight = log_tilt(codes, codes).exp()
    torch.testing.assert_close(weight, torch.full((2000,), 1 / 2000), rtol=1e-3, atol=0)
    sampled = log_tilt(codes, normal(3000, 3, seed=7)).exp() * 2000
    assert sampled.std() < 0.15


def test_few_cases_tilt_less_than_many():
    codes, cases = normal(2000, 3), normal(1000, 3, seed=1) + torch.tensor([1.5, 0.0, 0.0])
    spread = [(log_tilt(codes, cases[:n]).exp() * 2000).std().item() for n in (2, 20, 1000)]
    assert spread == sorted(spread)


def test_a_known_density_ratio_is_recovered():
    shift = torch.tensor([0.8, -0.4])
    codes, cases = normal(8000, 2), normal(4000, 2, seed=1) + shift
    got = log_tilt(codes, cases)
    truth = (codes @ shift - 0.5 * shift.square().sum()).log_softmax(0)  # log N(z; shift, I) / N(z; 0, I)
    assert spearmanr(got, truth).statistic > 0.995
    effective = got.exp() * 8000
    assert (effective * codes[:, 0]).mean().item() == pytest.approx(0.8, abs=0.08)
    assert (effective * codes[:, 1]).mean().item() == pytest.approx(-0.4, abs=0.08)


@pytest.mark.parametrize("strength", [0.1, 1.0, 30.0])
@pytest.mark.parametrize(("majority", "cases", "columns", "shift"), [(2000, 350, 8, 0.5), (200, 1, 3, 5.0), (50, 900, 2, 30.0)])
def test_slopes_are_those_of_scikit_learn(majority, cases, columns, shift, strength):
    rows = torch.cat([normal(majority, columns), normal(cases, columns, seed=1) + shift]).double().numpy()
    label = np.repeat([0.0, 1.0], [majority, cases])
    weight = np.where(label == 1, 1.0, cases / majority)
    reference = LogisticRegression(C=strength, tol=1e-9, max_iter=10_000).fit(rows, label, sample_weight=weight).coef_[0]
    np.testing.assert_allclose(ridge_slopes(rows, label, weight, strength=strength), reference, rtol=1e-4, atol=1e-5)


def test_the_scale_and_origin_of_codes_do_not_matter():
    codes, cases = normal(500, 3), normal(40, 3, seed=1) + 1
    scale = torch.tensor([1.0, 50.0, 0.02])
    torch.testing.assert_close(log_tilt(codes * scale + 5, cases * scale + 5), log_tilt(codes, cases), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("distance", [3.0, 10.0, 100.0])
def test_no_exemplar_weighs_more_than_the_root_of_their_number(distance):
    codes = normal(2500, 4)
    codes[0] += distance  # one majority patient stands where the cases do
    weight = log_tilt(codes, normal(300, 4, seed=1) * 0.1 + distance)
    assert weight.exp().max().item() <= 1.001 / math.sqrt(2500)
    assert torch.isfinite(weight).all()


def test_a_constant_code_does_no_harm():
    codes, cases = normal(100, 2), normal(9, 2, seed=1)
    codes[:, 1] = cases[:, 1] = 2.0
    assert torch.isfinite(log_tilt(codes, cases)).all()


@given(st.lists(st.floats(1e-20, 1.0), min_size=1, max_size=60))
def test_the_cap_cuts_the_largest_and_keeps_the_ratios_of_the_rest(weights):
    weight = np.array(weights)
    cap = len(weight) ** -0.5
    cut = capped(weight, cap)
    assert cut.sum() == pytest.approx(1)
    assert cut.max() <= cap * (1 + 1e-9)
    below = cut < cap * (1 - 1e-9)
    scale = cut[below] / weight[below]
    np.testing.assert_allclose(scale, scale[:1].repeat(len(scale)))
    assert (cut[below] >= 0.999 * weight[below] / weight.sum()).all()  # what is cut off goes to the others


def test_responsibility_is_one_step_of_expectation_maximisation():
    means, cases = torch.randn(30, 3, generator=torch.Generator().manual_seed(1)), torch.zeros(4, 3)
    log_var = torch.tensor(0.7)
    got = log_responsibility(means, cases, log_var, chunk=3).exp()
    density = torch.stack([torch.exp(-0.5 * (cases - mean).square().sum(1) / log_var.exp()) for mean in means], dim=1)
    wanted = (density / density.sum(1, keepdim=True)).mean(0)
    torch.testing.assert_close(got, torch.from_numpy(capped(wanted.numpy().astype("float64"), 30**-0.5)).float())


def test_responsibility_is_uniform_under_a_wide_prior_and_near_the_cases_under_a_narrow_one():
    means = torch.cat([torch.randn(200, 2, generator=torch.Generator().manual_seed(2)), torch.full((200, 2), 9.0)])
    cases = torch.zeros(5, 2)
    wide, narrow = (log_responsibility(means, cases, torch.tensor(log_var)).exp() for log_var in (20.0, -1.0))
    torch.testing.assert_close(wide, torch.full((400,), 1 / 400), rtol=1e-3, atol=0)
    assert float(narrow[:200].sum()) > 0.999
    assert float(narrow.max()) <= 400**-0.5 * (1 + 1e-5)
