"""The downstream classifiers with fixed, modest settings, by name.

The settings were chosen once, by cross-validated AUROC, log-likelihood and Brier score of the no-correction arm over five
public cohorts with 26 to 328 events, and are the same for every cohort and every arm: tuning them per data set would need
events that a rare outcome does not have. Only the elastic net chooses its penalty, inside each fit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from mgvae.arrays import FloatArray, IntArray
from mgvae.classifiers.design import RARE_LEVEL, fit_linear_design, fit_tree_design, forest_rows, information
from mgvae.classifiers.repeated_rows import merged
from mgvae.classifiers.row_sums import row_sums

BAG = 0.5  # of the forest's rows in a tree
MOST_TRIED = 100  # columns that a split of the forest chooses among, where 40 % are more
MOST_LEVELS = 250  # HistGradientBoosting takes at most 255 categories in a column


class LogisticModel:
    """Ridge logistic regression on `design.LinearDesign`, penalty 1 / (2 * strength)."""

    def __init__(self, *, strength: float = 0.1, rare: int = RARE_LEVEL) -> None:
        self.strength = strength
        self.rare = rare

    def fit(self, features: pd.DataFrame, event: IntArray, weights: FloatArray | None = None) -> LogisticModel:
        """Fit; see `Classifier.fit`."""
        self._design = fit_linear_design(features, rare=self.rare)
        self._model = LogisticRegression(C=self.strength, max_iter=2000)
        rows, event, weights = merged(self._design.rows(features), event, weights)
        self._model.fit(rows, event, sample_weight=weights)
        return self

    def predict_proba(self, features: pd.DataFrame) -> FloatArray:
        """Return the event's probability, ``(N,)``."""
        line = row_sums(self._design.rows(features), self.coefficients) + float(self._model.intercept_[0])
        return np.asarray(expit(line), dtype=np.float64)

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
