"""Shapley contributions of the dictionary's columns to the log odds of a model.

The reference are background rows: a contribution is what a column's own value adds, on average over all orders in which the
columns' values replace those of a background row (interventional Shapley values).

Source: Lundberg and Lee 2017, arXiv:1705.07874; Janzing et al. 2020, arXiv:1910.13413, for the interventional reference.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mgvae.arrays import FloatArray, IntArray
from mgvae.classifiers.design import level_codes
from mgvae.classifiers.portable import EnsembleScorer, LinearScorer
from mgvae.classifiers.portable_trees import TreeScorer
from mgvae.classifiers.recalibration import to_logit
from mgvae.classifiers.terms import linear_terms
from mgvae.explanation.trees import tree_contributions
from mgvae.results.explanations import Explainer

EVALUATIONS = 150_000  # rows that a model of unknown form predicts at most
MOST_ROWS = {"linear": 4_000, "tree": 2_000, "permutation": 2_000}
BACKGROUND = {"linear": 1_000, "tree": 100, "permutation": 30}


@dataclass(frozen=True)
class Contributions:
    """What each column adds to the log odds of each row.

    Attributes:
        values: ``(N, P)``, in the order of the dictionary's features.
        base: mean log odds of the background rows; with a row's values it sums to the row's log odds.
        rows: positions of the N explained rows among those that were given, ascending.
        explainer: the method.
    """

    values: FloatArray
    base: float
    rows: IntArray
    explainer: Explainer


Predict = Callable[[pd.DataFrame], FloatArray]


def contributions(
    model: Any, features: pd.DataFrame, background: pd.DataFrame, generator: np.random.Generator
) -> Contributions:
    """Return the contributions of rows, of a sample of them where they are many.

    A linear model, boosted trees and a weighted sum of such models are explained exactly by their form, any other model by
    permutations of its columns.

    Args:
        model: a `mgvae.classifiers.portable.Scorer`, or any object with ``predict_proba(features) -> (N,)``.
        features: rows to explain, ``(N, P)``.
        background: rows that the model was fitted on, a sample of which is the reference.
        generator: draws the samples and the permutations.
    """
    kind = _kind(model)
    reference = background.iloc[_sample(len(background), BACKGROUND[kind], generator)].reset_index(drop=True)
    most = MOST_ROWS[kind]
    if kind == "permutation":
        most = min(most, max(1, EVALUATIONS // ((2 * features.shape[1] + 1) * len(reference))))
    rows = _sample(len(features), most, generator)
    chosen = features.iloc[rows].reset_index(drop=True)
    if kind == "permutation":
        values, base = _permuted(model.predict_proba, chosen, reference, seed=int(generator.integers(2**32)))
    else:
        values, base = _exact(model, chosen, reference)
    return Contributions(values, base, rows, kind)


def every_contribution(model: Any, features: pd.DataFrame, background: pd.DataFrame, *, seed: int) -> FloatArray:
    """Return the contributions of all rows, ``(N, P)``; a row's depend on no other row.

    Args:
        model, features, background: see `contributions`.
        seed: of the sample of the background and of the permutations: equal seeds give equal contributions.
    """
    generator = np.random.default_rng(seed)
    kind = _kind(model)
    reference = background.iloc[_sample(len(background), BACKGROUND[kind], generator)].reset_index(drop=True)
    plain = features.reset_index(drop=True)
    if kind != "permutation":
        return _exact(model, plain, reference)[0]
    # each row alone: the permutations are drawn anew from the seed
    rows = [_permuted(model.predict_proba, plain.iloc[[at]], reference, seed=seed)[0] for at in range(len(plain))]
    return np.concatenate(rows) if rows else np.zeros(plain.shape)


def _kind(model: Any) -> Explainer:
    if isinstance(model, EnsembleScorer):
        kinds = {_kind(member) for member in model.members}
        return next(kind for kind in ("permutation", "tree", "linear") if kind in kinds)
    if isinstance(model, LinearScorer | TreeScorer):
        return "linear" if isinstance(model, LinearScorer) else "tree"
    return "permutation"


def _exact(model: Any, features: pd.DataFrame, background: pd.DataFrame) -> tuple[FloatArray, float]:
    """Explain a model by its form; the contributions to a weighted sum are the weighted sum of contributions."""
    if isinstance(model, LinearScorer):
        return _linear(model, features, background)
    if isinstance(model, TreeScorer):
        return _tree(model, features, background)
    parts = [_exact(member, features, background) for member in model.members]
    values = sum(weight * values for weight, (values, _) in zip(model.weights, parts, strict=True))
    base = model.intercept + float(model.weights @ np.array([base for _, base in parts]))
    return np.asarray(values), base


def _sample(n: int, most: int, generator: np.random.Generator) -> IntArray:
    return np.arange(n) if n <= most else np.sort(generator.choice(n, size=most, replace=False))


def _shap() -> Any:
    """Import shap, whose module of colours warns of a coming matplotlib."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        import shap
    return shap


def _by_column(values: FloatArray, columns: list[str], names: list[str]) -> FloatArray:
    """Return contributions of a design's columns, ``(N, Q)``, summed by predictor, ``(N, P)``."""
    place = {name: at for at, name in enumerate(names)}
    total = np.zeros((len(values), len(names)))
    for at, column in enumerate(columns):
        total[:, place[column]] += values[:, at]
    return total


def _linear(scorer: LinearScorer, features: pd.DataFrame, background: pd.DataFrame) -> tuple[FloatArray, float]:
    """Explain a sum: each column of the design adds its weight times its distance from the background's mean."""
    rows, reference = (_dense(scorer.design.rows(table)) for table in (features, background))
    centre = reference.mean(axis=0)
    columns = [term.column for term in linear_terms(scorer.design, features)]
    values = _by_column((rows - centre) * scorer.weights, columns, list(map(str, features)))
    return values, float(centre @ scorer.weights + scorer.intercept)


def _dense(matrix: Any) -> FloatArray:
    return np.asarray(matrix if isinstance(matrix, np.ndarray) else matrix.toarray(), dtype=np.float64)


def _tree(scorer: TreeScorer, features: pd.DataFrame, background: pd.DataFrame) -> tuple[FloatArray, float]:
    values, base = tree_contributions(scorer, features, background)
    names = list(map(str, features))
    ordered = [name for name in names if name not in scorer.design.levels] + list(scorer.design.levels)
    return _by_column(values, ordered, names), base


def _permuted(predict: Predict, features: pd.DataFrame, background: pd.DataFrame, *, seed: int) -> tuple[FloatArray, float]:
    """Explain any model: its columns are permuted once forth and once back for each row."""
    shap = _shap()
    rows, reference = _numbers(features), _numbers(background)

    def log_odds(matrix: FloatArray) -> FloatArray:
        return to_logit(predict(_table(np.asarray(matrix, dtype=np.float64), features)))

    state = np.random.get_state()  # noqa: NPY002 - shap draws from the global generator: it is put back as it was
    try:
        masker = shap.maskers.Independent(reference, max_samples=len(reference))
        explainer = shap.PermutationExplainer(log_odds, masker, seed=seed)
        found = explainer(rows, max_evals=2 * rows.shape[1] + 1, silent=True)
    finally:
        np.random.set_state(state)  # noqa: NPY002
    return np.asarray(found.values), float(log_odds(reference).mean())


def _numbers(features: pd.DataFrame) -> FloatArray:
    """Return a table as numbers, ``(N, P)``: levels as their codes, -1 for missing."""
    columns = [
        level_codes(features[name]) if isinstance(features[name].dtype, pd.CategoricalDtype) else features[name].to_numpy()
        for name in features
    ]
    return np.column_stack(columns).astype(np.float64)


def _table(matrix: FloatArray, like: pd.DataFrame) -> pd.DataFrame:
    """Return the table that `_numbers` made into ``matrix``, with the dtypes of ``like``."""
    columns: dict[str, Any] = {}
    for place, (name, dtype) in enumerate(like.dtypes.items()):
        values = matrix[:, place]
        levels = isinstance(dtype, pd.CategoricalDtype)
        columns[str(name)] = pd.Categorical.from_codes(values.astype(np.int64), dtype=dtype) if levels else values
    return pd.DataFrame(columns)
