"""Ridge logistic regression on normal scores: the linear member of an ensemble on wide tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from mgvae.arrays import FloatArray, IntArray
from mgvae.classifiers.classifier import Classifier
from mgvae.classifiers.design import RARE_LEVEL
from mgvae.classifiers.majority_direction import Direction
from mgvae.classifiers.models import LogisticModel
from mgvae.classifiers.scored_design import fit_scored_design

WIDE = 500  # columns from which an ensemble's linear member is this one
STRENGTH = 0.01  # C, chosen by tests.benchmarks.wide


class ScoredRidgeModel:
    """Ridge logistic regression on `scored_design.ScoredDesign`, each column divided by the root of its standard deviation.

    Half way between rare indicators as they are, which a ridge ignores, and standardised ones, of which few rows decide.

    Attributes:
        design: of the rows.
        score: log odds of a row of the design.
    """

    def __init__(self, *, strength: float = STRENGTH, rare: int = RARE_LEVEL) -> None:
        self.strength = strength
        self.rare = rare

    def fit(self, features: pd.DataFrame, event: IntArray, weights: FloatArray | None = None) -> ScoredRidgeModel:
        """Fit; see `Classifier.fit`."""
        self.design = fit_scored_design(features, rare=self.rare)
        self.score = fit_ridge(self.design.rows(features), event, weights, strength=self.strength)
        return self

    def predict_proba(self, features: pd.DataFrame) -> FloatArray:
        """Return the event's probability, ``(N,)``."""
        return np.asarray(expit(self.score(self.design.rows(features))), dtype=np.float64)


def fit_ridge(rows: Any, event: IntArray, weights: FloatArray | None, *, strength: float) -> Direction:
    """Return the log odds of ridge logistic regression on a design.

    Each column is divided by the root of its standard deviation.

    Args:
        rows: of a design, dense or CSR, ``(N, P)``.
        event: outcome in {0, 1}, ``(N,)``.
        weights: of the rows, ``(N,)``; None for 1 each.
        strength: C.
    """
    scale = np.sqrt(_spread(rows, weights))
    scale[scale == 0] = 1.0
    scaled = rows @ sparse.diags_array(1 / scale) if sparse.issparse(rows) else rows / scale
    model = LogisticRegression(C=strength, max_iter=2000).fit(scaled, event, sample_weight=weights)
    return Direction(model.coef_[0] / scale, float(model.intercept_[0]))


class LinearMember:
    """Logistic regression; on wide tables `ScoredRidgeModel`, for its penalty suits few columns.

    Attributes:
        chosen: the fitted model.
    """

    chosen: Classifier

    def fit(self, features: pd.DataFrame, event: IntArray, weights: FloatArray | None = None) -> LinearMember:
        """Fit; see `Classifier.fit`."""
        self.chosen = (ScoredRidgeModel() if features.shape[1] >= WIDE else LogisticModel()).fit(features, event, weights)
        return self

    def predict_proba(self, features: pd.DataFrame) -> FloatArray:
        """Return the event's probability, ``(N,)``."""
        return self.chosen.predict_proba(features)


def _spread(rows: Any, weights: FloatArray | None) -> FloatArray:
    """Return the weighted standard deviation of each column of dense or CSR rows, ``(P,)``."""
    share = np.ones(rows.shape[0]) if weights is None else weights
    share = share / share.sum()
    mean, squares = share @ rows, share @ (rows.multiply(rows) if sparse.issparse(rows) else rows**2)
    return np.asarray(np.sqrt(np.maximum(squares - mean**2, 0.0)), dtype=np.float64)
