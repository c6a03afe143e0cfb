"""Pre-training: same seed same bytes, the objective rises on rows not trained on, errors say what to do."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

import mgvae.training.loops
from mgvae.errors import TrainingError
from mgvae.generator.synthesis import encoded, new_model, pretrain_majority
from mgvae.model.chosen_rows import ChosenRows
from mgvae.model.encoding import fit_encoding
from mgvae.model.exemplar_mixture import Exemplars
from mgvae.model.objective import elbo
from mgvae.training.early_stopping import heldout_elbo
from mgvae.training.loops import most_epochs, pretrain
from mgvae.training.loss import Loss
from tests.mgvae.small_cohort import COLUMNS, mixed, quick


def start(n=300, *, seed=0, **changes):
    """Return an untrained model, its rows, rows held out, and settings."""
    settings = quick(**changes)
    frame = mixed(n)
    encoding = fit_encoding(frame, COLUMNS)
    rows = encoded(encoding, frame, settings)
    return new_model(encoding, rows, settings, seed=seed), rows[: n * 4 // 5], rows[n * 4 // 5 :], settings


def state(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def trained(seed, **changes):
    model, rows, heldout, settings = start(**changes)
    return state(model), pretrain(model, rows, heldout, settings, seed=seed), state(model)


def test_same_seed_same_bytes_and_another_seed_others():
    first, again, other = (trained(seed)[2] for seed in (5, 5, 6))
    assert same(first, again)
    assert not same(first, other)


@pytest.mark.parametrize("exemplars", [50, "all"])
def test_rows_that_are_gathered_train_the_model_of_a_copy(exemplars):
    model, rows, heldout, settings = start(pretrain_epochs=3, exemplars=exemplars)
    other, table = start(pretrain_epochs=3, exemplars=exemplars)[0], torch.cat([rows, heldout])
    order = torch.randperm(len(table), generator=torch.Generator().manual_seed(1))
    mixed_up, back = table[order], torch.argsort(order)
    histories = [
        pretrain(model, rows, heldout, settings, seed=1),
        pretrain(other, ChosenRows(mixed_up, back[: len(rows)]), ChosenRows(mixed_up, back[len(rows) :]), settings, seed=1),
    ]
    assert same(state(model), state(other))
    assert histories[0].epochs == histories[1].epochs


def test_no_more_rows_are_gathered_at_a_time_than_a_step_needs(monkeypatch):
    most, gathered = 64, []
    for place in ("mgvae.model.network.AT_ONCE", "mgvae.model.likelihood.COUNTED", "mgvae.training.anchor.FISHER_ROWS"):
        monkeypatch.setattr(place, most)
    monkeypatch.setattr("mgvae.training.early_stopping.HELDOUT_CODES", most)
    select = torch.Tensor.index_select

    def noted(table, dim, at):
        if dim == 0 and table.ndim == 2 and len(table) == 500:
            gathered.append(len(at))
        return select(table, dim, at)

    monkeypatch.setattr(torch.Tensor, "index_select", noted)
    frame, settings = mixed(500), quick(pretrain_epochs=1, batch_size=most, exemplars="all")
    encoding = fit_encoding(frame, COLUMNS)
    pretrain_majority(encoding, encoded(encoding, frame, settings), np.arange(500), settings, seed=1)
    assert sum(gathered) > 5 * 400  # steps, exemplars three times, and base rates
    assert max(gathered) <= most


def test_the_global_stream_does_not_matter():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        first = trained(5, pretrain_epochs=2)[2]
        torch.manual_seed(2)
        assert same(first, trained(5, pretrain_epochs=2)[2])


@pytest.mark.parametrize("changes", [{}, {"exemplars": 50}, {"leave_one_out": False}, {"warmup_fraction": 0.0}], ids=str)
def test_pretraining_raises_the_held_out_elbo_of_the_start(changes):
    model, rows, heldout, settings = start(**changes)
    before = heldout_elbo(model, heldout, model.exemplar_means(rows), seed=1)
    history = pretrain(model, rows, heldout, settings, seed=1)
    assert history.heldout_elbo > before + 1.0
    assert 1 <= history.best_epoch <= len(history.epochs) <= settings.pretrain_epochs
    best = max(record.heldout_elbo for record in history.epochs[2:])
    assert history.epochs[history.best_epoch - 1].heldout_elbo == best
    assert history.heldout_elbo == pytest.approx(best, abs=0.5)  # the means of an epoch are a little older
    assert history.epochs[-1].train_elbo == pytest.approx(best, abs=3)


def by_epoch(*args, **changes):
    """Return the model, its history and the parameters after each epoch of pre-training."""
    model, rows, heldout, settings = start(*args, **changes)
    states = []
    history = pretrain(model, rows, heldout, settings, seed=1, on_epoch=lambda *_: states.append(state(model)))
    return model, history, states


@pytest.mark.parametrize("changes", [{}, {"exemplars": 20}], ids=str)
def test_the_best_epochs_parameters_are_kept(changes):
    model, history, states = by_epoch(60, pretrain_epochs=400, patience=5, learning_rate=1e-2, **changes)
    assert history.best_epoch == len(states) - 5
    assert same(state(model), states[history.best_epoch - 1])
    assert not same(state(model), states[-1])


@pytest.mark.parametrize("exemplars", ["all", 40])
def test_pretraining_heeds_whether_a_row_is_left_out_of_its_own_prior(exemplars):
    one, other = (by_epoch(60, pretrain_epochs=1, exemplars=exemplars, leave_one_out=out)[2][0] for out in (True, False))
    assert not same(one, other)


def test_exemplars_of_pretraining_are_drawn_anew_each_epoch(monkeypatch):
    drawn = []
    draw = mgvae.training.loops.draw_carriers

    def recorded(*args):
        carriers, position = draw(*args)
        drawn.append((carriers.clone(), position.clone()))
        return carriers, position

    monkeypatch.setattr(mgvae.training.loops, "draw_carriers", recorded)
    by_epoch(60, pretrain_epochs=3, exemplars=20)
    assert len({tuple(sorted(carriers.tolist())) for carriers, _ in drawn}) == 4
    for carriers, position in drawn:
        assert torch.equal(position[carriers], torch.arange(20))
        assert (position >= 0).sum() == 20


@pytest.mark.parametrize("exemplars", [30, 48])
def test_a_step_renews_the_means_of_its_own_exemplars_alone(exemplars):
    model, rows, _, _ = start(60)
    position = torch.full((48,), -1)
    position[48 - exemplars :] = torch.arange(exemplars)
    cache = Exemplars(torch.zeros(exemplars, 3))
    at = torch.arange(10, 40)
    noise = torch.randn(30, 3, generator=torch.Generator().manual_seed(0))
    Loss(model, 1e-3).of_majority(rows[at], cache, position[at], noise, position[at], torch.ones(()))
    expected = torch.zeros(exemplars, 3)
    inside = at[position[at] >= 0]
    expected[position[inside]] = model.exemplar_means(rows[inside])
    torch.testing.assert_close(cache.means, expected)


def test_the_held_out_elbo_returned_is_that_of_the_model_returned():
    model, rows, heldout, settings = start(60, pretrain_epochs=400, patience=5, learning_rate=1e-2)
    history = pretrain(model, rows, heldout, settings, seed=1)
    assert heldout_elbo(model, heldout, model.exemplar_means(rows), seed=1) == pytest.approx(history.heldout_elbo, abs=1e-6)


def test_early_stopping_watches_the_rows_held_out():
    model, rows, heldout, settings = start(60, pretrain_epochs=1, learning_rate=1e-7)
    (epoch,) = pretrain(model, rows, heldout, settings, seed=1).epochs
    watched, trained_on = (heldout_elbo(model, part, model.exemplar_means(rows), seed=1) for part in (heldout, rows))
    assert epoch.heldout_elbo == pytest.approx(watched, abs=1e-2)
    assert abs(watched - trained_on) > 0.1


def test_the_kl_weighs_less_in_early_epochs():
    def kl(share):
        model, rows, heldout, _ = start()
        model.load_state_dict(by_epoch(pretrain_epochs=10, warmup_fraction=share)[2][4])
        noise = torch.randn(len(heldout), model.latent_dim, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            return elbo(model, heldout, model.exemplar_means(rows), noise).kl.mean().item()

    assert kl(0.9) > kl(0.0) + 0.2


def test_the_learning_rate_falls_to_nothing_by_the_last_step():
    _, _, states = by_epoch(pretrain_epochs=12, patience=100)
    steps = [
        sum((after[name] - before[name]).square().sum() for name in after).sqrt().item() for before, after in pairwise(states)
    ]
    assert steps[-1] < 0.05 * steps[0]
    assert steps[5] > 0.2 * steps[0]


def test_the_held_out_elbo_is_the_mean_over_rows_and_draws():
    model, rows, heldout, _ = start()
    means = model.exemplar_means(rows)
    with torch.no_grad():
        draws = torch.Generator().manual_seed(0)
        one = [elbo(model, heldout, means, torch.randn(len(heldout), 3, generator=draws)).total.mean().item() for _ in range(8)]
    assert heldout_elbo(model, heldout, means, seed=3) == pytest.approx(sum(one) / 8, abs=0.5)
    assert abs(sum(one) / 8) > 5


def test_pretraining_stops_once_the_held_out_elbo_falls():
    model, rows, heldout, settings = start(60, pretrain_epochs=400, patience=5, learning_rate=1e-2)
    seen = []
    history = pretrain(model, rows, heldout, settings, seed=1, on_epoch=lambda *record: seen.append(record))
    assert len(history.epochs) == history.best_epoch + 5 < 400
    assert seen == [(record.epoch, 400, record.heldout_elbo) for record in history.epochs]


def test_no_epoch_counts_before_the_kl_has_its_full_weight():
    model, rows, heldout, settings = start(pretrain_epochs=10, warmup_fraction=0.9)
    assert pretrain(model, rows, heldout, settings, seed=1).best_epoch >= 9


@pytest.mark.parametrize(("rows", "batch", "epochs"), [(2500, 100, 80), (10**7, 100, 10), (50, 100, 200), (250_000, 250, 10)])
def test_automatic_number_of_epochs(rows, batch, epochs):
    assert most_epochs(rows, quick(pretrain_epochs="auto", batch_size=batch)) == epochs
    assert most_epochs(rows, quick(pretrain_epochs=7, batch_size=batch)) == 7


def test_held_out_elbo_draws_the_same_noise_each_time():
    model, rows, heldout, _ = start()
    means = model.exemplar_means(rows)
    assert heldout_elbo(model, heldout, means, seed=3) == heldout_elbo(model, heldout, means, seed=3)
    assert heldout_elbo(model, heldout, means, seed=3) != heldout_elbo(model, heldout, means, seed=4)


@pytest.mark.parametrize(("rows", "heldout"), [(1, 5), (20, 0)])
def test_too_few_majority_rows(rows, heldout):
    model, majority, other, settings = start()
    with pytest.raises(TrainingError, match=rf"2 majority rows and 1 held out at least; got {rows} and {heldout}"):
        pretrain(model, majority[:rows], other[:heldout], settings, seed=0)


def test_an_objective_that_is_not_finite_names_the_remedy():
    model, rows, heldout, settings = start()
    rows = rows.clone()
    rows[0, 0] = float("nan")
    with pytest.raises(TrainingError, match=r"no longer finite. Lower training.learning_rate"):
        pretrain(model, rows, heldout, settings, seed=0)


def test_two_rows_are_enough():
    model, rows, heldout, settings = start()
    history = pretrain(model, rows[:2], heldout[:1], settings, seed=0)
    assert history.heldout_elbo is not None
