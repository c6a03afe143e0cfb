"""Translation: parents are drawn evenly, rows come in order, and what is drawn obeys the training table."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mgvae.errors import TrainingError
from mgvae.generator.synthesis import encoded, new_model, synthesise
from mgvae.generator.translation import decode, draw_parents, sample_prior, translate
from mgvae.model.encoding import fit_encoding
from mgvae.training.inputs import GeneratorInputs
from tests.mgvae.small_cohort import COLUMNS, mixed, quick

pytestmark = pytest.mark.usefixtures("brief_judges")


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


@given(st.integers(1, 60), st.integers(0, 300), st.integers(0, 10**6))
@settings(max_examples=100, deadline=None)
def test_each_patient_is_drawn_once_before_any_is_drawn_twice(majority, n, seed):
    drawn = draw_parents(majority, n, stream(seed))
    assert len(drawn) == n
    for part in drawn.split(majority):
        assert len(part.unique()) == len(part)


@given(st.integers(1, 60), st.integers(0, 300), st.integers(0, 10**6))
@settings(max_examples=100, deadline=None)
def test_weighted_counts_are_the_expected_ones_rounded_up_or_down(majority, n, seed):
    log_weight = torch.randn(majority, generator=stream(seed), dtype=torch.double).mul(2).log_softmax(0)
    drawn = draw_parents(majority, n, stream(seed), log_weight=log_weight)
    expected = n * log_weight.exp()
    count = torch.bincount(drawn, minlength=majority)
    assert len(drawn) == n
    assert (count >= torch.floor(expected - 1e-9)).all()
    assert (count <= torch.ceil(expected + 1e-9)).all()


def test_weighted_draws_are_unbiased_and_in_random_order():
    log_weight = torch.tensor([0.5, 0.3, 0.2]).log()
    first = torch.stack([draw_parents(3, 4, stream(seed), log_weight=log_weight) for seed in range(4000)])
    share = torch.bincount(first[:, 0], minlength=3) / 4000
    torch.testing.assert_close(share, torch.tensor([0.5, 0.3, 0.2]), atol=0.04, rtol=0)


def test_nobody_to_draw_from():
    with pytest.raises(TrainingError, match="at least one majority patient; got none"):
        draw_parents(0, 3, stream())


def untrained(frame, **changes):
    settings_ = quick(**changes)
    encoding = fit_encoding(frame, COLUMNS)
    rows = encoded(encoding, frame, settings_)
    return encoding, rows, new_model(encoding, rows, settings_, seed=0), settings_


def test_rows_are_typed_within_range_and_have_known_levels():
    frame = mixed(300)
    encoding, rows, model, _ = untrained(frame)
    made = decode(encoding, translate(model, rows.repeat(5, 1), stream()))
    assert len(made) == 1500
    assert made.dtypes.to_dict() == frame.dtypes.to_dict()
    for name in ("age", "crp", "visits", "first_seen"):
        assert made[name].min() >= frame[name].min()
        assert made[name].max() <= frame[name].max()
        decimals = 1 if name == "crp" else 0
        np.testing.assert_array_equal(made[name], np.round(made[name], decimals))
    assert made["age"].notna().all()  # no training value was missing
    assert made["crp"].isna().mean() == pytest.approx(frame["crp"].isna().mean(), abs=0.1)


def test_a_row_follows_its_own_parent():
    frame = mixed(200)
    _, rows, model, _ = untrained(frame)
    with torch.no_grad():
        model.prior_log_var.fill_(-30.0)
        model.decoder.likelihood.raw_log_sigma.fill_(-1e9)
    made = translate(model, rows[:50], stream())[:, model.decoder.likelihood.scored_at]
    expected = model.decoder.likelihood.mean(model.decoder.body(model.encoder(rows[:50])[0])).detach()
    torch.testing.assert_close(made, expected, atol=0.6, rtol=0)  # six residual spreads


def test_codes_are_drawn_with_the_priors_spread():
    _, rows, model, _ = untrained(mixed(200))
    seen = []
    model.decoder.sample = lambda z, generator: seen.append(z) or z
    with torch.no_grad():
        model.prior_log_var.fill_(math.log(0.25))
    translate(model, rows[:1].expand(20_000, -1), stream())
    z = torch.cat(seen)
    torch.testing.assert_close(z.std(0), torch.full((3,), 0.5), rtol=0.03, atol=0)
    torch.testing.assert_close(z.mean(0), model.encoder(rows[:1])[0][0], atol=0.02, rtol=0)


def test_no_more_rows_pass_at_once_than_may():
    _, rows, model, _ = untrained(mixed(100))
    seen = []
    model.encoder.register_forward_hook(lambda module, inputs, outputs: seen.append(len(inputs[0])))
    model.decoder.body.register_forward_hook(lambda module, inputs, outputs: seen.append(len(inputs[0])))
    whole = translate(model, rows, stream())
    assert seen == [100, 100]
    model.at_once = 30
    assert translate(model, rows, stream()).shape == whole.shape
    assert seen[2:] == [30, 30] * 3 + [10, 10]


def test_no_parents_no_rows():
    encoding, rows, model, _ = untrained(mixed(50))
    made = decode(encoding, translate(model, rows[:0], stream()))
    assert made.empty
    assert list(made.columns) == list(COLUMNS)


def test_a_plain_vae_has_no_parents():
    encoding, rows, model, settings_ = untrained(mixed(50))
    inputs = GeneratorInputs(encoding, None, rows, np.arange(0), np.arange(50))
    made = synthesise(inputs, model, settings_, n=7, seed=1)
    assert made.parent.tolist() == [-1] * 7
    assert len(made.features) == 7
    torch.testing.assert_close(sample_prior(model, 7, stream(3)), sample_prior(model, 7, stream(3)))


@pytest.mark.parametrize("plausibility", ["matched", "filtered", "none"])
@pytest.mark.parametrize("weights", ["uniform", "tilted"])
def test_synthesis_names_the_parent_of_each_row(weights, plausibility):
    encoding, rows, model, settings_ = untrained(mixed(120), exemplar_weights=weights, plausibility=plausibility)
    inputs = GeneratorInputs(encoding, rows[:100], rows[100:], np.arange(100), np.arange(100, 120))
    made, again = (synthesise(inputs, model, settings_, n=60, seed=1) for _ in range(2))
    assert made.parent.min() >= 0
    assert made.parent.max() < 100
    assert len(made.features) == 60
    assert (weights, plausibility) != ("uniform", "none") or len(set(made.parent)) == 60
    pd.testing.assert_frame_equal(made.features, again.features)
    np.testing.assert_array_equal(made.parent, again.parent)
