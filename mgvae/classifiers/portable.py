"""Fitted classifiers as plain numbers that predict the same and have a JSON form.

Neither pickle nor any version of scikit-learn stands between a model that was saved and its predictions, and the same model is
the same bytes, which a store that is addressed by content needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Protocol

import numpy as np
import pandas as pd
from scipy.special import expit

from mgvae.arrays import BoolArray, FloatArray, IntArray
from mgvae.classifiers.design import BINS, Levels, LinearDesign, TreeDesign
from mgvae.classifiers.models import BoostingModel, Classifier, LogisticModel

BITS = 32  # in a word of scikit-learn's sets of categories


class Scorer(Protocol):
    """A fitted model of the event's probability."""

    def predict_proba(self, features: pd.DataFrame) -> FloatArray:
        """Return the event's probability for each row, ``(N,)``."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Return the model as plain JSON."""
        ...


@dataclass(frozen=True)
class LinearScorer:
    """Logistic regression: ``weights`` of the design's columns, and ``intercept``."""

    design: LinearDesign
    weights: FloatArray
    intercept: float

    def predict_proba(self, features: pd.DataFrame) -> FloatArray:
        """See `Scorer`."""
        line = self.design.rows(features) @ self.weights[:, None] + self.intercept
        return np.asarray(expit(line)[:, 0])

    def to_json(self) -> dict[str, Any]:
        """See `Scorer`."""
        return {"type": "linear", **_as_json(self.design), "weights": self.weights.tolist(), "intercept": self.intercept}


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
            goes_left = self._left(node, matrix[rows, self.column[node]])
            waiting += [(self.left[node], rows[goes_left]), (self.right[node], rows[~goes_left])]

    def _left(self, node: int, values: FloatArray) -> BoolArray:
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
        matrix = self.design.rows(features)
        for column, categories in self.seen.items():
            matrix[~np.isin(matrix[:, column], categories), column] = np.nan
        log_odds = np.full(len(matrix), self.baseline)
        for tree in self.trees:
            tree.add_to(log_odds, matrix)
        return np.asarray(expit(log_odds))

    def to_json(self) -> dict[str, Any]:
        """See `Scorer`."""
        return {
            "type": "trees",
            **_as_json(self.design),
            "trees": [asdict(tree) for tree in self.trees],
            "baseline": self.baseline,
            "seen": {str(column): categories for column, categories in self.seen.items()},
        }


def scorer_of(classifier: Classifier) -> Scorer:
    """Return a fitted classifier as plain numbers.

    Raises:
        TypeError: it is none of those that `classifiers.make` makes.
    """
    if isinstance(classifier, LogisticModel):
        model = classifier._model
        return LinearScorer(classifier._design, np.array(model.coef_[0], dtype=np.float64), float(model.intercept_[0]))
    if isinstance(classifier, BoostingModel):
        return _trees_of(classifier)
    raise TypeError(type(classifier).__name__)


def scorer_from_json(content: Mapping[str, Any]) -> Scorer:
    """Return the scorer in `Scorer.to_json`'s result; a wrong key raises as in Python."""
    levels = {str(name): Levels(np.array(kept, dtype=np.int64)) for name, kept in content["levels"].items()}
    if content["type"] == "linear":
        places = {str(name): np.array(place, dtype=np.int64) for name, place in content["places"].items()}
        medians, scales, weights = (np.array(content[key], dtype=np.float64) for key in ("medians", "scales", "weights"))
        design = LinearDesign(medians, scales, np.array(content["indicated"], dtype=np.int64), levels, places)
        return LinearScorer(design, weights, float(content["intercept"]))
    if content["type"] != "trees":
        raise ValueError("type")
    edges = tuple(np.array(one, dtype=np.float64) for one in content["edges"])
    return TreeScorer(
        TreeDesign(edges, levels, tuple(content["nominal"]), tuple(content["empty"])),
        tuple(Tree(**tree) for tree in content["trees"]),
        float(content["baseline"]),
        {int(column): categories for column, categories in content["seen"].items()},
    )


def _as_json(value: Any) -> Any:
    """Return a design, or a part of it, as plain JSON: its fields, lists and numbers."""
    if isinstance(value, Levels):
        return value.kept.tolist()
    if isinstance(value, LinearDesign | TreeDesign):
        return _as_json({field.name: getattr(value, field.name) for field in fields(value)})
    if isinstance(value, Mapping):
        return {name: _as_json(part) for name, part in value.items()}
    if isinstance(value, tuple):
        return [_as_json(part) for part in value]
    return value.tolist() if isinstance(value, np.ndarray) else value


def _trees_of(classifier: BoostingModel) -> TreeScorer:
    model, design = classifier._model, classifier._design
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
    named = [
        _members(predictor.raw_left_cat_bitsets[node["bitset_idx"]], seen[int(at)])
        if inner and node["is_categorical"]
        else None
        for node, at, inner in zip(nodes, column, split, strict=True)
    ]
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
