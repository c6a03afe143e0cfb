"""Fine-tuning: EWC pulls towards the anchor, settings are heeded, the end comes where the held-out ELBO falls."""

from __future__ import annotations

import copy

import pytest
import torch

from mgvae.errors import TrainingError
from mgvae.training.anchor import anchor_at
from mgvae.training.descent import Descent
from mgvae.training.early_stopping import heldout_elbo
from mgvae.training.exemplars import ExemplarSchedule
from mgvae.training.loops import FinetunePlan, cases_a_step, finetune, pretrain
from tests.mgvae.small_cohort import quick
from tests.mgvae.training.test_loops import by_epoch, same, start, state


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


@pytest.mark.parametrize(("cases", "size"), [(1, 16), (20, 16), (64, 16), (100, 25), (1000, 64)])
def test_a_step_of_fine_tuning_takes_a_quarter_of_few_cases(cases, size):
    assert cases_a_step(cases, quick(batch_size=64)) == size


def test_no_cases(pretrained):
    model, rows, settings, anchor = pretrained
    with pytest.raises(TrainingError, match="at least one case; got none"):
        finetune(model, rows[:0], ExemplarSchedule(rows, settings), settings, FinetunePlan(anchor, 1.0, 1, seed=0))
