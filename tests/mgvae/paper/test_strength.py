"""How strongly EWC holds: the largest lambda that a judge finds plausible, the smallest where it finds none."""

from __future__ import annotations

import pytest
import torch
from test_oversamplers import plan, task
from torch import nn

from mgvae.paper import strength
from mgvae.paper.classifier import Fitting
from mgvae.paper.strength import LAMBDAS, held_model, held_models, judge_of
from mgvae.paper.translated import class_model, pretrained

RARE = 2


class Says(nn.Module):
    """A judge that gives the same class to every row."""

    def __init__(self, label):
        super().__init__()
        self.label = label

    def forward(self, rows):
        out = torch.zeros(len(rows), 4)
        out[:, self.label] = 1.0
        return out


@pytest.fixture(scope="module")
def begun():
    one = task()
    return one, pretrained(one, plan())


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_a_judge_who_takes_everything_leaves_the_largest_lambda(begun):
    one, start = begun
    held = held_model(one, plan(), start, RARE, Says(RARE))
    assert held.ewc_lambda == max(LAMBDAS)
    assert held.plausible == {max(LAMBDAS): 1.0}
    assert same(held.model, class_model(one, plan(), start, RARE, ewc_lambda=max(LAMBDAS)))


def test_a_judge_who_takes_nothing_leaves_the_smallest(begun, monkeypatch):
    monkeypatch.setattr(strength, "LAMBDAS", (3.0, 1.0))
    one, start = begun
    held = held_model(one, plan(), start, RARE, Says(0))
    assert held.ewc_lambda == 1.0
    assert held.plausible == {3.0: 0.0, 1.0: 0.0}


def test_a_lambda_that_keeps_majority_rows_as_they_are_is_passed_over(begun, monkeypatch):
    one, start = begun
    monkeypatch.setattr(strength, "LAMBDAS", (1e6, 1.0))
    monkeypatch.setattr(strength, "PLAUSIBLE", 0.95)
    judge = judge_of(one, plan(), start, one.train, Fitting(steps=400))
    held = held_model(one, plan(), start, 3, judge)
    assert held.plausible[1e6] < 0.85  # so strong a pull leaves rows of the majority as they were
    assert held.ewc_lambda == 1.0
    assert held.plausible[1.0] > 0.95


def test_the_same_seed_chooses_the_same(begun):
    one, start = begun
    first, again = (held_models(one, plan(steps=20), start, one.train, Fitting(steps=20)) for _ in range(2))
    assert first.keys() == set(one.minority)
    for label in first:
        assert first[label].plausible == again[label].plausible
        assert same(first[label].model, again[label].model)
