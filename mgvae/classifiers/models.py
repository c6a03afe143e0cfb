"""The downstream classifiers with fixed, modest settings, by name.

The settings were chosen once, by cross-validated AUROC, log-likelihood and Brier score of the no-correction arm over five
public cohorts with 26 to 328 events, and are the same for every cohort and every arm: tuning them per data set would need
events that a rare outcome does not have. Only the elastic net chooses its penalty, inside each fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, get_args

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from mgvae.arrays import FloatArray, IntArray
from mgvae.classifiers.design import RARE_LEVEL, fit_linear_design, fit_tree_design, forest_rows, information
from mgvae.config.classifiers import BuiltIn, MLPLoss
from mgvae.config.sections import Evaluation
from mgvae.errors import ConfigError

BAG = 0.5  # of the forest's rows in a tree
MOST_TRIED = 100  # columns that a split of the forest chooses among, where 40 % are more
AVERAGED: tuple[BuiltIn, ...] = ("logistic_regression", "hist_gradient_boosting")  # members of the ensemble
MOST_LEVELS = 250  # HistGradientBoosting takes at most 255 categories in a column


class Classifier(Protocol):
    """A model of the event's probability given a typed table."""

    def fit(self, features: pd.DataFrame, event: IntArray, weights: FloatArray | None = None) -> Classifier:
        """Fit on rows ``(N, P)`` with outcome 0 or 1 and weights, ``(N,)``; return self."""
        ...

    def predict_proba(self, features: pd.DataFrame) -> FloatArray:
        """Return the event's probability for each row, ``(N,)``."""
        ...


@dataclass(frozen=True)
class Options:
    """What some classifiers need besides a name.

    Attributes:
        own: import paths of a user's own classifiers, by name.
        mlp_loss: what the MLP minimises.
    """

    own: Mapping[str, str] = field(default_factory=dict)
    mlp_loss: MLPLoss = "cross_entropy"


def options_of(settings: Evaluation) -> Options:
    """Return what a configuration says of its classifiers."""
    return Options(own=settings.own_classifiers, mlp_loss=settings.mlp_loss)


def make(name: str, seed: int, options: Options | None = None) -> Classifier:
    """Return an unfitted classifier.

    Args:
        name: in `mgvae.config.sections.BuiltIn` or ``options.own``.
        seed: for what the classifier draws.
        options: none leaves their defaults.
    Raises:
        ConfigError: the name is unknown, or its import path leads to no classifier.
    """
    chosen = options or Options()
    if name in chosen.own:
        from mgvae.classifiers.own import OwnModel

        return OwnModel(name, chosen.own[name], seed)
    if name not in _MAKERS:
        raise ConfigError(f"A classifier must be one of {', '.join(get_args(BuiltIn))}, or your own; got '{name}'.")
    return _MAKERS[name](seed, chosen)


class LogisticModel:
    """Ridge logistic regression on `design.LinearDesign`, penalty 1 / (2 * strength)."""

    def __init__(self, *, strength: float = 0.1, rare: int = RARE_LEVEL) -> None:
        self.strength = strength
        self.rare = rare

    def fit(self, features: pd.DataFrame, event: IntArray, weights: FloatArray | None = None) -> LogisticModel:
        """Fit; see `Classifier.fit`."""
        self._design = fit_linear_design(features, rare=self.rare)
        self._model = LogisticRegression(C=self.strength, max_iter=2000)
        self._model.fit(self._design.rows(features), event, sample_weight=weights)
        return self

    def predict_proba(self, features: pd.DataFrame) -> FloatArray:
        """Return the event's probability, ``(N,)``."""
        return np.asarray(self._model.predict_proba(self._design.rows(features))[:, 1], dtype=np.float64)

    @property
    def coefficients(self) -> FloatArray:
        """Return the log odds for one unit of each column of the design, ``(columns,)``."""
        return np.array(self._model.coef_[0], dtype=np.float64)


class BoostingModel:
    """Histogram gradient boosting with native missing values and categories.

    Shallow trees, wide leaves and a slow rate: with a few dozen events, deep trees remember them.
    """

    def __init__(self, *, seed: int, **settings: Any) -> None:
        chosen = {"learning_rate": 0.05, "max_iter": 150, "max_leaf_nodes": 4, "max_features": 0.3, "min_samples_leaf": 40}
        fixed = {"l2_regularization": 5.0, "early_stopping": False, "random_state": seed}
        self.settings = {**chosen, **fixed, **settings}

    def fit(self, features: pd.DataFrame, event: IntArray, weights: FloatArray | None = None) -> BoostingModel:
        """Fit; see `Classifier.fit`."""
        self._design = fit_tree_design(features, most=MOST_LEVELS)
        self._model = HistGradientBoostingClassifier(categorical_features=list(self._design.nominal), **self.settings)
        self._model.fit(self._design.rows(features), event, sample_weight=weights)
        return self

    def predict_proba(self, features: pd.DataFrame) -> FloatArray:
        """Return the event's probability, ``(N,)``."""
        return np.asarray(self._model.predict_proba(self._design.rows(features))[:, 1], dtype=np.float64)


class ForestModel:
    """Random forest on `design.LinearDesign` with small bags and wide leaves.

    scikit-learn draws each tree's rows by their weights, as many as half of the weights' sum, so that in every arm a tree
    learns from half of the information. A leaf holds a fixed amount of it: a fixed number of rows could be copies of one case.
    """

    def __init__(self, *, seed: int, leaf_information: float = 0.8, rare: int = RARE_LEVEL, **settings: Any) -> None:
        self.settings = {"n_estimators": 200, "n_jobs": 1, "random_state": seed, **settings}
        self.leaf_information = leaf_information
        self.rare = rare

    def fit(self, features: pd.DataFrame, event: IntArray, weights: FloatArray | None = None) -> ForestModel:
        """Fit; see `Classifier.fit`."""
        self._design = fit_linear_design(features, rare=self.rare)
        rows = forest_rows(self._design, features)
        total = len(event) if weights is None else float(weights.sum())
        bag = max(2, round(BAG * total))
        chosen = {
            "max_samples": bag,
            "max_features": max(1, min(round(0.4 * rows.shape[1]), MOST_TRIED)),
            "min_weight_fraction_leaf": min(0.5, self.leaf_information / information(event, weights) * total / bag),
        }
        self._model = RandomForestClassifier(**{**chosen, **self.settings})
        self._model.fit(rows, event, sample_weight=weights)
        return self

    def predict_proba(self, features: pd.DataFrame) -> FloatArray:
        """Return the event's probability, ``(N,)``."""
        return np.asarray(self._model.predict_proba(forest_rows(self._design, features))[:, 1], dtype=np.float64)


def _elastic_net(seed: int, options: Options) -> Classifier:
    from mgvae.classifiers.elastic_net import ElasticNetModel

    return ElasticNetModel()


def _mlp(seed: int, options: Options) -> Classifier:
    from mgvae.classifiers.mlp import MLPModel

    return MLPModel(seed=seed, loss=options.mlp_loss)


def _majority_guided(seed: int, options: Options) -> Classifier:
    from mgvae.classifiers.guided import GuidedModel

    return GuidedModel(seed=seed)


def _ensemble(seed: int, options: Options) -> Classifier:
    from mgvae.classifiers.ensemble import EnsembleModel

    return EnsembleModel([make(member, seed) for member in AVERAGED])


_MAKERS: Mapping[str, Callable[[int, Options], Classifier]] = {
    "logistic_regression": lambda seed, options: LogisticModel(),
    "elastic_net": _elastic_net,
    "hist_gradient_boosting": lambda seed, options: BoostingModel(seed=seed),
    "random_forest": lambda seed, options: ForestModel(seed=seed),
    "mlp": _mlp,
    "majority_guided": _majority_guided,
    "ensemble": _ensemble,
}
