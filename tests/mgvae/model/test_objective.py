"""The objective: its KL against the closed form, the bound against a known evidence, its three forms against one another."""

from __future__ import annotations

import math

import pytest
import torch

from mgvae.model import exemplar_mixture
from mgvae.model.exemplar_mixture import Exemplars, exemplar_mask, whole_block
from mgvae.model.network import MGVAE, initialised
from mgvae.model.objective import elbo, elbo_with_own_means, row_elbo
from mgvae.paper.models.pixel_likelihood import PixelLikelihood
from tests.mgvae.model.linear_gaussian import linear_gaussian, log_evidence

DRAWS = 4000


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def small(*, pixels=6, d=3):
    model = MGVAE(PixelLikelihood(pixels, 8), hidden=[8, 8], latent_dim=d)
    return initialised(model, torch.Generator().manual_seed(0)).double()


def pixels(n, *, seed=1, p=6):
    return torch.rand(n, p, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


@pytest.mark.parametrize("prior", ["one exemplar", "standard normal"])
def test_kl_by_monte_carlo_against_the_closed_form(prior):
    model, row = small(), pixels(1)
    with torch.no_grad():
        model.prior_log_var.fill_(-0.4)
    mean, log_var = model.encoder(row)
    to, spread = (normal(1, 3, seed=3), math.exp(-0.4)) if prior == "one exemplar" else (torch.zeros(1, 3), 1.0)
    closed = 0.5 * (log_var.exp() / spread + (mean - to).square() / spread - 1 - log_var + math.log(spread)).sum()
    terms = elbo(model, row.expand(DRAWS, -1), to if prior == "one exemplar" else None, normal(DRAWS, 3))
    error = terms.kl.std() / DRAWS**0.5
    assert abs(terms.kl.mean() - closed) < 4 * error
    assert error < 0.05


def test_with_the_exact_posterior_every_draw_gives_the_evidence():
    model, weight = linear_gaussian()
    rows = normal(50, 5)
    got = elbo(model, rows, None, normal(50, 2, seed=1)).total
    truth = log_evidence(rows, weight, torch.zeros(1, 2, dtype=torch.double), 1.0)
    torch.testing.assert_close(got, truth)


@pytest.mark.parametrize("off", [0.0, 0.5])
def test_the_objective_is_a_lower_bound_of_the_evidence(off):
    model, weight = linear_gaussian(off=off)
    with torch.no_grad():
        model.prior_log_var.fill_(-0.5)
    rows, means = normal(30, 5) * 1.5, normal(25, 2, seed=2)
    draws = torch.stack([elbo(model, rows, means, normal(30, 2, seed=seed)).total for seed in range(500)])
    truth = log_evidence(rows, weight, means, math.exp(-0.5))
    error = draws.std(0) / 500**0.5
    assert (draws.mean(0) <= truth + 4 * error).all()
    assert (truth - draws.mean(0)).mean() > 0.01  # a diagonal Gaussian cannot be the posterior under a mixture


AT = torch.tensor([3, 0, 19, 7])


@pytest.mark.parametrize("own", [AT, exemplar_mask(AT, 20) | exemplar_mask(AT.flip(0), 20), None], ids=["row", "pair", "none"])
def test_cached_means_give_what_re_encoded_means_give(own):
    model, rows, at = small(), pixels(20), AT
    stale = model.exemplar_means(rows)
    stale[at] += 5.0  # those of the batch are never read from the cache
    got = elbo_with_own_means(model, rows[at], Exemplars(stale), at, normal(4, 3), own=own)
    expected = elbo(model, rows[at], model.exemplar_means(rows), normal(4, 3), own=own)
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_the_gradient_reaches_the_batchs_own_means_and_no_others():
    model, rows, at = small(), pixels(20), torch.tensor([3, 0, 19, 7])
    cache = model.exemplar_means(rows)
    got = elbo_with_own_means(model, rows[at], Exemplars(cache), at, normal(4, 3), own=at).total.sum()
    through_batch = torch.autograd.grad(got, model.encoder.mean.weight)[0]
    means = model.encoder(rows)[0]
    held = torch.ones(20, 1, dtype=torch.double)
    held[at] = 0
    mixed = held * means.detach() + (1 - held) * means
    expected = elbo(model, rows[at], mixed, normal(4, 3), own=at).total.sum()
    torch.testing.assert_close(through_batch, torch.autograd.grad(expected, model.encoder.mean.weight)[0])
    fixed = elbo(model, rows[at], cache, normal(4, 3), own=at).total.sum()
    assert not torch.allclose(through_batch, torch.autograd.grad(fixed, model.encoder.mean.weight)[0])


def test_one_row_alone_gives_what_the_batch_gives():
    model, rows, at = small(), pixels(10), torch.tensor([4, -1, 0])
    means, noise = model.exemplar_means(rows), normal(3, 3)
    batch = elbo(model, rows[:3], means, noise, own=exemplar_mask(at, 10)).total
    alone = [row_elbo(model, rows[i], means, noise[i, None], exemplar_mask(at, 10)[i]) for i in range(3)]
    torch.testing.assert_close(torch.stack(alone), batch)


def test_several_codes_of_a_row_give_their_mean():
    model, rows, noise = small(), pixels(10), normal(5, 3)
    means, own = model.exemplar_means(rows), exemplar_mask(torch.tensor([4]), 10)[0]
    each = [row_elbo(model, rows[4], means, one[None], own) for one in noise]
    torch.testing.assert_close(row_elbo(model, rows[4], means, noise, own), torch.stack(each).mean())


def test_the_gradient_reaches_means_of_those_rows_of_a_batch_that_are_exemplars():
    model, rows, at = small(), pixels(20), torch.tensor([2, -1, 0])  # of a prior of the rows 7, 8 and 9
    cache = model.exemplar_means(rows[7:10])
    got = elbo_with_own_means(model, rows[[9, 3, 7]], Exemplars(cache), at, normal(3, 3), own=at).total.sum()
    means = model.encoder(rows[[7, 8, 9]])[0]
    mixed = torch.stack([means[0], cache[1], means[2]])
    expected = elbo(model, rows[[9, 3, 7]], mixed, normal(3, 3), own=exemplar_mask(at, 3)).total.sum()
    weight = model.encoder.mean.weight
    torch.testing.assert_close(*(torch.autograd.grad(value, weight)[0] for value in (got, expected)))


@pytest.mark.parametrize("at", [[2, -1, 0], [-1, -1, -1], [1, 0, 2]], ids=str)
@pytest.mark.parametrize("left_out", [True, False])
def test_a_gpus_way_to_the_objective_gives_the_same(at, left_out, monkeypatch):
    model, rows, at = small(), pixels(20), torch.tensor(at)  # of a prior of the rows 7, 8 and 9
    own, weight, cached = at if left_out else None, model.encoder.mean.weight, model.exemplar_means(rows[7:10])
    found = []
    for spare, block in ((False, exemplar_mixture.block), (True, whole_block)):
        monkeypatch.setattr(exemplar_mixture, "block", block)
        cache = Exemplars(cached, spare=spare)
        total = elbo_with_own_means(model, rows[[9, 3, 7]], cache, at, normal(3, 3), own=own).total
        found.append((total, torch.autograd.grad(total.sum(), weight)[0], cache.means))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_exemplars_filled_anew_are_those_of_a_new_table():
    means, others = pixels(5), pixels(5) + 3
    cache = Exemplars(means, spare=True)
    cache.refill(others)
    torch.testing.assert_close(cache.table, Exemplars(others, spare=True).table)
    torch.testing.assert_close(cache.means, others)


def test_exemplar_mask():
    mask = exemplar_mask(torch.tensor([2, -1, 0]), 3)
    assert mask.tolist() == [[False, False, True], [False, False, False], [True, False, False]]


def test_without_leaving_out_a_row_may_hide_behind_itself():
    model, rows = small(), pixels(40) * 20
    with torch.no_grad():
        model.prior_log_var.fill_(-8.0)
        model.encoder.log_var.bias.fill_(-20.0)  # narrow posteriors, narrow exemplars: the code is known to a point
    means, at = model.exemplar_means(rows), torch.arange(40)
    kept = elbo(model, rows, means, normal(40, 3)).kl
    left_out = elbo(model, rows, means, normal(40, 3), own=at).kl
    assert kept.mean() <= math.log(40) + 0.1
    assert left_out.mean() > 10 * math.log(40)
