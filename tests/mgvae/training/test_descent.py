"""Adam on one vector: against torch's Adam, its clipping and its cosine."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mgvae.training.descent import Descent


def network():
    model, draws = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2)), torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        nn.init.uniform_(parameter, -0.5, 0.5, generator=draws)
    model.register_parameter("unreached", nn.Parameter(torch.ones(2)))
    return model


def losses(model, scale):
    rows = torch.randn(40, 3, generator=torch.Generator().manual_seed(1))
    return (scale * (model(rows) - rows[:, :2]).square().sum(1)).mean()


@pytest.mark.parametrize("scale", [0.1, 1000.0], ids=["short gradients", "gradients that are clipped"])
def test_steps_are_those_of_adam_with_clipping_and_a_cosine(scale):
    ours, theirs = network(), network()
    descent, adam = Descent(ours, 0.05), torch.optim.Adam(theirs.parameters(), lr=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, T_max=30)
    for step in range(30):
        descent.anneal(step / 30)
        descent.step(descent.gradient(losses(ours, scale)))
        adam.zero_grad()
        losses(theirs, scale).backward()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 5.0)
        adam.step()
        schedule.step()
    for (name, one), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5, msg=name)
    assert losses(ours, scale) < 0.5 * losses(network(), scale)


def test_a_parameter_that_no_loss_reaches_keeps_still():
    model = network()
    descent = Descent(model, 0.05)
    descent.step(descent.gradient(losses(model, 1.0)))
    assert model.unreached.tolist() == [1, 1]


def test_tensors_are_put_in_the_order_of_the_parameters():
    model = network()
    descent = Descent(model, 0.05)
    turned = dict(reversed(list(model.named_parameters())))
    assert torch.equal(descent.flat(turned), descent.values)
