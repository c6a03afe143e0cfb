"""The exemplar prior: a density, blind to the order of exemplars, the same as torch.distributions and a naive loop say."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from mgvae.errors import ShapeError
from mgvae.model.exemplar_mixture import Exemplars, block, whole_block
from mgvae.model.prior import log_gaussian, log_mixture, plain_log_mixture
from tests.reference.mixture import log_mixture as naive_log_mixture


def normal(*shape, seed=0, dtype=torch.double):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def scalar(value, dtype=torch.double):
    return torch.tensor(value, dtype=dtype)


def log_weights(k, *, seed=9):
    return normal(k, seed=seed).log_softmax(0)


@given(
    st.integers(1, 6),
    st.integers(1, 40),
    st.integers(1, 5),
    st.floats(-6, 3),
    st.floats(0, 30),
    st.integers(0, 10**6),
    st.booleans(),
)
@example(1, 4, 1, -4.125, 0.75, 3982, False)  # all exemplars far away: what is negligible beside 1 is not beside their sum
@settings(max_examples=80, deadline=None)
def test_against_torch_distributions(rows, k, d, log_var, spread, seed, weighted):
    z, means = normal(rows, d, seed=seed) * spread, normal(k, d, seed=seed + 1) * spread
    weight = log_weights(k, seed=seed) if weighted else torch.zeros(k, dtype=torch.double)
    sigma = torch.full_like(means, math.exp(0.5 * log_var))
    outside = MixtureSameFamily(Categorical(logits=weight), Independent(Normal(means, sigma), 1))
    got = log_mixture(z, means, scalar(log_var), log_weight=weight if weighted else None)
    torch.testing.assert_close(got, outside.log_prob(z), rtol=1e-9, atol=1e-8)


def test_integrates_to_one_in_one_dimension():
    grid = torch.linspace(-12, 12, 20_001, dtype=torch.double)
    density = log_mixture(grid[:, None], normal(30, 1), scalar(-2.0), log_weight=log_weights(30)).exp()
    assert torch.trapezoid(density, grid).item() == pytest.approx(1, abs=1e-10)


def test_integrates_to_one_in_two_dimensions_with_a_row_left_out():
    line = torch.linspace(-9, 9, 401, dtype=torch.double)
    grid = torch.cartesian_prod(line, line)
    own = torch.full((len(grid),), 3)
    density = log_mixture(grid, normal(12, 2), scalar(-1.0), own=own, log_weight=log_weights(12)).exp().reshape(401, 401)
    assert torch.trapezoid(torch.trapezoid(density, line), line).item() == pytest.approx(1, abs=1e-8)


def test_the_order_of_exemplars_does_not_matter():
    z, means, weight = normal(8, 3), normal(50, 3, seed=1), log_weights(50)
    order = torch.randperm(50, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(
        log_mixture(z, means, scalar(0.3), log_weight=weight),
        log_mixture(z, means[order], scalar(0.3), log_weight=weight[order]),
    )


def test_shifting_codes_and_exemplars_alike_changes_nothing():
    z, means = normal(8, 3), normal(50, 3, seed=1)
    torch.testing.assert_close(log_mixture(z + 7, means + 7, scalar(0.3)), log_mixture(z, means, scalar(0.3)))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("form", ["positions", "mask"])
def test_leaving_oneself_out_against_a_naive_loop(form, weighted):
    z, means = normal(7, 3), normal(20, 3, seed=1)
    at = torch.tensor([0, 19, -1, 5, 5, -1, 2])
    own = at if form == "positions" else at[:, None] == torch.arange(20)[None, :]
    weight = log_weights(20) if weighted else None
    expected = naive_log_mixture(
        z.numpy(), means.numpy(), math.exp(0.4), own=at.numpy(), weight=weight.exp().numpy() if weighted else None
    )
    got = log_mixture(z, means, scalar(0.4), own=own, log_weight=weight)
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-10)


def test_leaving_oneself_out_is_dropping_the_exemplar():
    z, means = normal(5, 2), normal(10, 2, seed=1)
    kept = torch.arange(10) != 4
    own = torch.full((5,), 4)
    torch.testing.assert_close(log_mixture(z, means, scalar(0.0), own=own), log_mixture(z, means[kept], scalar(0.0)))


def test_without_leaving_out_a_lone_code_costs_at_most_log_k():
    means = normal(30, 2) * 1000  # far apart: each code is explained by its own exemplar alone
    got = log_mixture(means, means, scalar(0.0))
    torch.testing.assert_close(got, log_gaussian(means, means, scalar(0.0).expand_as(means)) - math.log(30))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("left_out", [False, True])
def test_gradients(left_out, weighted):
    z, means, log_var = normal(4, 3).requires_grad_(), normal(6, 3, seed=1).requires_grad_(), scalar(-0.3).requires_grad_()
    own = torch.tensor([1, -1, 5, 0]) if left_out else None
    weight = log_weights(6) if weighted else None

    def density(*values):
        return log_mixture(*values, own=own, log_weight=weight)

    assert torch.autograd.gradcheck(density, (z, means, log_var))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("left_out", [False, True])
def test_gradients_where_only_some_means_are_fresh(left_out, weighted):
    z, fresh, log_var = normal(4, 3).requires_grad_(), normal(2, 3, seed=1).requires_grad_(), scalar(-0.3).requires_grad_()
    means, at = normal(6, 3, seed=2), torch.tensor([4, 1])
    own = torch.tensor([1, -1, 5, 0]) if left_out else None
    weight = log_weights(6) if weighted else None

    def density(z, fresh, log_var):
        return log_mixture(z, means, log_var, own=own, log_weight=weight, fresh=(at, fresh))

    assert torch.autograd.gradcheck(density, (z, fresh, log_var))
    replaced = log_mixture(z, means.index_copy(0, at, fresh), log_var, own=own, log_weight=weight)
    torch.testing.assert_close(density(z, fresh, log_var), replaced)


def test_exemplars_that_serve_many_steps_are_those_renewed_last():
    means, exemplars = normal(50, 3), Exemplars(normal(50, 3), log_weights(50))
    for step in range(20):
        at = torch.randperm(50, generator=torch.Generator().manual_seed(step))[:7]
        z, fresh = normal(7, 3, seed=step), normal(7, 3, seed=100 + step) + step  # the means wander away from their centre
        means = means.index_copy(0, at, fresh)
        got = log_mixture(z, exemplars, scalar(-0.3), own=at, fresh=(at, fresh))
        torch.testing.assert_close(got, log_mixture(z, means, scalar(-0.3), own=at, log_weight=log_weights(50)))
    torch.testing.assert_close(exemplars.means, means)


def test_exemplars_keep_a_copy():
    means = normal(6, 2)
    exemplars = Exemplars(means)
    log_mixture(normal(2, 2), exemplars, scalar(0.0), fresh=(torch.tensor([0, 1]), normal(2, 2, seed=5)))
    torch.testing.assert_close(means, normal(6, 2))
    torch.testing.assert_close(exemplars.means[2:], means[2:])


def test_more_exemplars_than_a_block_holds():
    """Blocks of rows give what one plain product gives, in value and gradient."""
    own = torch.randint(-1, 60_000, (50,), generator=torch.Generator().manual_seed(1))
    results = []
    for form in ("blocks", "plain"):
        z, log_var = normal(50, 4, seed=3).requires_grad_(), scalar(0.2).requires_grad_()
        means = normal(60_000, 4)
        if form == "blocks":
            value = log_mixture(z, means, log_var, own=own)
        else:
            value = plain_log_mixture(z, means, log_var, own=own[:, None] == torch.arange(60_000))
        results.append([value.detach(), *torch.autograd.grad(value.square().sum(), (z, log_var))])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


def test_single_precision_on_codes_that_are_far_spread():
    z, means = normal(20, 10, seed=4) * 4, normal(500, 10) * 4
    z = means[:20] + 0.2 * z / 4
    got = log_mixture(z.float(), means.float(), scalar(-3.0, torch.float32), own=torch.full((20,), -1))
    torch.testing.assert_close(got.double(), log_mixture(z, means, scalar(-3.0)), rtol=1e-5, atol=0.02)


@pytest.mark.parametrize("masked", [False, True])
def test_plain_form_agrees_in_value_and_gradient(masked):
    own = torch.arange(4)[:, None] == torch.arange(9)[None, :] if masked else None
    results = []
    for form in (log_mixture, plain_log_mixture):
        z, log_var = normal(4, 3).requires_grad_(), scalar(0.2).requires_grad_()
        value = form(z, normal(9, 3, seed=1), log_var, own=own)
        results.append([value.detach(), *torch.autograd.grad(value.sum(), (z, log_var))])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_codes_far_from_every_exemplar(dtype):
    z = torch.tensor([[300.0, -200.0], [0.0, 0.0]], dtype=dtype, requires_grad=True)
    means = normal(40, 2, dtype=dtype)
    value = log_mixture(z, means, scalar(-2.0, dtype), own=torch.tensor([3, -1]))
    expected = naive_log_mixture(z.detach().double().numpy(), means.double().numpy(), math.exp(-2.0), own=[3, -1])
    np.testing.assert_allclose(value.detach().numpy(), expected, rtol=2e-6)
    (gradient,) = torch.autograd.grad(value.sum(), z)
    assert torch.isfinite(gradient).all()
    assert gradient[0].norm() > 1000  # the pull back towards the exemplars is not lost


def test_weights_are_held_fixed():
    weight = log_weights(5).requires_grad_()
    value = log_mixture(normal(3, 2).requires_grad_(), normal(5, 2), scalar(0.0), log_weight=weight)
    assert torch.autograd.grad(value.sum(), weight, allow_unused=True) == (None,)


def test_an_exemplar_without_weight_adds_nothing():
    z, means = normal(4, 2), normal(6, 2, seed=1)
    weight = torch.cat([log_weights(5), scalar([-math.inf])])
    torch.testing.assert_close(
        log_mixture(z, means, scalar(0.0), log_weight=weight), log_mixture(z, means[:5], scalar(0.0), log_weight=weight[:5])
    )


def test_log_gaussian_against_torch_distributions():
    z, mean, log_var = normal(6, 4), normal(6, 4, seed=1), normal(6, 4, seed=2)
    expected = Independent(Normal(mean, (0.5 * log_var).exp()), 1).log_prob(z)
    torch.testing.assert_close(log_gaussian(z, mean, log_var), expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"z": normal(2, 3), "means": normal(4, 2)}, r"z must be \(B, D\) and means \(K, D\); got \(2, 3\) and \(4, 2\)"),
        ({"z": normal(3), "means": normal(4, 3)}, r"got \(3,\) and \(4, 3\)"),
        ({"own": torch.zeros(5, 4, dtype=torch.bool)}, r"own must be positions \(2, M\) or bool \(2, 4\); got \(5, 4\)"),
        ({"means": Exemplars(normal(4, 2))}, r"got \(2, 3\) and \(4, 2\)"),
        ({"means": Exemplars(normal(4, 3)), "log_weight": torch.zeros(4)}, "Exemplars have their weights"),
        ({"log_weight": torch.zeros(3)}, r"log_weight must be \(4,\); got \(3,\)"),
        ({"means": normal(0, 3)}, "at least one exemplar besides itself"),
        ({"means": normal(1, 3), "own": torch.tensor([0, -1])}, "give two exemplars or more"),
        ({"own": torch.ones(2, 4, dtype=torch.bool)}, "at least one exemplar besides itself"),
    ],
)
def test_errors(arguments, message):
    values = {"z": normal(2, 3), "means": normal(4, 3)} | arguments
    with pytest.raises(ShapeError, match=message):
        log_mixture(values.pop("z"), values.pop("means"), scalar(0.0), **values)


@given(st.integers(1, 5), st.integers(2, 30), st.floats(-6, 3), st.floats(0, 30), st.sampled_from(["mask", "position", None]))
@settings(max_examples=60, deadline=None)
def test_one_large_block_gives_what_small_ones_give(rows, k, log_var, spread, own):
    z, means = normal(rows, 2) * spread, normal(k, 2, seed=1) * spread
    exemplars = Exemplars(means, log_weights(k), spare=True)
    left = exemplars.left(z - exemplars.centre, torch.exp(-scalar(log_var)))
    at = torch.arange(rows) % k
    mask = {"mask": at[:, None] == torch.arange(k)[None], "position": at, None: None}[own]
    got = whole_block(left, exemplars, mask, torch.tensor([0, k - 1]))
    expected = block(left, Exemplars(means, log_weights(k)), mask, torch.tensor([0, k - 1]))
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other)
