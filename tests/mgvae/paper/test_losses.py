"""Losses against their defining formulas, their special cases, and outside references."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from mgvae.classifiers.losses import class_balanced, inverse_frequency, ldam_margins
from mgvae.errors import ConfigError
from mgvae.paper.classifier import focal, ldam, loss_called, weighted

counts_of = st.lists(st.integers(1, 5000), min_size=2, max_size=6)


def batch(classes=4, n=9, *, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(n, classes, generator=generator, dtype=torch.double)
    return logits, torch.randint(classes, (n,), generator=generator)


def by_hand(logits, labels, term):
    """Return the mean of ``term(p of the true class)``, row by row in plain Python."""
    values = []
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        values.append(term(math.exp(row[label]) / sum(math.exp(one) for one in row), label))
    return sum(values) / len(values)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_is_its_formula(gamma):
    logits, labels = batch()
    truth = by_hand(logits, labels, lambda p, _: -((1 - p) ** gamma) * math.log(p))
    assert float(focal(logits, labels, gamma=gamma)) == pytest.approx(truth, rel=1e-10)


def test_focal_without_gamma_is_cross_entropy():
    logits, labels = batch()
    torch.testing.assert_close(focal(logits, labels, gamma=0.0), cross_entropy(logits, labels))


def test_focal_has_a_gradient_where_a_row_is_certain():
    logits = torch.tensor([[60.0, 0.0], [0.0, 60.0]], requires_grad=True)
    focal(logits, torch.tensor([0, 0]), gamma=2.0).backward()
    assert bool(logits.grad.isfinite().all())


@given(counts_of)
def test_class_balanced_weights_between_none_and_inverse_frequency(counts):
    torch.testing.assert_close(class_balanced(counts, beta=0.0), torch.ones(len(counts), dtype=torch.double))
    near_one = class_balanced(counts, beta=1 - 1e-9)
    torch.testing.assert_close(near_one, inverse_frequency(counts), rtol=1e-4, atol=1e-8)


def test_class_balanced_weights_are_their_formula():
    counts, beta = [5000, 100, 10], 0.999
    effective = [sum(beta**power for power in range(n)) for n in counts]  # a geometric series: the effective number of rows
    raw = [1 / one for one in effective]
    truth = torch.tensor([3 * one / sum(raw) for one in raw], dtype=torch.double)
    torch.testing.assert_close(class_balanced(counts, beta=beta), truth, rtol=1e-9, atol=0)


def test_weights_weigh_rows_by_their_class():
    logits, labels = batch()
    weight = torch.tensor([1.0, 2.0, 0.5, 4.0], dtype=torch.double)
    each = cross_entropy(logits, labels, reduction="none")
    truth = (weight[labels] * each).sum() / weight[labels].sum()
    torch.testing.assert_close(weighted(weight)(logits, labels), truth)


def test_weights_make_rare_rows_count_as_if_they_came_again():
    logits, labels = batch(classes=2, n=6)
    labels = torch.tensor([0, 0, 0, 0, 1, 1])
    twice = torch.cat([logits, logits[4:]]), torch.cat([labels, labels[4:]])
    torch.testing.assert_close(weighted(inverse_frequency([4, 2]))(logits, labels), cross_entropy(*twice))


def test_ldam_without_margins_is_cross_entropy():
    logits, labels = batch()
    torch.testing.assert_close(ldam(logits, labels, torch.zeros(4), scale=1.0), cross_entropy(logits, labels))


def test_ldam_is_its_formula():
    logits, labels = batch()
    margins, scale = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.double), 3.0
    truth = 0.0
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        own = math.exp(scale * (row[label] - margins[label]))
        others = sum(math.exp(scale * one) for at, one in enumerate(row) if at != label)
        truth -= math.log(own / (own + others)) / len(labels)
    assert float(ldam(logits, labels, margins, scale=scale)) == pytest.approx(truth, rel=1e-10)


def test_ldam_margins_fall_with_the_fourth_root():
    margins = ldam_margins([160_000, 10_000, 16], largest=0.5)
    torch.testing.assert_close(margins, torch.tensor([0.05, 0.1, 0.5], dtype=torch.double))


@pytest.mark.parametrize("name", ["cross_entropy", "reweighted", "class_balanced"])
def test_equal_classes_need_no_weights(name):
    logits, labels = batch()
    torch.testing.assert_close(loss_called(name, [7] * 4)(logits, labels), cross_entropy(logits, labels))


def test_unknown_losses_and_empty_classes_are_refused():
    with pytest.raises(ConfigError, match="one of cross_entropy, reweighted"):
        loss_called("hinge", [1, 1])
    with pytest.raises(ConfigError, match="must have a training row"):
        loss_called("ldam", [5, 0])
