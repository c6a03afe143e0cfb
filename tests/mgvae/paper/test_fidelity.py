"""Numbers under a picture: what they must be where the answer is known."""

from __future__ import annotations

import pytest
import torch

from mgvae.errors import ShapeError
from mgvae.paper.classifier import Fitting
from mgvae.paper.datasets.load import load
from mgvae.paper.datasets.rows import Rows
from mgvae.paper.pictures.fidelity import correlation, diversity, faithfulness, halves, ink, precision_recall, slant, yardstick

FITTING = Fitting(steps=400)


@pytest.fixture(scope="module")
def digits():
    return load("digits", None)


@pytest.fixture(scope="module")
def reference(digits):
    return yardstick(digits, FITTING, seed=0)


def cloud(rows, seed=0):
    return torch.rand(rows, 12, generator=torch.Generator().manual_seed(seed))


def bar(lean, *, broad=1.5, side=21):
    """Return an upright bar that leans ``lean`` pixels to the right for each pixel upwards, ``(1, side, side)``."""
    y, x = torch.meshgrid(torch.arange(side) - side // 2, torch.arange(side) - side // 2, indexing="ij")
    away = (x + lean * y).abs()
    return ((-away / broad).exp() * (away < 4) * (y.abs() <= 6))[None]


def test_the_same_rows_are_found_precise_and_complete():
    assert precision_recall(cloud(40), cloud(40)) == (1.0, 1.0)


def test_copies_of_one_real_row_are_precise_and_miss_nearly_all():
    real = cloud(40)
    precision, recall = precision_recall(real, real[:1].expand(40, -1))
    assert precision == 1.0
    assert recall == 1 / 40
    assert diversity(real, real[:1].expand(40, -1)) == pytest.approx(0.0, abs=1e-4)
    assert diversity(real[:1].expand(40, -1), real) is None


def test_rows_from_elsewhere_are_neither():
    assert precision_recall(cloud(40), cloud(40, seed=1) + 5.0) == (0.0, 0.0)


def test_precision_and_recall_change_places_with_their_rows():
    one, other = cloud(60), 0.5 * cloud(60, seed=1) + 0.25
    assert precision_recall(one, other) == precision_recall(other, one)[::-1]
    assert precision_recall(one, other)[0] > precision_recall(one, other)[1]


def test_precision_by_hand():
    real = torch.tensor([[0.0], [1.0], [2.0], [10.0]])  # balls of one neighbour: 1, 1, 1 and 8 wide
    made = torch.tensor([[-1.0], [-1.5], [2.5], [2.0]])  # all 0.5 wide
    assert precision_recall(real, made, k=1) == (0.75, 0.25)  # -1.5 lies outside; of the real ones, 2 alone lies inside


def test_diversity_is_the_ratio_of_spreads():
    assert diversity(cloud(40), 0.3 * cloud(40)) == pytest.approx(0.3, rel=1e-5)


@pytest.mark.parametrize(("real", "made"), [((3, 2), (9, 2)), ((9, 2), (3, 2)), ((9, 2), (9, 3)), ((9,), (9, 2))])
def test_rows_that_cannot_be_compared(real, made):
    with pytest.raises(ShapeError, match=r"need more than 3 rows|must be \(m, P\) and \(n, P\)"):
        precision_recall(torch.zeros(real), torch.zeros(made))


def test_slant_is_how_far_a_bar_leans_wherever_it_stands():
    leans = torch.tensor([-0.6, -0.2, 0.0, 0.3, 0.7])
    found = slant(torch.stack([bar(float(lean)) for lean in leans]))
    torch.testing.assert_close(found, leans.double(), atol=0.03, rtol=0.0)
    moved = torch.stack([bar(float(lean)).roll((1, 2), (1, 2)) for lean in leans])
    torch.testing.assert_close(slant(moved), found, atol=1e-3, rtol=0.0)
    assert slant(torch.zeros(2, 1, 5, 5)).tolist() == [0.0, 0.0]


def test_ink_is_how_broad_a_bar_is():
    shades = ink(torch.stack([bar(0.2, broad=broad) for broad in (1.0, 2.0, 3.0)]))
    assert shades.diff().min() > 0
    assert ink(torch.full((1, 3, 4, 4), 0.25)).tolist() == [0.25]


def test_correlation():
    one = torch.randn(50, generator=torch.Generator().manual_seed(0))
    assert correlation(one, one) == pytest.approx(1.0)
    assert correlation(one, -2.0 * one + 3.0) == pytest.approx(-1.0)
    assert correlation(one, torch.ones(50)) is None
    assert correlation(one[:9], one[:9]) is None
    assert correlation(one[:0], one[:0], torch.zeros(0)) is None
    groups = torch.arange(50) % 2
    assert correlation(one + 100.0 * groups, one - 100.0 * groups) < -0.9
    assert correlation(one + 100.0 * groups, one - 100.0 * groups, groups) == pytest.approx(1.0, abs=1e-4)


def test_real_rows_are_found_faithful_and_relabelled_majority_rows_are_not(digits, reference):
    assert reference.judge_recall > 0.9
    real = digits.test.take(digits.test.positions(6))
    majority = digits.train.take(torch.nonzero(digits.train.labels < 5)[:, 0][::4])
    good = faithfulness(real, majority.take(torch.arange(len(real)) % len(majority)), 6, reference)
    bad = faithfulness(majority, majority, 6, reference)
    assert (good.right_class > 0.9, good.parents_class < 0.05) == (True, True)
    assert (bad.right_class < 0.05, bad.parents_class > 0.9) == (True, True)
    assert good.precision > 0.8 > 0.2 > bad.precision
    assert good.diversity == pytest.approx(1.0, abs=0.1)
    assert bad.slant == pytest.approx(1.0)
    assert bad.ink == pytest.approx(1.0)
    assert bad.slant_of_right is None  # a copy of the parent keeps its style, but none is of the class


def test_real_rows_are_held_against_others_and_against_none_twice(digits, reference):
    one, other = halves(digits.test, 7, seed=0)
    assert len(one) == len(other) == len(digits.test.positions(7)) // 2
    assert not {row.numpy().tobytes() for row in one} & {row.numpy().tobytes() for row in other}
    assert set(reference.real) == set(digits.minority)
    assert min(min(pair) for pair in reference.real.values()) > 0.6


def test_tables_have_no_pictures(digits):
    table = Rows(torch.rand(20, 3), torch.arange(20) % 2)
    with pytest.raises(ShapeError, match="digits is a table"):
        yardstick(type(digits)(**{**vars(digits), "shape": None, "train": table}), FITTING, seed=0)
