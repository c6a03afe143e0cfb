"""Training: same seed same bytes, the objective rises on rows not trained on, EWC holds, errors say what to do."""

from __future__ import annotations

import copy
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
from mgvae.training.anchor import anchor_at
from mgvae.training.descent import Descent
from mgvae.training.early_stopping import heldout_elbo
from mgvae.training.exemplars import ExemplarSchedule
from mgvae.training.loops import FinetunePlan, cases_a_step, finetune, most_epochs, pretrain
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


@pytest.mark.parametrize(("cases", "size"), [(1, 16), (20, 16), (64, 16), (100, 25), (1000, 64)])
def test_a_step_of_fine_tuning_takes_a_quarter_of_few_cases(cases, size):
    assert cases_a_step(cases, quick(batch_size=64)) == size


def test_held_out_elbo_draws_the_same_noise_each_time():
    model, rows, heldout, _ = start()
    means = model.exemplar_means(rows)
    assert heldout_elbo(model, heldout, means, seed=3) == heldout_elbo(model, heldout, means, seed=3)
    assert heldout_elbo(model, heldout, means, seed=3) != heldout_elbo(model, heldout, means, seed=4)


@pytest.fixture(scope="module")
def pretrained():
    model, rows, heldout, settings = start()
    pretrain(model, rows, heldout, settings, seed=1)
    return model, rows, settings, anchor_at(model, rows, settings, seed=1)


def moved(pretrained, *, ewc_lambda, epochs=20, anchored=True, plain=False, **options):
    model, rows, settings, anchor = pretrained
    model = copy.deepcopy(model)
    cases = rows[:20].clone()
    cases[:, 0] = 2.5  # cases are old
    settings = settings.model_copy(update=options)
    exemplars = None if plain else ExemplarSchedule(rows, settings)
    plan = FinetunePlan(anchor if anchored else None, ewc_lambda, epochs, seed=2)
    history = finetune(model, cases, exemplars, settings, plan, heldout=rows[20:30])
    return model, history


def distance(model, anchor):
    now = state(model)
    return sum((fisher * (now[name] - anchor.parameters[name]).square()).sum().item() for name, fisher in anchor.fisher.items())


def test_the_anchor_is_where_the_model_stands(pretrained):
    model, _, _, anchor = pretrained
    assert same(anchor.parameters, state(model))
    assert set(anchor.fisher) == set(anchor.parameters)
    flat = torch.cat([value.flatten() for value in anchor.fisher.values()])
    assert flat.min() >= 0
    assert flat.mean().item() == pytest.approx(1, abs=1e-3)


def test_the_more_ewc_the_closer_to_the_anchor(pretrained):
    anchor = pretrained[3]
    distances = [distance(moved(pretrained, ewc_lambda=weight)[0], anchor) for weight in (0.0, 1.0, 100.0, 1e6)]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 1e-3 * distances[0]


def test_a_huge_lambda_leaves_the_model_as_it_was(pretrained):
    held, _ = moved(pretrained, ewc_lambda=1e6)
    free, _ = moved(pretrained, ewc_lambda=0.0)
    rows = pretrained[1]
    with torch.no_grad():
        before, stayed, left = (model.encoder(rows)[0] for model in (pretrained[0], held, free))
    assert (stayed - before).square().mean() < 0.02 * (left - before).square().mean()


def test_lambda_zero_is_no_anchor(pretrained):
    assert same(state(moved(pretrained, ewc_lambda=0.0)[0]), state(moved(pretrained, ewc_lambda=0.0, anchored=False)[0]))


def test_fine_tuning_raises_the_elbo_of_the_cases(pretrained):
    _, history = moved(pretrained, ewc_lambda=0.0, epochs=60, finetune_patience=60)
    assert history.epochs[-1].train_elbo > history.epochs[0].train_elbo + 0.5
    assert history.best_epoch == len(history.epochs) == 60
    assert history.heldout_elbo == history.epochs[-1].heldout_elbo


@pytest.mark.parametrize("options", [{"plain": True}, {"exemplar_weights": "uniform"}, {"exemplars": 40}], ids=str)
def test_fine_tuning_is_repeatable(pretrained, options):
    first, again = (moved(pretrained, ewc_lambda=1.0, epochs=3, **options)[0] for _ in range(2))
    assert same(state(first), state(again))
    assert not same(state(first), state(pretrained[0]))


def test_fine_tuning_stops_once_the_held_out_elbo_falls(pretrained):
    _, history = moved(pretrained, ewc_lambda=0.0, epochs=500, finetune_patience=4, finetune_learning_rate=1e-2)
    scores = [record.heldout_elbo for record in history.epochs]
    assert len(scores) < 500
    assert scores.index(max(scores)) == len(scores) - 5


def test_fine_tuning_records_the_elbo_of_the_rows_held_out(pretrained):
    model, history = moved(pretrained, ewc_lambda=0.0, epochs=3, plain=True)
    assert history.heldout_elbo == pytest.approx(heldout_elbo(model, pretrained[1][20:30], None, seed=2), abs=1e-4)


def test_each_phase_has_a_learning_rate_of_its_own(pretrained):
    def both(**rate):
        return by_epoch(pretrain_epochs=1, **rate)[2][0], state(moved(pretrained, ewc_lambda=0.0, epochs=1, **rate)[0])

    usual, first, second = both(), both(learning_rate=1e-2), both(finetune_learning_rate=1e-2)
    assert not same(usual[0], first[0])
    assert same(usual[1], first[1])
    assert same(usual[0], second[0])
    assert not same(usual[1], second[1])


@pytest.mark.parametrize(
    "changes", [{"exemplar_weights": "uniform"}, {"exemplars": 40}, {"batch_size": 8, "exemplars": "all"}], ids=str
)
def test_fine_tuning_heeds_its_settings(pretrained, changes):
    usual = {"exemplar_weights": "tilted", "exemplars": "all", "batch_size": 64}
    one, other = (moved(pretrained, ewc_lambda=1.0, epochs=2, **options)[0] for options in (usual, usual | changes))
    assert not same(state(one), state(other))


@pytest.mark.parametrize("changes", [{"leave_one_out": False}, {"exemplars": 40}], ids=str)
def test_the_anchor_heeds_its_settings(pretrained, changes):
    model, rows, settings, anchor = pretrained
    other = anchor_at(model, rows, settings.model_copy(update=changes), seed=1)
    assert same(anchor.parameters, other.parameters)
    assert not same(anchor.fisher, other.fisher)


def test_exemplars_are_drawn_again_after_each_epoch(pretrained, monkeypatch):
    model, rows, settings, _ = pretrained
    at, steps = [], []
    draw, step = ExemplarSchedule.draw, Descent.step
    monkeypatch.setattr(ExemplarSchedule, "draw", lambda *args: at.append(len(steps)) or draw(*args))
    monkeypatch.setattr(Descent, "step", lambda *args: steps.append(1) or step(*args))
    exemplars = ExemplarSchedule(rows, settings)
    finetune(copy.deepcopy(model), rows[:40], exemplars, settings, FinetunePlan(None, 0.0, 3, seed=2))
    assert at == [0, 3, 6, 9]  # three steps of 16 rows or fewer an epoch


@pytest.mark.parametrize(("rows", "heldout"), [(1, 5), (20, 0)])
def test_too_few_majority_rows(rows, heldout):
    model, majority, other, settings = start()
    with pytest.raises(TrainingError, match=rf"2 majority rows and 1 held out at least; got {rows} and {heldout}"):
        pretrain(model, majority[:rows], other[:heldout], settings, seed=0)


def test_no_cases(pretrained):
    model, rows, settings, anchor = pretrained
    with pytest.raises(TrainingError, match="at least one case; got none"):
        finetune(model, rows[:0], ExemplarSchedule(rows, settings), settings, FinetunePlan(anchor, 1.0, 1, seed=0))


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
