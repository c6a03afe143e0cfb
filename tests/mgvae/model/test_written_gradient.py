"""The written gradient: that of recorded operations, for every kind of cell and of prior, and only where it holds."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mgvae.generator.synthesis import encoded, new_model
from mgvae.model.encoding import fit_encoding
from mgvae.model.exemplar_mixture import Exemplars
from mgvae.model.layers import is_perceptron
from mgvae.model.network import MGVAE
from mgvae.model.objective import elbo, elbo_with_own_means
from mgvae.model.written_gradient import WrittenGradient, is_written, parameter_order
from mgvae.paper.models.pixel_likelihood import PixelLikelihood
from mgvae.training.descent import Descent
from mgvae.training.fisher import recorded_fisher, written_fisher
from tests.mgvae.small_cohort import COLUMNS, mixed, quick

AT = torch.tensor([3, 0, 19, 7, 30])
PLACES = torch.tensor([3, 0, 19, 7, -1])  # of a prior of the rows 0 to 19
KIN = torch.stack([PLACES, torch.tensor([2, -1, 4, -1, 5])], dim=1)


def start(columns=tuple(COLUMNS), *, missing=True):
    """Return a model in double precision, away from its start, and encoded rows of these columns."""
    kinds = {name: COLUMNS[name] for name in columns}
    frame = mixed(40, missing=missing)[list(columns)]
    encoding, settings = fit_encoding(frame, kinds), quick()
    rows = encoded(encoding, frame, settings).double()
    model, draws = new_model(encoding, rows.float(), settings, seed=0).double(), torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=draws, dtype=torch.double)
    return model, rows


def noise(rows, model):
    return torch.randn(rows, model.latent_dim, generator=torch.Generator().manual_seed(2), dtype=torch.double)


def exemplars(model, rows, *, weighed=False):
    weight = torch.linspace(0.1, 1, 20, dtype=torch.double)
    return Exemplars(model.exemplar_means(rows[:20]), (weight / weight.sum()).log() if weighed else None)


def both(model):
    descent = Descent(model, 1e-3, parameter_order(model))
    return descent, WrittenGradient(model, descent.values)


def assert_same(descent, written, total, loss, mean):
    torch.testing.assert_close(total, mean.detach())
    recorded = torch.split(descent.gradient(loss), [one.numel() for one in descent.parameters])
    ours = torch.split(written.vector, [one.numel() for one in descent.parameters])
    for name, one, other in zip(descent.names, ours, recorded, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-8, msg=name)


@pytest.mark.parametrize("own", [None, PLACES, KIN], ids=["none left out", "itself", "itself and kin"])
@pytest.mark.parametrize("weight", [0.4, 1.0])
def test_a_step_of_pretraining_is_that_of_recorded_operations(own, weight):
    model, rows = start()
    descent, written = both(model)
    cache, other = exemplars(model, rows), exemplars(model, rows)
    total = written(rows[AT], cache, noise(5, model), at=PLACES, own=own, weight=weight)
    terms = elbo_with_own_means(model, rows[AT], other, PLACES, noise(5, model), own=own)
    assert_same(descent, written, total, (weight * terms.kl - terms.reconstruction).mean(), terms.total.mean())
    torch.testing.assert_close(cache.table, other.table)


@pytest.mark.parametrize("columns", [*((name,) for name in COLUMNS), ("sex", "ward"), ("age", "stage", "ward")], ids=", ".join)
@pytest.mark.parametrize("missing", [True, False], ids=["some missing", "none missing"])
def test_each_kind_of_cell_has_the_gradient_of_recorded_operations(columns, missing):
    model, rows = start(columns, missing=missing)
    descent, written = both(model)
    total = written(rows[AT], exemplars(model, rows, weighed=True), noise(5, model))
    terms = elbo(model, rows[AT], exemplars(model, rows, weighed=True), noise(5, model))
    assert_same(descent, written, total, -terms.total.mean(), terms.total.mean())


def test_cells_far_from_their_mean_have_the_gradient_of_recorded_operations():
    model, rows = start(("age", "visits"))
    with torch.no_grad():
        model.decoder.likelihood.mean.bias += 6.0
        model.decoder.likelihood.raw_log_sigma.fill_(-9.0)  # so narrow that atoms are 60 spreads away
    descent, written = both(model)
    total = written(rows[AT], exemplars(model, rows), noise(5, model))
    terms = elbo(model, rows[AT], exemplars(model, rows), noise(5, model))
    assert_same(descent, written, total, -terms.total.mean(), terms.total.mean())


def test_a_step_leaves_nothing_of_the_last_one():
    model, rows = start()
    _, written = both(model)
    written(rows[:7], exemplars(model, rows), noise(7, model))
    first = written.vector.clone()
    written.vector.fill_(torch.nan)
    written(rows[:7], exemplars(model, rows), noise(7, model))
    assert torch.equal(written.vector, first)


def test_each_parameter_has_one_place_and_joined_heads_lie_together():
    model, _ = start()
    order = parameter_order(model)
    assert sorted(order) == sorted(name for name, _ in model.named_parameters())
    at = order.index("decoder.likelihood.mean.weight")
    assert order[at : at + 4] == [f"decoder.likelihood.{name}.weight" for name in ("mean", "binary", "missing", "level")]


def test_a_perceptron_is_linear_layers_each_followed_by_a_relu():
    def linear():
        return nn.Linear(3, 3)

    assert is_perceptron(nn.Sequential(linear(), nn.ReLU(), linear(), nn.ReLU()))
    assert not is_perceptron(nn.Sequential(linear(), nn.ReLU(), linear()))
    assert not is_perceptron(nn.Sequential(linear(), nn.Tanh()))
    assert not is_perceptron(nn.Sequential(nn.ReLU(), linear()))
    assert not is_perceptron(nn.ModuleList([linear(), nn.ReLU()]))


def test_gradients_are_written_for_tables_of_linear_layers_with_free_variances():
    model, _ = start()
    assert is_written(model)
    model.tied = True
    assert not is_written(model)
    model.tied, body = False, model.encoder.body
    model.encoder.body = nn.Sequential(nn.Linear(3, 3), nn.Tanh())
    assert not is_written(model)
    model.encoder.body, body = body, model.decoder.body
    model.decoder.body = nn.Sequential(nn.Linear(3, 3), nn.Tanh())
    assert not is_written(model)
    model.decoder.body = body
    model.encoder = nn.Linear(3, 3)
    assert not is_written(model)
    assert not is_written(MGVAE(PixelLikelihood(4, 8), hidden=[8], latent_dim=2))


@pytest.mark.parametrize("own", [torch.arange(40), KIN.repeat(8, 1)], ids=["itself", "itself and kin"])
@pytest.mark.parametrize("codes", [1, 3])
@pytest.mark.parametrize("columns", [tuple(COLUMNS), ("sex",), ("age",)], ids=["all kinds", "none scored", "scored alone"])
def test_written_fisher_information_is_that_of_recorded_operations(own, codes, columns, monkeypatch):
    monkeypatch.setattr("mgvae.training.fisher.MOST_ROWS", 7 * codes)  # in parts
    model, rows = start(columns)
    own = torch.where(own < 20, own, -1)
    each = noise(40 * codes, model).view(40, codes, -1)
    means = model.exemplar_means(rows[:20])
    ours, recorded = (fisher(model, rows, means, each, own) for fisher in (written_fisher, recorded_fisher))
    assert set(ours) == set(recorded)
    for name, value in recorded.items():
        torch.testing.assert_close(ours[name], value, rtol=1e-6, atol=1e-9, msg=name)
