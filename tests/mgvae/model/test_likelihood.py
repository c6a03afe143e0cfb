"""Likelihood heads: against scipy and mpmath, against a naive loop, and as laws of probability."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from torch import nn

from mgvae.config.dictionary import Column
from mgvae.model.encoding import fit_encoding
from mgvae.model.likelihood import TableLikelihood
from mgvae.model.scores import log_normal_interval, plain_score_log_density, score_log_density
from mgvae.paper.models.pixel_likelihood import PixelLikelihood
from tests.mgvae.small_cohort import COLUMNS, levels, mixed
from tests.reference.likelihood import log_interval
from tests.reference.likelihood import log_prob as naive_log_prob

HIDDEN = 6


def doubles(values):
    return torch.tensor(values, dtype=torch.double)


def table(frame, columns=COLUMNS, *, seed=0):
    """Return encoding, rows and a likelihood with random weights, all in double precision."""
    encoding = fit_encoding(frame, columns)
    likelihood = TableLikelihood(encoding, HIDDEN).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in likelihood.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.double))
    return encoding, torch.from_numpy(encoding.encode(frame)), likelihood


def features(n, *, seed=1):
    return torch.randn(n, HIDDEN, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


@given(st.floats(-35, 35), st.floats(1e-3, 70))
@settings(max_examples=200, deadline=None)
def test_interval_against_arbitrary_precision(lower, width):
    upper = lower + width
    got = log_normal_interval(doubles([lower]), doubles([upper])).item()
    assert got == pytest.approx(log_interval(lower, upper), rel=1e-9, abs=1e-9)


@given(st.floats(-12, 12), st.floats(1e-3, 30))
@settings(max_examples=200, deadline=None)
def test_interval_in_single_precision(lower, width):
    low, high = (torch.tensor([value], dtype=torch.float32) for value in (lower, lower + width))
    truth = log_normal_interval(low.double(), high.double()).item()
    assert log_normal_interval(low, high).item() == pytest.approx(truth, rel=1e-5, abs=0.02)


def test_interval_is_finite_with_finite_gradients_far_out():
    lower = torch.linspace(-300, 300, 101, requires_grad=True)
    value = log_normal_interval(lower, lower + 0.01)
    value.sum().backward()
    assert torch.isfinite(value).all()
    assert torch.isfinite(lower.grad).all()


def test_interval_gradients():
    lower = doubles([-9.0, -1.0, 0.1, 8.0]).requires_grad_()
    upper = doubles([-8.5, 2.0, 0.3, 30.0]).requires_grad_()
    assert torch.autograd.gradcheck(log_normal_interval, (lower, upper))


def cells(dtype=torch.double):
    """Return means, log spreads and cells: points, atoms near and far, open at an end, wide and narrow."""
    lower = torch.tensor([[0.3, -1.0, 2.0], [1.0, -30.0, 0.0], [-2.0, 4.9, -30.0], [0.1, 0.1, 3.0]], dtype=dtype)
    upper = lower + torch.tensor([[0.0, 0.5, 1e-3], [0.2, 29.0, 0.0], [1.0, 25.1, 60.0], [0.0, 1e-2, 0.4]], dtype=dtype)
    mean = torch.tensor([[0.1, 0.7, -1.9], [-0.2, -0.3, 0.4], [3.0, -0.1, 0.2], [2.5, -1.2, -1.0]], dtype=dtype)
    return mean.requires_grad_(), torch.tensor([-0.3, -2.0, 0.2], dtype=dtype).requires_grad_(), lower, upper


def test_gradients_of_cells_that_are_written_out():
    assert torch.autograd.gradcheck(score_log_density, cells())


def test_written_gradients_are_those_of_recorded_operations():
    for dtype, within in ((torch.double, 1e-9), (torch.float32, 1e-3)):
        found = []
        for density in (score_log_density, plain_score_log_density):
            mean, log_sigma, lower, upper = cells(dtype)
            value = density(mean, log_sigma, lower, upper)
            (value * torch.arange(1, 13, dtype=dtype).view(4, 3)).sum().backward()
            found.append((value.detach(), mean.grad, log_sigma.grad))
        for ours, recorded in zip(*found, strict=True):
            torch.testing.assert_close(ours, recorded, rtol=within, atol=within)


def test_cells_far_from_their_mean_have_finite_gradients():
    mean = torch.linspace(-40, 40, 201)[:, None].requires_grad_()
    log_sigma = torch.full((1,), math.log(0.1)).requires_grad_()
    for width in (0.0, 1e-4, 0.5, 60.0):
        lower = torch.full((201, 1), -30.0 if width == 60 else 0.7)
        value = score_log_density(mean, log_sigma, lower, lower + width)
        gradients = torch.autograd.grad(value.sum(), (mean, log_sigma))
        assert all(torch.isfinite(one).all() for one in (value, *gradients))


@pytest.mark.parametrize("kind", ["count", "ordinal"])
def test_probabilities_of_all_atoms_sum_to_one(kind):
    if kind == "count":
        column, values = Column(kind="count"), np.repeat([0.0, 1, 2, 3, 9], [50, 20, 10, 2, 1])
    else:
        column = Column(kind="ordinal", categories=("I", "II", "III"))
        values = levels(np.repeat(["I", "II", "III"], [5, 2, 9]), column, ordered=True)
    encoding, rows, likelihood = table(pd.DataFrame({"x": values}), {"x": column})
    atoms = torch.unique(rows, dim=0)
    for hidden in features(4):
        total = likelihood.log_prob(hidden.expand(len(atoms), -1), atoms).exp().sum()
        assert total.item() == pytest.approx(1, abs=1e-9)
    assert encoding.inputs == 1


def test_probabilities_of_all_levels_and_missing_sum_to_one():
    column = Column(kind="categorical", categories=("a", "b", "c"))
    frame = pd.DataFrame({"x": levels(["a", "b", "c", None], column)})
    _, rows, likelihood = table(frame, {"x": column})
    total = likelihood.log_prob(features(1).expand(4, -1), rows).exp().sum()
    assert total.item() == pytest.approx(1)


def test_density_of_points_integrates_to_one():
    values = np.random.default_rng(0).normal(size=3000)
    encoding, _, likelihood = table(pd.DataFrame({"x": values}), {"x": Column(kind="continuous")})
    score = torch.linspace(-30, 30, 20_001, dtype=torch.double)[:, None]
    rows = score.expand(-1, encoding.width)  # a point: value and both bounds alike
    density = likelihood.log_prob(features(1).expand(len(rows), -1), rows).exp()
    assert torch.trapezoid(density, score[:, 0]).item() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("missing", [True, False])
def test_log_prob_against_a_loop_over_columns(missing):
    encoding, rows, likelihood = table(mixed(60, missing=missing))
    hidden = features(60)
    got = likelihood.log_prob(hidden, rows).detach().numpy()
    np.testing.assert_allclose(got, naive_log_prob(likelihood, encoding, hidden, rows), rtol=1e-8)


def test_log_prob_with_levels_far_apart_in_logit():
    columns = {name: Column(kind="categorical", categories=("a", "b", "c")) for name in ("x", "y")}
    frame = pd.DataFrame({name: levels(["a", "b", "c", "a"], column) for name, column in columns.items()})
    encoding, rows, likelihood = table(frame, columns)
    with torch.no_grad():
        likelihood.level.bias[:3] += 200.0  # a shift of all levels of one column changes nothing
    hidden = features(4)
    got = likelihood.log_prob(hidden, rows).detach().numpy()
    np.testing.assert_allclose(got, naive_log_prob(likelihood, encoding, hidden, rows), rtol=1e-8)


def test_a_missing_value_contributes_its_indicator_alone():
    encoding, rows, likelihood = table(mixed(80))
    place = {place.name: place for place in encoding.slots}["crp"]
    gone = rows[:, place.missing_at] == 1
    assert gone.any()
    hidden, before = features(80), likelihood.log_prob(features(80), rows)
    rows = rows.clone()
    bound = encoding.inputs + place.bound_at
    rows[gone, bound], rows[gone, bound + encoding.n_scored] = -1.0, 2.0
    torch.testing.assert_close(likelihood.log_prob(hidden, rows)[gone], before[gone])
    rows[gone, place.missing_at] = 0.0
    assert (likelihood.log_prob(hidden, rows)[gone] != before[gone]).all()


def test_frequencies_of_samples_are_the_heads_probabilities():
    frame = mixed(400)
    encoding, _, likelihood = table(frame)
    n = 40_000
    drawn = likelihood.sample(features(1).expand(n, -1), torch.Generator().manual_seed(5)).detach()
    hidden = features(1)
    share, slots = drawn.mean(0), {place.name: place for place in encoding.slots}
    error = 5 * 0.5 / math.sqrt(n)
    torch.testing.assert_close(share[likelihood.binary_at], torch.sigmoid(likelihood.binary(hidden))[0], atol=error, rtol=0)
    torch.testing.assert_close(share[likelihood.missing_at], torch.sigmoid(likelihood.missing(hidden))[0], atol=error, rtol=0)
    ward = slots["ward"]
    torch.testing.assert_close(share[ward.start : ward.start + 4], likelihood.level(hidden)[0].softmax(0), atol=error, rtol=0)
    score = drawn[:, likelihood.scored_at]
    torch.testing.assert_close(score.mean(0), likelihood.mean(hidden)[0], atol=0.05, rtol=0)
    torch.testing.assert_close(score.std(0), likelihood.log_sigma.exp(), rtol=0.02, atol=0)


def test_atoms_are_drawn_with_the_probability_of_their_interval():
    values = np.repeat([0.0, 1.0, 4.0], [60, 30, 10])
    encoding, rows, likelihood = table(pd.DataFrame({"x": values}), {"x": Column(kind="count")})
    hidden = features(1)
    drawn = likelihood.sample(hidden.expand(40_000, -1), torch.Generator().manual_seed(2)).detach().numpy()
    share = pd.Series(np.rint(encoding.decode(drawn)["x"])).value_counts(normalize=True)
    atoms = torch.unique(rows, dim=0)
    expected = likelihood.log_prob(hidden.expand(3, -1), atoms).exp().detach().numpy()
    # scores in the rim between two atoms decode to values between them, which whole numbers share out among themselves
    rim = 0.02
    for value, chance in zip([0.0, 1.0, 4.0], expected, strict=True):
        assert share.get(value, 0.0) == pytest.approx(chance, abs=rim + 0.01)


def test_every_sample_has_one_level_per_column():
    encoding, _, likelihood = table(mixed(100))
    drawn = likelihood.sample(features(500), torch.Generator().manual_seed(0)).detach()
    ward = {place.name: place for place in encoding.slots}["ward"]
    assert (drawn[:, ward.start : ward.start + 4].sum(1) == 1).all()


def test_a_sample_evaluates_all_heads_once(monkeypatch):
    columns = {f"ward {at}": COLUMNS["ward"] for at in range(5)}
    _, _, likelihood = table(pd.DataFrame({name: mixed(100)["ward"] for name in columns}), columns)
    evaluated, joint = [], likelihood._joint
    monkeypatch.setattr(likelihood, "_joint", lambda: evaluated.append(1) or joint())
    likelihood.sample(features(10), torch.Generator().manual_seed(0))
    assert len(evaluated) == 1, "once a column, time grows with the square of the columns"


def test_the_start_has_the_base_rates_of_present_values():
    frame = mixed(600).assign(sex=lambda f: f["sex"].where(np.arange(600) % 3 > 0))
    encoding, rows, likelihood = table(frame)
    likelihood.start_at(rows)
    none = torch.zeros(1, HIDDEN, dtype=torch.double)
    drawn = {name: getattr(likelihood, name)(none)[0].detach().numpy() for name in ("binary", "level", "missing")}
    present = frame["sex"].dropna()
    assert 1 / (1 + math.exp(-drawn["binary"][0])) == pytest.approx((present == "m").mean(), abs=0.01)
    odds = np.exp(drawn["level"]) / np.exp(drawn["level"]).sum()
    np.testing.assert_allclose(odds, frame["ward"].value_counts(normalize=True).loc[[*"abc", "never"]], atol=0.01)
    gone = [frame[place.name].isna().mean() for place in encoding.slots if place.missing_at is not None]
    np.testing.assert_allclose(1 / (1 + np.exp(-drawn["missing"])), gone, atol=0.01)


def test_the_spread_of_a_score_is_bounded():
    _, rows, likelihood = table(mixed(30))
    with torch.no_grad():
        likelihood.raw_log_sigma.fill_(-1e9)
    assert likelihood.log_sigma.exp().min().item() == pytest.approx(0.1)
    assert torch.isfinite(likelihood.log_prob(features(30), rows)).all()


def test_bernoulli_pixels_against_torch_distributions():
    head = PixelLikelihood(9, HIDDEN).double()
    hidden, rows = features(5), (torch.rand(5, 9) > 0.5).double()
    expected = torch.distributions.Bernoulli(logits=head.logit(hidden)).log_prob(rows).sum(1)
    torch.testing.assert_close(head.log_prob(hidden, rows), expected)


def test_gaussian_pixels_against_scipy():
    head = PixelLikelihood(9, HIDDEN, kind="gaussian").double()
    hidden, rows = features(5), torch.rand(5, 9, dtype=torch.double)
    mean = torch.sigmoid(head.logit(hidden)).detach().numpy()
    expected = norm.logpdf(rows.numpy(), mean, math.sqrt(0.02 * 0.5)).sum(1)
    np.testing.assert_allclose(head.log_prob(hidden, rows).detach().numpy(), expected)


def test_pixels_start_at_the_mean_image_and_sample_the_mean():
    head, rows = PixelLikelihood(9, HIDDEN), torch.rand(50, 9)
    head.start_at(rows)
    nn.init.zeros_(head.logit.weight)
    drawn = head.sample(torch.zeros(1, HIDDEN), torch.Generator()).detach()[0]
    torch.testing.assert_close(drawn, rows.mean(0))


def test_unknown_pixel_likelihood():
    with pytest.raises(ValueError, match="bernoulli or gaussian; got 'beta'"):
        PixelLikelihood(4, 3, kind="beta")


def test_a_table_of_one_kind_alone():
    frame = pd.DataFrame({"sex": levels(["f", "m", "m"], COLUMNS["sex"])})
    encoding, rows, likelihood = table(frame, {"sex": COLUMNS["sex"]})
    np.testing.assert_allclose(
        likelihood.log_prob(features(3), rows).detach().numpy(), naive_log_prob(likelihood, encoding, features(3), rows)
    )
