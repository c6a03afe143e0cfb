"""The downstream classifiers: two models with fixed, modest settings.

The settings were chosen once, by cross-validated AUROC, log-likelihood and Brier score of the no-correction arm over five
public cohorts with 26 to 328 events, and are the same for every cohort and every arm: tuning them per data set would need
events that a rare outcome does not have.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from mgvae.arrays import FloatArray, IntArray
from mgvae.classifiers.design import fit_linear_design, fit_tree_design
from mgvae.errors import ConfigError

RARE_LEVEL = 10  # rows below which a level has no coefficient of its own
MOST_LEVELS = 250  # HistGradientBoosting takes at most 255 categories in a column


class Classifier(Protocol):
    """A model of the event's probability given a typed table."""

    def fit(self, features: pd.DataFrame, event: IntArray, weights: FloatArray | None = None) -> Classifier:
        """Fit on rows ``(N, P)`` with outcome 0 or 1 and weights, ``(N,)``; return self."""
        ...

    def predict_proba(self, features: pd.DataFrame) -> FloatArray:
        """Return the event's probability for each row, ``(N,)``."""
        ...


def make(name: str, seed: int) -> Classifier:
    """Return an unfitted classifier.

    Args:
        name: ``logistic_regression`` or ``hist_gradient_boosting``.
        seed: for what the classifier draws.
    Raises:
        ConfigError: the name is unknown.
    """
    if name == "logistic_regression":
        return LogisticModel()
    if name == "hist_gradient_boosting":
        return BoostingModel(seed=seed)
    raise ConfigError(f"A classifier must be logistic_regression or hist_gradient_boosting; got '{name}'.")


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
