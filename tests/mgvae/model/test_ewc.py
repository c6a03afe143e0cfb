"""EWC: the Fisher diagonal against a loop and closed forms, and the laws of the penalty."""

from __future__ import annotations

import pytest
import torch
from torch.func import functional_call

from mgvae.model.ewc import ewc_gradient, fisher_diagonal, normalised
from mgvae.model.exemplar_mixture import exemplar_mask
from mgvae.model.network import MGVAE, initialised
from mgvae.model.objective import row_elbo
from mgvae.paper.models.pixel_likelihood import PixelLikelihood
from tests.reference.fisher import fisher_diagonal as naive_fisher_diagonal


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def linear(parameters, x, y):
    """Return log N(y; w.x + b, 1) up to a constant."""
    return -0.5 * (y - x @ parameters["w"] - parameters["b"]).square()


def linear_data(n, *, seed=0):
    parameters = {"w": torch.tensor([1.0, -2.0, 0.5], dtype=torch.double), "b": torch.tensor(0.3, dtype=torch.double)}
    x = normal(n, 3, seed=seed) * torch.tensor([1.0, 2.0, 0.1])
    return parameters, x, x @ parameters["w"] + parameters["b"] + normal(n, seed=seed + 1)


def model_objective():
    """Return objective, parameters and per-row tensors of a small MGVAE."""
    model = MGVAE(PixelLikelihood(6, 8), hidden=[8, 8], latent_dim=3)
    initialised(model, torch.Generator().manual_seed(0)).double()
    rows = torch.rand(21, 6, generator=torch.Generator().manual_seed(1), dtype=torch.double)
    means = model.exemplar_means(rows)

    class Objective(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, *row):
            return row_elbo(self.model, row[0], means, *row[1:])

    def objective(parameters, *row):
        return functional_call(Objective(), {f"model.{name}": value for name, value in parameters.items()}, row)

    return objective, dict(model.named_parameters()), (rows, normal(21, 4, 3), exemplar_mask(torch.arange(21), 21))


def test_fisher_of_the_model_against_a_loop_over_rows():
    objective, parameters, per_row = model_objective()
    fast, slow = fisher_diagonal(objective, parameters, *per_row), naive_fisher_diagonal(objective, parameters, *per_row)
    assert fast.keys() == slow.keys() == parameters.keys()
    for name in slow:
        torch.testing.assert_close(fast[name], slow[name])
    assert sum(value.sum() for value in fast.values()) > 0


def test_fisher_of_a_linear_gaussian_model_against_the_closed_form():
    parameters, x, y = linear_data(200)
    residual = y - x @ parameters["w"] - parameters["b"]
    fisher = fisher_diagonal(linear, parameters, x, y)
    torch.testing.assert_close(fisher["w"], (residual.square()[:, None] * x.square()).mean(0))
    torch.testing.assert_close(fisher["b"], residual.square().mean())


def test_fisher_at_the_truth_tends_to_the_expected_information():
    parameters, x, y = linear_data(40_000)
    fisher = fisher_diagonal(linear, parameters, x, y)
    torch.testing.assert_close(fisher["w"], torch.tensor([1.0, 4.0, 0.01], dtype=torch.double), rtol=0.05, atol=0)
    assert fisher["b"].item() == pytest.approx(1, rel=0.05)


def test_fisher_is_not_the_square_of_a_batchs_mean_gradient():
    parameters, x, y = linear_data(3200)
    fisher = fisher_diagonal(linear, parameters, x, y)["b"]
    batches = [(linear_gradient(parameters, x[at], y[at])) for at in torch.arange(3200).split(32)]
    of_means = torch.stack(batches).square().mean()
    assert of_means / fisher == pytest.approx(1 / 32, rel=0.5)


def linear_gradient(parameters, x, y):
    return (y - x @ parameters["w"] - parameters["b"]).mean()


@pytest.mark.parametrize("chunk", [1, 4, 21, 1000])
def test_fisher_does_not_depend_on_the_chunks(chunk):
    objective, parameters, per_row = model_objective()
    whole = fisher_diagonal(objective, parameters, *per_row)
    parts = fisher_diagonal(objective, parameters, *per_row, chunk=chunk)
    for name in whole:
        torch.testing.assert_close(parts[name], whole[name])


def test_fisher_of_no_rows():
    with pytest.raises(ValueError, match="at least one row; got none"):
        fisher_diagonal(linear, linear_data(1)[0])


def test_normalised_fisher_has_mean_one_and_keeps_ratios():
    objective, parameters, per_row = model_objective()
    fisher = fisher_diagonal(objective, parameters, *per_row)
    scaled = normalised(fisher)
    flat = torch.cat([value.flatten() for value in scaled.values()])
    assert flat.mean().item() == pytest.approx(1)
    ratio = torch.cat([value.flatten() for value in fisher.values()]) / flat
    assert torch.nan_to_num(ratio, nan=ratio.nanmedian()).std() < 1e-9


def test_normalised_fisher_of_zeros_stays_zero():
    assert normalised({"w": torch.zeros(3)})["w"].tolist() == [0, 0, 0]


def test_the_gradient_is_that_of_the_penalty():
    now, anchor, fisher = normal(4).requires_grad_(), normal(4, seed=1), normal(4, seed=2).abs()
    penalty = sum(f * (a - b) ** 2 for a, b, f in zip(now, anchor, fisher, strict=True))
    torch.testing.assert_close(ewc_gradient(now.detach(), anchor, fisher), torch.autograd.grad(penalty, now)[0])
    assert ewc_gradient(anchor, anchor, fisher).tolist() == [0, 0, 0, 0]
