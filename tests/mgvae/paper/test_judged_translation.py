"""Translation at several strengths of EWC: what is kept, what is turned down, and what becomes of the parents' details."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from mgvae.generator.translation import translate
from mgvae.paper.classifier import Fitting
from mgvae.paper.oversamplers.fine_tuning import pretrained
from mgvae.paper.oversamplers.judged_translation import Translator, anchored, details, free, translations
from tests.mgvae.paper.test_oversamplers import lit, plan, task

RARE = 2
MOST = 1e6  # so strong a pull leaves rows of the majority as they were


class Says(nn.Module):
    """A judge that gives the same class to every row."""

    def __init__(self, label):
        super().__init__()
        self.label = label

    def forward(self, rows):
        out = torch.zeros(len(rows), 4)
        out[:, self.label] = 1.0
        return out


class Looks(nn.Module):
    """A judge that sees which row of the picture is the brightest."""

    def forward(self, rows):
        return rows.reshape(len(rows), 6, 6).mean(2)[:, [0, 1, 3, 4]]


@pytest.fixture(scope="module")
def begun():
    one = task()
    return one, pretrained(one, plan())


@pytest.fixture(scope="module")
def translators(begun):
    one, start = begun
    return anchored(one, replace(plan(), lambdas=(MOST, 1.0)), start, one.train, Fitting(steps=200))


def draws(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.slow
def test_every_class_has_a_model_for_each_lambda_and_one_without_the_weakest_first(translators):
    assert list(translators) == [2, 3]
    for label, one in translators.items():
        assert one.label == label
        assert list(one.models) == [0.0, 1.0, MOST]


def test_what_is_not_taken_for_its_class_is_not_kept(begun, translators):
    one, _ = begun
    found = {label: replace(each, judge=Looks()) for label, each in translators.items()}
    made = translations(one, found, count=300)
    assert made.rows.counts(4) == (0, 0, 300, 300)
    assert torch.equal(lit(made.rows), torch.tensor([-1, -1, 3, 4])[made.rows.labels])
    assert set(made.ewc_lambda.tolist()) == {0.0, 1.0}  # with so much EWC none is of its class
    assert set(one.train.labels[made.parents].tolist()) == {0, 1}


def test_without_a_judge_all_lambdas_make_equally_many(begun, translators):
    one, _ = begun
    made = translations(one, {RARE: replace(translators[RARE], judge=None)}, count=30)
    assert torch.unique(made.ewc_lambda, return_counts=True)[1].tolist() == [10, 10, 10]
    still = lit(made.rows) == one.train.labels[made.parents]
    assert bool(still[made.ewc_lambda == MOST].all())


def test_a_class_whose_translations_are_all_turned_down_is_filled_up_without_ewc(begun, translators):
    one, _ = begun
    made = translations(one, {RARE: replace(translators[RARE], judge=Says(0))}, count=25)
    assert made.rows.counts(4) == (0, 0, 25, 0)
    assert set(made.ewc_lambda.tolist()) == {0.0}


def test_the_judge_that_is_fitted_turns_relabelled_majority_rows_down(begun, translators):
    one, _ = begun
    made = translations(one, translators, count=200)
    assert (made.ewc_lambda == MOST).double().mean() < 0.05
    assert (lit(made.rows) == torch.tensor([-1, -1, 3, 4])[made.rows.labels]).double().mean() > 0.95


def test_of_a_reference_any_translation_that_is_taken_may_be_shown(begun, translators):
    one, _ = begun
    each = replace(translators[RARE], judge=Looks())
    parents = one.train.take(one.of_majority[:1]).take(torch.zeros(200, dtype=torch.long))  # the same one again and again
    rows, seed = each.one_each(parents, draws()), draws()
    state = seed.get_state()
    made = []
    for model in each.models.values():
        seed.set_state(state)
        made.append((each.translated(model, parents.scaled(), seed).clamp(0, 1) * 255).round().to(torch.uint8))
    shown = torch.stack([(rows == by_model).all(1) for by_model in made])
    taken = torch.stack([each.taken(by_model) for by_model in made])
    taken[0] |= ~taken.any(0)
    assert bool((shown & taken).any(0).all())
    assert not bool(taken[2].any())  # so much EWC leaves the parent as it was
    assert 60 < int((shown[0] & taken[0] & taken[1]).sum()) < 140  # either of two as often


def test_a_reference_whose_translations_are_all_turned_down_is_shown_without_ewc(begun, translators):
    one, _ = begun
    parents, each = one.train.take(one.of_majority[:20]), translators[RARE]
    first = replace(each, models={0.0: each.models[0.0]}, judge=None)
    assert torch.equal(replace(each, judge=Says(0)).one_each(parents, draws()), first.one_each(parents, draws()))


def test_details_are_what_the_model_leaves_unexplained(begun, monkeypatch):
    one, start = begun
    rows = one.train.take(one.of_majority).scaled()
    rest = details(start.model, rows)
    explained = start.model.decoder.sample(start.model.encoder(rows)[0], draws())
    torch.testing.assert_close(rest + explained, rows)
    monkeypatch.setattr(start.model, "at_once", 7)
    torch.testing.assert_close(details(start.model, rows), rest)
    assert details(start.model, rows[:0]).shape == (0, 36)


def test_a_model_that_was_not_moved_gives_parents_back(begun):
    """With no noise in the codes, a translation by the pre-trained model is the parent itself."""
    one, start = begun
    model = pretrained(one, plan(epochs=2)).model
    with torch.no_grad():
        model.prior_log_var.fill_(-60.0)
    rows = one.train.take(one.of_majority).scaled()
    same = Translator(RARE, {0.0: model}, model).translated(model, rows, draws())
    torch.testing.assert_close(same, rows)
    assert not torch.allclose(translate(model, rows, draws()), rows, atol=0.01)
    assert start.model is not model


def test_details_are_kept_where_there_is_a_model_to_keep_them_by(begun):
    one, start = begun
    brief = plan(steps=3)
    assert free(one, brief, None)[RARE].before is None
    assert free(one, brief, start, keep_details=False)[RARE].before is None
    assert free(one, brief, start)[RARE].before is start.model
    assert anchored(one, brief, start, one.train, Fitting(steps=5), keep_details=False)[RARE].before is None


def test_the_same_seed_makes_the_same(begun):
    one, start = begun
    brief = plan(steps=20)
    first, again = (translations(one, anchored(one, brief, start, one.train, Fitting(steps=20)), count=40) for _ in range(2))
    assert torch.equal(first.rows.values, again.rows.values)
    assert torch.equal(first.ewc_lambda, again.ewc_lambda)
    assert torch.equal(first.parents, again.parents)
