"""The convolutional model: shapes, densities as torch.distributions has them, gradients everywhere, per-row Fisher."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Bernoulli, Normal

from mgvae.config.sections import Training
from mgvae.errors import ShapeError
from mgvae.generator.translation import draw_parents, translate
from mgvae.model.network import initialised
from mgvae.model.objective import elbo
from mgvae.paper.models.convolution import MOST_VALUES, convolutional
from mgvae.torch_runtime import torch_generator
from mgvae.training.anchor import DRAWS, anchor_at
from mgvae.training.exemplars import ExemplarSchedule
from mgvae.training.loops import FinetunePlan, finetune, pretrain

SHAPE = (3, 16, 16)
PIXELS = 3 * 16 * 16
SETTINGS = Training(batch_size=16, pretrain_epochs=4, exemplars="all", learning_rate=2e-3, device="cpu")


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def model(shape=SHAPE, *, kind="gaussian", channels=8, condition=0):
    made = convolutional(shape, latent_dim=4, channels=channels, width=32, kind=kind, condition=condition)
    return initialised(made, stream())


def pictures(n, shape=SHAPE, *, seed=1):
    """Return smooth pictures whose left half is as bright as a number of their own."""
    light = torch.rand(n, 1, 1, 1, generator=stream(seed)).expand(n, *shape).clone()
    light[..., shape[2] // 2 :] = 0.5
    return light.flatten(1)


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 32, 32), (3, 16, 16), (1, 4, 4)])
def test_shapes(shape):
    made, rows = model(shape), pictures(3, shape)
    mean, log_var = made.posterior(rows)
    assert (mean.shape, log_var.shape) == ((3, 4), (3, 4))
    assert made.decoder.log_prob(rows, mean).shape == (3,)
    drawn = made.decoder.sample(mean, stream()).detach()
    assert drawn.shape == rows.shape
    assert 0 <= float(drawn.min()) <= float(drawn.max()) <= 1


@pytest.mark.parametrize("shape", [(3, 28, 28), (3, 64, 32), (3, 2, 2), (3, 0, 0)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ShapeError, match="squares of side 4 times a power of 2"):
        convolutional(shape, latent_dim=4)


@pytest.mark.parametrize("kind", ["bernoulli", "gaussian"])
def test_density_is_that_of_independent_pixels(kind):
    made, rows, z = model(kind=kind), pictures(5), torch.randn(5, 4, generator=stream(2))
    head = made.decoder.likelihood
    logits = head.logit(made.decoder.body(z))
    if kind == "bernoulli":
        rows = rows.round()
        truth = Bernoulli(logits=logits).log_prob(rows).sum(1)
    else:
        truth = Normal(torch.sigmoid(logits), head._log_sigma().exp()).log_prob(rows).sum(1)
    torch.testing.assert_close(made.decoder.log_prob(rows, z), truth, rtol=1e-4, atol=1e-3)


def test_it_starts_at_the_mean_picture_where_features_say_nothing():
    made, rows = model(), pictures(50)
    made.decoder.likelihood.start_at(rows)
    with torch.no_grad():
        made.decoder.likelihood.logit.conv.weight.zero_()
    drawn = made.decoder.sample(torch.randn(2, 4, generator=stream()), stream())
    torch.testing.assert_close(drawn, rows.mean(0).expand(2, -1), rtol=0, atol=1e-5)


def test_encoder_and_decoder_see_a_condition():
    made, rows, z = model(condition=2), pictures(3), torch.randn(3, 4, generator=stream(2))
    one, other = torch.eye(2)[:, None].expand(2, 3, 2)
    means = [made.posterior(torch.cat([rows, told], 1))[0] for told in (one, other)]
    drawn = [made.decoded(torch.cat([z, told], 1), stream()) for told in (one, other)]
    for first, second in (means, drawn):
        assert float((first - second).detach().abs().amax(1).min()) > 1e-3
    assert made.decoder.log_prob(rows, torch.cat([z, one], 1)).shape == (3,)


def test_memory_of_a_pass_does_not_grow_with_the_images():
    made, seen = model((3, 64, 64), channels=16), []
    made.encoder.body.first.register_forward_hook(lambda module, inputs, maps: seen.append(maps.numel()))
    assert made.exemplar_means(pictures(300, (3, 64, 64))).shape == (300, 4)
    assert len(seen) == 2
    assert max(seen) <= MOST_VALUES


@pytest.mark.parametrize("channels", [8, 12])
def test_gradients_reach_every_parameter(channels):
    made, rows = model(channels=channels), pictures(6)
    with torch.no_grad():
        made.encoder.log_var.weight.normal_(generator=stream())  # zero at the start, which would stop its own inputs only
    noise = torch.randn(6, 4, generator=stream(3))
    elbo(made, rows, made.exemplar_means(pictures(9, seed=4)), noise).total.mean().backward()
    without = [name for name, value in made.named_parameters() if value.grad is None or not bool(value.grad.abs().sum() > 0)]
    assert without == []


def test_rows_do_not_see_each_other():
    made, rows = model(), pictures(6)
    together, alone = made.posterior(rows)[0], torch.cat([made.posterior(row[None])[0] for row in rows])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_fisher_is_the_mean_of_squared_row_gradients():
    made, rows = model(), pictures(7)
    settings = SETTINGS.model_copy(update={"leave_one_out": True})
    anchor = anchor_at(made, rows, settings, seed=0)
    assert anchor.fisher.keys() == {name for name, _ in made.named_parameters()}
    mean = sum(value.sum() for value in anchor.fisher.values()) / made.n_parameters()
    assert float(mean) == pytest.approx(1.0, rel=1e-4)
    draws = _noise_of_fisher(rows, made)
    total = {name: torch.zeros_like(value) for name, value in made.named_parameters()}
    for at, noise in draws:  # one row after the other, without torch.func
        means = made.exemplar_means(rows)
        own = torch.arange(len(rows)) == at
        made.zero_grad()
        elbo(made, rows[[at] * DRAWS], means, noise, own=own.expand(DRAWS, -1)).total.mean().backward()
        for name, value in made.named_parameters():
            total[name] += value.grad.square()
    scale = sum(value.sum() for value in total.values()) / made.n_parameters()
    for name, value in total.items():
        torch.testing.assert_close(anchor.fisher[name], value / scale, rtol=2e-3, atol=1e-4)


def _noise_of_fisher(rows, made):
    """Return the rows and the noise that `anchor_at` draws, from the same named stream in the same order."""
    draws = torch_generator(0, "fisher")
    order = torch.randperm(len(rows), generator=draws)
    noise = torch.randn(DRAWS * len(rows), made.latent_dim, generator=draws).view(len(rows), DRAWS, -1)
    return list(zip(order.tolist(), noise, strict=True))


def test_it_trains_fine_tunes_and_translates():
    made, rows, heldout = model(), pictures(64), pictures(16, seed=8)
    made.decoder.likelihood.start_at(rows)
    history = pretrain(made, rows, heldout, SETTINGS, seed=0)
    assert history.heldout_elbo > history.epochs[0].heldout_elbo
    anchor, cases = anchor_at(made, rows, SETTINGS, seed=0), pictures(8, seed=9).flip(1)
    finetune(made, cases, ExemplarSchedule(rows, SETTINGS), SETTINGS, FinetunePlan(anchor, 0.1, 2, seed=0))
    drawn = translate(made, rows[draw_parents(len(rows), 5, stream())], stream())
    assert drawn.shape == (5, PIXELS)
    assert bool(drawn.isfinite().all())
