"""Measures of a classifier over several classes, from the table of true and predicted classes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mgvae.errors import ShapeError

MEASURES = ("balanced_accuracy", "g_mean", "minority_recall", "majority_recall")


def recalls(labels: Tensor, predicted: Tensor, classes: int) -> Tensor:
    """Return the share of each class's rows that are predicted right, ``(C,)``; NaN for a class without rows.

    Raises:
        ShapeError: labels and predictions disagree in number.
    """
    if labels.shape != predicted.shape:
        raise ShapeError(f"labels and predicted must agree; got {tuple(labels.shape)} and {tuple(predicted.shape)}.")
    right = torch.bincount(labels[labels == predicted], minlength=classes).double()
    return right / torch.bincount(labels, minlength=classes)


def measures(labels: Tensor, predicted: Tensor, *, classes: int, minority: Sequence[int]) -> dict[str, float]:
    """Return the measures of `MEASURES`.

    Balanced accuracy is the mean recall over classes, which the literature on images calls ACSA; the G-mean is their
    geometric mean; the recalls of minority and majority are means over their classes.

    Args:
        labels, predicted: classes, ``(n,)``.
        classes: C.
        minority: the rare classes.
    Raises:
        ShapeError: labels and predictions disagree in number.
    """
    recall = recalls(labels, predicted, classes)
    rare = torch.zeros(classes, dtype=torch.bool)
    rare[list(minority)] = True
    values = recall.mean(), recall.log().mean().exp(), recall[rare].mean(), recall[~rare].mean()
    return dict(zip(MEASURES, (float(value) for value in values), strict=True))
