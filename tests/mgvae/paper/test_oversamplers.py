"""Oversamplers: each fills every rare class up, knows its parents, and makes rows of the right class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from imblearn.over_sampling import SMOTE

import mgvae.paper.oversamplers.fine_tuning
import mgvae.training.loops
from mgvae.paper.classifier import MEASURES, Fitting
from mgvae.paper.datasets.load import load
from mgvae.paper.datasets.rows import Rows
from mgvae.paper.experiment import ARMS, FROM_MAJORITY, run_seed, settings_for
from mgvae.paper.models.convolution import Block
from mgvae.paper.models.pixel_models import Size
from mgvae.paper.oversamplers.fine_tuning import Plan, class_model, plain_vae, pretrained
from mgvae.paper.oversamplers.judged_translation import anchored, free, translations
from mgvae.paper.oversamplers.rivals import conditional_vae, gan, random_oversampling, smote
from mgvae.paper.oversamplers.task import Task
from mgvae.training.descent import Descent
from mgvae.training.exemplars import ExemplarSchedule
from tests.mgvae.paper.layouts import celeba

SIDE = 6
SIZE = Size(latent_dim=3, hidden=(32, 32))


def task(*, table=False, seed=0, counts=(60, 50, 5, 7)):
    """Return four classes of bars: row 0 or row 1 of a square is lit (the majority), or row 3 or row 4 (the minority)."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.cat([torch.full((count,), label) for label, count in enumerate(counts)])
    pictures = 0.2 * torch.rand(len(labels), SIDE, SIDE, generator=generator)
    pictures[torch.arange(len(labels)), torch.tensor([0, 1, 3, 4])[labels]] += 0.7
    flat = pictures.flatten(1)
    rows = Rows(flat if table else (255 * flat).to(torch.uint8), labels)
    return Task(rows, 4, (0, 1), (2, 3), seed, None if table else (1, SIDE, SIDE))


def plan(steps=200, epochs=60):
    training = settings_for(load("digits", None)).plan.training.model_copy(update={"pretrain_epochs": epochs})
    return Plan(SIZE, training, steps=steps)


def lit(rows):
    """Return which row of each picture is the brightest."""
    return rows.scaled().reshape(-1, SIDE, SIDE).mean(2).argmax(1)


def makers(steps, how):
    """Return every oversampler by name; ``steps`` are those of the generators that are told the class."""
    return {
        "random oversampling": random_oversampling,
        "SMOTE": smote,
        "conditional VAE": lambda one: conditional_vae(one, SIZE, steps),
        "GAN": lambda one: gan(one, SIZE, steps),
        "VAE": lambda one: plain_vae(one, how),
        "from scratch": lambda one: translations(one, free(one, how, None)),
        "no EWC": lambda one: translations(one, free(one, how, pretrained(one, how))),
        # of so small a picture the training rows serve as validation rows
        "MGVAE": lambda one: translations(one, anchored(one, how, pretrained(one, how), one.train, Fitting(steps=200))),
    }


MAKERS = makers(1500, plan())
TRAINED = ("conditional VAE", "GAN", "MGVAE")  # for seconds each, and with half of the steps they do not yet tell the classes
BRIEF = makers(20, plan(steps=3, epochs=2))


@pytest.mark.parametrize("table", [False, True])
@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in TRAINED)) for name in MAKERS])
def test_rare_classes_are_filled_up_with_rows_of_their_kind(name, table):
    one = task(table=table)
    made = MAKERS[name](one)
    assert made.rows.counts(4) == (0, 0, 55, 53)
    assert made.rows.values.dtype == one.train.values.dtype
    assert len(made.parents) == len(made.rows)
    right = lit(made.rows) == torch.tensor([-1, -1, 3, 4])[made.rows.labels]
    assert float(right.double().mean()) > 0.9


@pytest.mark.parametrize("name", ["from scratch", "no EWC", "MGVAE"])
def test_parents_of_translations_are_of_the_majority(name):
    one = task()
    made = BRIEF[name](one)
    assert set(one.train.labels[made.parents].tolist()) == {0, 1}


def test_exemplars_are_drawn_again_once_enough_steps_are_done(monkeypatch):
    at, steps = [], []
    draw, step = ExemplarSchedule.draw, Descent.step
    monkeypatch.setattr(ExemplarSchedule, "draw", lambda *args: at.append(len(steps)) or draw(*args))
    monkeypatch.setattr(Descent, "step", lambda *args: steps.append(1) or step(*args))
    monkeypatch.setattr(mgvae.paper.oversamplers.fine_tuning, "PRIOR_STEPS", 6)
    class_model(task(counts=(60, 50, 40, 7)), plan(steps=15), None, 2)
    assert at == [0, 6, 12]  # three steps of 16 rows or fewer an epoch


def test_copies_are_copies_of_their_parents():
    one = task()
    made = random_oversampling(one)
    assert torch.equal(made.rows.values, one.train.values[made.parents])
    assert torch.equal(made.rows.labels, one.train.labels[made.parents])


def test_smote_stays_on_lines_between_rare_rows():
    one = task(table=True)
    own = one.train.take(one.train.positions(2)).values.double()
    made = smote(one).rows
    for row in made.take(made.positions(2)).values.double()[:20]:
        ends = [(a, b) for a in range(len(own)) for b in range(len(own)) if a != b and _off_line(row, own[a], own[b]) < 1e-5]
        assert ends


def _off_line(row, one, other):
    way = other - one
    share = ((row - one) @ way / (way @ way)).clamp(0, 1)
    return float((row - one - share * way).norm())


def test_smote_is_that_of_imbalanced_learn():
    one = task(table=True, counts=(60, 50, 20))
    one = replace(one, classes=3, majority=(0, 1), minority=(2,))
    made = smote(one).rows.values
    grown, labels = SMOTE(random_state=0).fit_resample(one.train.values.numpy(), one.train.labels.numpy())
    ours, theirs = made.numpy(), grown[len(one.train) :][labels[len(one.train) :] == 2]
    assert len(ours) == len(theirs)
    np.testing.assert_allclose(ours.mean(0), theirs.mean(0), atol=0.05)  # other draws, the same distribution


def test_a_class_of_one_row_is_given_copies():
    one = task(counts=(60, 50, 1, 7))
    made = smote(one)
    assert torch.equal(made.rows.take(made.rows.positions(2)).values.unique(dim=0), one.train.values[one.train.positions(2)])


@pytest.mark.parametrize("name", ["random oversampling", "SMOTE", "conditional VAE", "GAN", "VAE", "MGVAE"])
def test_the_same_seed_makes_the_same_rows_and_leaves_the_global_stream_alone(name):
    before = torch.random.get_rng_state()
    one, same = BRIEF[name](task()), BRIEF[name](task())
    assert torch.equal(one.rows.values, same.rows.values)
    assert torch.equal(one.parents, same.parents)
    assert torch.equal(before, torch.random.get_rng_state())


def brief(settings):
    """Return settings with so few steps that only the ways through the code are of interest."""
    training = settings.plan.training.model_copy(update={"pretrain_epochs": 2})
    plan = replace(settings.plan, training=training, steps=5)
    return replace(settings, plan=plan, rival_steps=20, fitting=Fitting(steps=300), restarts=1)


@pytest.mark.slow
def test_celeba_goes_through_convolutional_models(tmp_path, monkeypatch):
    monkeypatch.setattr("mgvae.paper.oversamplers.judged_translation.ROUNDS", 1)
    data = load("celeba", celeba(tmp_path / "celeba", each=(40, 12, 12, 12, 12)), quick=True)
    settings = brief(settings_for(data, quick=True))
    settings = replace(
        settings,
        plan=replace(settings.plan, steps=1, size=Size(latent_dim=4, channels=4), lambdas=(1.0,)),
        rival_steps=2,
        fitting=Fitting(steps=20),
    )
    convolved = set()
    forward = Block.forward
    monkeypatch.setattr(Block, "forward", lambda block, maps: convolved.add(arm) or forward(block, maps))
    arms = ("smote", "conditional_vae", "gan", "vae", "mgvae")
    for arm in arms:
        ((outcome, made),) = run_seed(data, settings, seed=0, arms=(arm,))
        assert outcome.synthetic == 4 * (20 - 6)  # each of four rare classes has 6 training images, black hair 20
        assert made.rows.values.shape == (56, 3 * 64 * 64)
        assert made.rows.values.dtype == torch.uint8
        assert set(made.rows.labels.tolist()) == {1, 2, 3, 4}
    assert set(data.train.labels[made.parents].tolist()) == {0}
    assert convolved == set(arms) - {"smote"}


@pytest.mark.slow
def test_every_arm_of_an_experiment_yields_its_measures_and_costs(monkeypatch):
    monkeypatch.setattr("mgvae.paper.oversamplers.judged_translation.ROUNDS", 1)
    data = load("digits", None, quick=True)
    settings = brief(settings_for(data, quick=True))
    started = []
    outcomes = [outcome for outcome, _ in run_seed(data, settings, seed=0, on_start=started.append)]
    assert tuple(started) == tuple(outcome.arm for outcome in outcomes) == tuple(ARMS)
    for outcome in outcomes:
        assert set(outcome.measures) == set(MEASURES)
        assert outcome.measures["balanced_accuracy"] > 0.7
        assert ("pretrain" in outcome.costs) == (outcome.arm in FROM_MAJORITY)
    by_arm = {outcome.arm: outcome for outcome in outcomes}
    assert by_arm["mgvae"].costs["pretrain"] is by_arm["mgvae_no_ewc"].costs["pretrain"]
    assert by_arm["mgvae"].costs["pretrain"] is not by_arm["mgvae_no_leave_one_out"].costs["pretrain"]
    assert by_arm["smote"].by_lambda == {}
    for arm, lambdas in (("mgvae_no_pretraining", {0.0}), ("mgvae_no_ewc", {0.0}), ("mgvae", {0.0, 10.0})):
        counts = by_arm[arm].by_lambda
        assert set(counts) == set(data.minority)
        assert sum(sum(of_class.values()) for of_class in counts.values()) == by_arm[arm].synthetic
        assert set().union(*counts.values()) <= lambdas
    assert by_arm["erm"].synthetic == 0 < by_arm["mgvae"].synthetic == by_arm["smote"].synthetic
