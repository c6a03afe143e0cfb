"""Fidelity of synthetic rows: right class, precision, recall, diversity, style.

They compare with real *test* rows, which no generator saw. Distances are Euclidean between rows scaled to [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mgvae.errors import ShapeError
from mgvae.paper.classifier import Fitting, fit, predict, recalls
from mgvae.paper.datasets.load import Imbalanced
from mgvae.paper.datasets.rows import Rows
from mgvae.reproducibility import derive
from mgvae.torch_runtime import torch_generator

NEIGHBOURS = 3  # k, as in Kynkaanniemi et al. 2019
MOST = 1000  # rows of each kind that are compared
SAME = 1e-3  # distance within which rows count as equal: sums over large images err by 1e-4; one step of one pixel is 0.004
PAIRS = 10  # pairs of parent and translation below which no correlation is given


@dataclass(frozen=True)
class Faithfulness:
    """How faithful the synthetic rows of one class are.

    Attributes:
        rows: synthetic and real rows that precision, recall and diversity compare, as many of each.
        precision: share of synthetic rows that lie where real ones do.
        recall: share of real rows that lie where synthetic ones do.
        diversity: mean distance between two synthetic rows, divided by that between two real ones; None where these are equal.
        right_class: share that the judge finds to be of the class they were made for.
        parents_class: share that it finds to be of their parent's class: majority rows with a wrong label.
        slant, ink: correlation of parents' and translations' slant and ink, over all pairs; None where there are too few.
        slant_of_right, ink_of_right: the same over pairs whose translation is of the right class, each measured from the mean
            of its parent's class: a copy of the parent does not count, nor does what all parents of a class have in common.
    """

    rows: int
    precision: float
    recall: float
    diversity: float | None
    right_class: float
    parents_class: float
    slant: float | None
    ink: float | None
    slant_of_right: float | None
    ink_of_right: float | None


@dataclass(frozen=True)
class Yardstick:
    """What synthetic rows are compared with.

    Attributes:
        test: real test rows of all classes.
        shape: (channels, height, width) of an image.
        judge: a classifier fitted on the test rows.
        judge_recall: its mean recall over classes on the real training rows, which it did not see.
        real: for each rare class, what precision and recall are for real test rows against as many others.
        seed: of the draws.
    """

    test: Rows
    shape: tuple[int, int, int]
    judge: nn.Module
    judge_recall: float
    real: dict[int, tuple[float, float]]
    seed: int


def yardstick(data: Imbalanced, fitting: Fitting, *, seed: int) -> Yardstick:
    """Return what synthetic rows of an image data set are compared with.

    Raises:
        ShapeError: the data set is a table.
    """
    if data.shape is None:
        raise ShapeError(f"Pictures need images; {data.name} is a table.")
    classes, one = len(data.classes), derive(seed, "picture judge")
    judge = fit(data.test, data.validation, classes=classes, loss="reweighted", fitting=fitting, seed=one)
    recall = float(recalls(data.train.labels, predict(judge, data.train), classes).nanmean())
    real = {label: precision_recall(*halves(data.test, label, seed=seed)) for label in data.minority}
    return Yardstick(data.test, data.shape, judge, recall, real, seed)


def halves(test: Rows, label: int, *, seed: int) -> tuple[Tensor, Tensor]:
    """Return two disjoint halves of a class's test rows, each ``(m, P)``.

    Synthetic rows are compared with the first; the second says what real rows get.
    """
    at = test.positions(label)
    order = at[torch.randperm(len(at), generator=torch_generator(seed, "halves", label))]
    size = min(len(at) // 2, MOST)
    rows = test.take(order).scaled()
    return rows[:size], rows[size : 2 * size]


def faithfulness(made: Rows, parents: Rows, label: int, yardstick: Yardstick) -> Faithfulness:
    """Return how faithful the rows made for a class are.

    Args:
        made: synthetic rows, all of the class ``label``, ``(n, P)``.
        parents: the majority row of which each is the translation, ``(n, P)``, with its class.
        label: the class.
        yardstick: what they are compared with.
    Raises:
        ShapeError: there are not enough rows to compare.
    """
    real, _ = halves(yardstick.test, label, seed=yardstick.seed)
    size = min(len(real), len(made))
    some = made.scaled()[torch.randperm(len(made), generator=torch_generator(yardstick.seed, "some", label))[:size]]
    precision, recall = precision_recall(real[:size], some)
    found = predict(yardstick.judge, made)
    right = found == label
    styles = [(style(_images(parents, yardstick)), style(_images(made, yardstick))) for style in (slant, ink)]
    everywhere = [correlation(one, other) for one, other in styles]
    kept = [correlation(one[right], other[right], parents.labels[right]) for one, other in styles]
    shares = float(right.double().mean()), float((found == parents.labels).double().mean())
    return Faithfulness(size, precision, recall, diversity(real[:size], some), *shares, *everywhere, *kept)


def precision_recall(real: Tensor, made: Tensor, *, k: int = NEIGHBOURS) -> tuple[float, float]:
    """Return precision and recall by k-nearest-neighbour balls.

    A ball reaches to its row's k-th nearest neighbour of the same kind. A row on the ball's edge is inside.

    Args:
        real, made: rows, ``(m, P)`` and ``(n, P)``. Balls shrink as rows grow in number: compare like numbers only.
        k: neighbours.
    Raises:
        ShapeError: there are not more than k rows of each, or they disagree on P.
    Source: Kynkaanniemi et al. 2019, arXiv:1904.06991.
    """
    if real.ndim != 2 or made.ndim != 2 or real.shape[1] != made.shape[1]:
        raise ShapeError(f"real and made must be (m, P) and (n, P); got {tuple(real.shape)} and {tuple(made.shape)}.")
    if min(len(real), len(made)) <= k:
        raise ShapeError(f"Precision and recall need more than {k} rows of each kind; got {len(real)} and {len(made)}.")
    between = _distances(made, real)
    precision = (between <= _reach(real, k)).any(1).double().mean()
    recall = (between <= _reach(made, k)[:, None]).any(0).double().mean()
    return float(precision), float(recall)


def diversity(real: Tensor, made: Tensor) -> float | None:
    """Return the mean distance of made rows ``(n, P)`` relative to real ``(m, P)``.

    None where the real rows are all equal.
    """
    scale = _spread(real)
    return _spread(made) / scale if scale > SAME else None


def slant(images: Tensor) -> Tensor:
    """Return the slant of the ink, ``(n,)``, positive where it leans to the right.

    It is -mu_11 / mu_02 of the central second moments (x to the right, y down), by which digits are usually deslanted.
    Images without vertical extent have slant 0.

    Args:
        images: in [0, 1], ``(n, channels, height, width)``.
    """
    grey = images.double().mean(1)
    mass = grey.sum((1, 2)).clamp(min=1e-12)
    y = torch.arange(grey.shape[1], dtype=torch.double)[:, None]
    x = torch.arange(grey.shape[2], dtype=torch.double)[None, :]
    down = y - ((grey * y).sum((1, 2)) / mass)[:, None, None]
    right = x - ((grey * x).sum((1, 2)) / mass)[:, None, None]
    along = (grey * down.square()).sum((1, 2))
    return torch.where(along > 1e-9, -(grey * down * right).sum((1, 2)) / along.clamp(min=1e-9), 0.0)


def ink(images: Tensor) -> Tensor:
    """Return the mean intensity ``(n,)`` of images ``(n, channels, height, width)``."""
    return images.double().mean((1, 2, 3))


def correlation(first: Tensor, second: Tensor, groups: Tensor | None = None) -> float | None:
    """Return Pearson's correlation; None with too few pairs or no variation.

    Args:
        first, second: ``(n,)``.
        groups: group of each pair, ``(n,)``; values are then taken from the means of their groups.
    """
    if len(first) < PAIRS:
        return None
    a, b = (_centred(value.double(), groups) for value in (first, second))
    scale = float(a.norm() * b.norm())
    return float(a @ b) / scale if scale > 1e-9 else None


def _centred(values: Tensor, groups: Tensor | None) -> Tensor:
    if groups is None:
        return values - values.mean()
    _, at = torch.unique(groups, return_inverse=True)
    sums = torch.zeros(int(at.max()) + 1, dtype=values.dtype).index_add(0, at, values)
    return values - (sums / torch.bincount(at))[at]


def _reach(rows: Tensor, k: int) -> Tensor:
    """Return each row's distance to its k-th nearest other row, ``(n,)``."""
    return _distances(rows, rows).fill_diagonal_(0.0).kthvalue(k + 1, dim=1).values + SAME


def _spread(rows: Tensor) -> float:
    return float(_distances(rows, rows).fill_diagonal_(0.0).sum()) / (len(rows) * (len(rows) - 1))


def _distances(first: Tensor, second: Tensor) -> Tensor:
    # as a matrix product, else large images take minutes; in double, so that equal rows lie less than `SAME` apart
    return torch.cdist(first.double(), second.double(), compute_mode="use_mm_for_euclid_dist")


def _images(rows: Rows, yardstick: Yardstick) -> Tensor:
    return rows.scaled().reshape(-1, *yardstick.shape)
