"""Shapley contributions to the log odds of boosted trees, exact and without a loop over pairs of rows.

For one explained row and one background row, a leaf is reached by those coalitions of columns that hold all columns on its path
whose conditions the explained row alone meets, and none that the background row alone meets. So its contributions depend on
which conditions the two rows meet, of which there are few patterns: they are computed once for each pair of patterns.

Source: Lundberg et al. 2020, doi 10.1038/s42256-019-0138-9, interventional Tree SHAP.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.special import comb

from mgvae.arrays import BoolArray, FloatArray, IntArray
from mgvae.classifiers.portable_trees import Tree, TreeScorer

Path = list[tuple[int, bool]]  # nodes from the root to a leaf, and whether the path goes left there


def tree_contributions(scorer: TreeScorer, features: pd.DataFrame, background: pd.DataFrame) -> tuple[FloatArray, float]:
    """Return contributions by column of the scorer's design, and the mean log odds.

    Args:
        scorer: boosted trees.
        features: rows to explain, ``(N, P)``.
        background: rows whose values are replaced; the mean is theirs.

    Returns:
        ``(N, P)``, the columns in the order of the design, and a number.
    """
    rows, reference = scorer.matrix(features), scorer.matrix(background)
    values, log_odds = np.zeros(rows.shape), np.full(len(reference), scorer.baseline)
    for tree in scorer.trees:
        tree.add_to(log_odds, reference)
        own, other = _sides(tree, rows), _sides(tree, reference)
        for leaf, path in _paths(tree):
            columns = sorted({tree.column[node] for node, _ in path})
            met = (_met(tree, path, columns, sides) for sides in (own, other))
            values[:, columns] += tree.value[leaf] * _of_leaf(*met)
    return values, float(log_odds.mean())


def _sides(tree: Tree, matrix: FloatArray) -> dict[int, BoolArray]:
    """Return by inner node whether each row would go left there, ``(N,)``."""
    return {node: tree.goes_left(node, matrix[:, tree.column[node]]) for node, left in enumerate(tree.left) if left}


def _paths(tree: Tree) -> Iterator[tuple[int, Path]]:
    """Yield each leaf that is not the root, with the path to it."""
    waiting: list[tuple[int, Path]] = [(0, [])]
    while waiting:
        node, path = waiting.pop()
        if tree.left[node]:
            waiting += [(tree.left[node], [*path, (node, True)]), (tree.right[node], [*path, (node, False)])]
        elif path:
            yield node, path


def _met(tree: Tree, path: Path, columns: list[int], sides: dict[int, BoolArray]) -> BoolArray:
    """Return whether each row meets all conditions of a path on each column, ``(N, K)``."""
    on = {column: [sides[node] == left for node, left in path if tree.column[node] == column] for column in columns}
    return np.column_stack([np.logical_and.reduce(conditions) for conditions in on.values()])


def _of_leaf(own: BoolArray, other: BoolArray) -> FloatArray:
    """Return the contributions to reaching a leaf, ``(N, K)``.

    Args:
        own: which columns' conditions the explained rows meet, ``(N, K)``.
        other: the same of the background rows, ``(B, K)``.
    """
    (mine, place), (theirs, at) = _distinct(own), _distinct(other)
    share = np.bincount(at) / len(other)
    reachable = (mine[:, None] | theirs).all(axis=-1)
    gained, lost = mine[:, None] & ~theirs, ~mine[:, None] & theirs
    a, b = gained.sum(axis=-1), lost.sum(axis=-1)
    orders = np.where(reachable, share / comb(a + b, a), 0.0)  # of the columns: those in which the leaf is reached at all
    gain, loss = orders / np.maximum(a, 1), orders / np.maximum(b, 1)
    each = gained * gain[..., None] - lost * loss[..., None]
    return np.asarray(each.sum(axis=1)[place])


def _distinct(met: BoolArray) -> tuple[BoolArray, IntArray]:
    """Return the distinct rows, and which of them each row is."""
    codes = met @ (1 << np.arange(met.shape[1]))
    _, first, place = np.unique(codes, return_index=True, return_inverse=True)
    return met[first], place
