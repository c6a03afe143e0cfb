"""The classifier and its measures: against scikit-learn and imbalanced-learn, and where the right answer is known."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from imblearn.metrics import geometric_mean_score
from sklearn.metrics import balanced_accuracy_score
from torch import nn

from mgvae.errors import ShapeError, TrainingError
from mgvae.paper.classifier import Fitting, fit, measures, mlp, predict, recalls
from mgvae.paper.datasets.rows import Rows

QUICK = Fitting(steps=200, check_every=50)


def clusters(each, *, seed=0):
    """Return three clouds of bytes, the classes, in five dimensions."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.cat([torch.full((count,), label) for label, count in enumerate(each)])
    centres = 255 * torch.eye(3, 5)
    values = (centres[labels] * 0.6 + 50 + 15 * torch.randn(len(labels), 5, generator=generator)).clamp(0, 255)
    return Rows(values.to(torch.uint8), labels)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=0, max_size=40))
def test_measures_as_elsewhere(pairs):
    true, guessed = zip(*[*pairs, (0, 0), (1, 1), (2, 2)], strict=True)
    got = measures(torch.tensor(true), torch.tensor(guessed), classes=3, minority=(2,))
    assert got["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(true, guessed))
    assert got["g_mean"] == pytest.approx(geometric_mean_score(true, guessed, average="multiclass"), abs=1e-9)
    assert got["minority_recall"] == pytest.approx(float(recalls(torch.tensor(true), torch.tensor(guessed), 3)[2]))


def test_a_class_never_found_has_no_geometric_mean():
    got = measures(torch.tensor([0, 1, 1]), torch.tensor([0, 0, 0]), classes=2, minority=(1,))
    assert got == {"balanced_accuracy": 0.5, "g_mean": 0.0, "minority_recall": 0.0, "majority_recall": 1.0}


def test_labels_and_predictions_must_agree():
    with pytest.raises(ShapeError, match="labels and predicted must agree"):
        recalls(torch.zeros(3, dtype=torch.long), torch.zeros(2, dtype=torch.long), 2)


def test_widths_as_published():
    made = mlp(784, 2, generator=torch.Generator().manual_seed(0))
    assert [(one.in_features, one.out_features) for one in made if isinstance(one, nn.Linear)] == [
        (784, 256),
        (256, 128),
        (128, 2),
    ]


@pytest.mark.parametrize("loss", ["cross_entropy", "reweighted", "class_balanced", "focal", "ldam"])
def test_every_loss_learns_separate_clouds(loss):
    model = fit(clusters((200, 200, 10)), clusters((9, 9, 9), seed=1), classes=3, loss=loss, fitting=QUICK, seed=0)
    test = clusters((50, 50, 50), seed=2)
    assert measures(test.labels, predict(model, test), classes=3, minority=(2,))["balanced_accuracy"] > 0.95


def test_the_same_seed_gives_the_same_classifier_and_leaves_the_global_stream_alone():
    before = torch.random.get_rng_state()
    one, same, other = (
        fit(
            clusters((30, 30, 30)), clusters((5, 5, 5), seed=1), classes=3, fitting=Fitting(steps=20, check_every=10), seed=seed
        )
        for seed in (4, 4, 5)
    )
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(one[0].weight, same[0].weight)
    assert not torch.equal(one[0].weight, other[0].weight)


def test_prediction_in_parts_is_prediction():
    model, rows = mlp(5, 3, generator=torch.Generator().manual_seed(0)), clusters((9, 9, 9))
    assert torch.equal(predict(model, rows, chunk=4), predict(model, rows))


def test_without_rows_nothing_is_trained():
    with pytest.raises(TrainingError, match="needs training and validation rows; got 9 and 0"):
        fit(clusters((3, 3, 3)), clusters((0, 0, 0)), classes=3, seed=0)
