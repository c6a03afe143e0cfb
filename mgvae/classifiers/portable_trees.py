"""Boosted trees and forests of scikit-learn as plain numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from mgvae.arrays import BoolArray, FloatArray, IntArray
from mgvae.classifiers.design import BINS, LinearDesign, TreeDesign, forest_rows
from mgvae.classifiers.design_json import as_json, linear_design, tree_design

BITS = 32  # in a word of scikit-learn's sets of categories
CHUNK = 20_000  # rows that are predicted at a time
Asked = dict[tuple[Any, ...], BoolArray]  # by question of a node, which rows go left
FOREST_KEYS = ("column", "threshold", "left", "right", "value")


@dataclass(frozen=True)
class Tree:
    """A decision tree as lists, an entry a node, root first; ``left`` 0 marks a leaf.

    Attributes:
        column: of the design that the node looks at.
        threshold: a number up to it goes left.
        categories: a category among them goes left; None where the column holds numbers.
        missing_left: whether a missing value, or a category that was not seen, goes left.
        left, right: the nodes below.
        value: what a leaf adds to the log odds.
    """

    column: list[int]
    threshold: list[float]
    categories: list[list[int] | None]
    missing_left: list[bool]
    left: list[int]
    right: list[int]
    value: list[float]

    def add_to(self, log_odds: FloatArray, matrix: FloatArray) -> None:
        """Add each row's leaf value; unseen categories in ``matrix``, ``(N, P)``, are NaN."""
        waiting = [(0, np.arange(len(matrix)))]
        while waiting:
            node, rows = waiting.pop()
            if not self.left[node]:
                log_odds[rows] += self.value[node]
                continue
            goes_left = self.goes_left(node, matrix[rows, self.column[node]])
            waiting += [(self.left[node], rows[goes_left]), (self.right[node], rows[~goes_left])]

    def values(self, columns: FloatArray, asked: Asked, node: int = 0) -> FloatArray | float:
        """Return each row's leaf value, as `add_to` adds it: for small trees, whose questions many trees ask.

        Args:
            columns: of the matrix, a row for each, ``(P, N)``.
            asked: answers to the questions asked of these rows so far; new ones join them.
            node: where to begin.
        """
        if not self.left[node]:
            return self.value[node]
        known = self.categories[node]
        question = self.column[node], self.threshold[node], self.missing_left[node], None if known is None else tuple(known)
        if question not in asked:
            asked[question] = self.goes_left(node, columns[self.column[node]])
        sides = (self.values(columns, asked, below) for below in (self.left[node], self.right[node]))
        return np.where(asked[question], *sides)

    def goes_left(self, node: int, values: FloatArray) -> BoolArray:
        """Return whether values of the node's column go left, ``(N,)``."""
        known = self.categories[node]
        goes = values <= self.threshold[node] if known is None else np.isin(values, known)
        return np.where(np.isnan(values), self.missing_left[node], goes)


@dataclass(frozen=True)
class TreeScorer:
    """Boosted trees.

    Attributes:
        design: of a column that no tree looks at, the edges are left out.
        trees: in the order in which they are added.
        baseline: log odds before any tree.
        seen: of each nominal column of the design, the categories that the fitting rows had.
    """

    design: TreeDesign
    trees: tuple[Tree, ...]
    baseline: float
    seen: Mapping[int, list[int]]

    def predict_proba(self, features: pd.DataFrame) -> FloatArray:
        """See `Scorer`."""
        columns = np.ascontiguousarray(self.matrix(features).T)
        log_odds = np.full(len(features), self.baseline)
        for start in range(0, len(features), CHUNK):
            part, asked = slice(start, start + CHUNK), Asked()
            for tree in self.trees:
                log_odds[part] += tree.values(columns[:, part], asked)
        return np.asarray(expit(log_odds))

    def matrix(self, features: pd.DataFrame) -> FloatArray:
        """Return what the trees look at, ``(N, P)``; unseen categories are NaN."""
        matrix = self.design.rows(features)
        for column, categories in self.seen.items():
            matrix[~np.isin(matrix[:, column], categories), column] = np.nan
        return matrix

    def to_json(self) -> dict[str, Any]:
        """See `Scorer`."""
        return {
            "type": "trees",
            **as_json(self.design),
            "trees": [asdict(tree) for tree in self.trees],
            "baseline": self.baseline,
            "seen": {str(column): categories for column, categories in self.seen.items()},
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> TreeScorer:
        """Return the scorer in `to_json`'s result."""
        return cls(
            tree_design(content),
            tuple(Tree(**tree) for tree in content["trees"]),
            float(content["baseline"]),
            {int(column): categories for column, categories in content["seen"].items()},
        )


@dataclass(frozen=True)
class ForestScorer:
    """A random forest: the mean of its trees' leaves, which are shares of events."""

    design: LinearDesign
    trees: tuple[Tree, ...]

    def predict_proba(self, features: pd.DataFrame) -> FloatArray:
        """See `Scorer`."""
        rows = forest_rows(self.design, features)
        parts = [self._shares(rows[at : at + CHUNK]) for at in range(0, len(features), CHUNK)]
        return np.concatenate(parts) if parts else np.empty(0)

    def _shares(self, rows: Any) -> FloatArray:
        dense = rows if isinstance(rows, np.ndarray) else rows.toarray()
        matrix = dense.astype(np.float32).astype(np.float64)  # what scikit-learn's trees compare
        total = np.zeros(len(matrix))
        for tree in self.trees:
            tree.add_to(total, matrix)
        return np.asarray(total / len(self.trees))

    def to_json(self) -> dict[str, Any]:
        """See `Scorer`."""
        trees = [{key: getattr(tree, key) for key in FOREST_KEYS} for tree in self.trees]
        return {"type": "forest", **as_json(self.design), "trees": trees}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> ForestScorer:
        """Return the scorer in `to_json`'s result."""
        return cls(linear_design(content), tuple(_numbers_only(**tree) for tree in content["trees"]))


def forest_of(model: Any, design: LinearDesign) -> ForestScorer:
    """Return a fitted forest of scikit-learn as plain numbers."""
    return ForestScorer(design, tuple(_forest_tree(one.tree_) for one in model.estimators_))


def _forest_tree(tree: Any) -> Tree:
    split = tree.children_left > 0
    return _numbers_only(
        column=np.where(split, tree.feature, 0).tolist(),
        threshold=np.where(split, tree.threshold, 0.0).tolist(),
        left=np.where(split, tree.children_left, 0).tolist(),
        right=np.where(split, tree.children_right, 0).tolist(),
        value=np.where(split, 0.0, tree.value[:, 0, 1]).tolist(),
    )


def _numbers_only(**lists: Any) -> Tree:
    """Return a tree on columns without categories and without missing values."""
    nodes = len(lists["left"])
    return Tree(**lists, categories=[None] * nodes, missing_left=[False] * nodes)


def boosting_of(model: Any, design: TreeDesign) -> TreeScorer:
    """Return fitted boosted trees of scikit-learn as plain numbers."""
    nominal = np.array(design.nominal, dtype=bool)
    columns = np.concatenate([np.flatnonzero(nominal), np.flatnonzero(~nominal)])  # scikit-learn puts categories first
    seen = _seen(model) if nominal.any() else []
    categories = dict(zip(columns.tolist(), seen, strict=False))
    trees = tuple(_tree(predictors[0], columns, categories) for predictors in model._predictors)
    used = {column for tree in trees for column, left in zip(tree.column, tree.left, strict=True) if left}
    edges = tuple(one if at in used else one[:0] for at, one in enumerate(design.edges))
    return TreeScorer(replace(design, edges=edges), trees, float(model._baseline_prediction.item()), categories)


def _seen(model: Any) -> list[list[int]]:
    """Return each nominal column's categories in the order of the trees' numbers."""
    found = model._preprocessor.named_transformers_["encoder"].categories_
    return [[int(one) for one in categories if not np.isnan(one)] for categories in found]


def _tree(predictor: Any, columns: IntArray, seen: Mapping[int, list[int]]) -> Tree:
    nodes = predictor.nodes
    column = columns[nodes["feature_idx"]]
    split = nodes["is_leaf"] == 0
    named: list[list[int] | None] = [None] * len(nodes)
    for place in np.flatnonzero(split & (nodes["is_categorical"] == 1)):
        named[place] = _members(predictor.raw_left_cat_bitsets[nodes["bitset_idx"][place]], seen[int(column[place])])
    return Tree(
        column=column.tolist(),
        # columns hold numbers of bins, so that one beyond all of them says what infinity says, and has a form in JSON
        threshold=np.minimum(nodes["num_threshold"], BINS).tolist(),
        categories=named,
        missing_left=(nodes["missing_go_to_left"] == 1).tolist(),
        left=np.where(split, nodes["left"], 0).tolist(),
        right=np.where(split, nodes["right"], 0).tolist(),
        value=nodes["value"].tolist(),
    )


def _members(words: Any, categories: list[int]) -> list[int]:
    """Return the categories in a set that has a bit for each place in ``categories``."""
    return [one for place, one in enumerate(categories) if int(words[place // BITS]) >> (place % BITS) & 1]
