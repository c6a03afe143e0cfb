"""The classifiers that are fitted on every arm's rows, and the measures of their raw probabilities on real test rows."""

from __future__ import annotations

import numpy as np

from mgvae.classifiers.classifier import Classifier
from mgvae.classifiers.factory import make
from mgvae.classifiers.models import BoostingModel
from mgvae.evaluation.measures.accuracy import accuracy
from mgvae.evaluation.measures.decisions import decisions
from mgvae.evaluation.measures.ranking import ranking
from mgvae.evaluation.measures.weights import unit_weights

CLASSIFIERS = {
    "library": ("logistic_regression", "hist_gradient_boosting"),
    "sklearn": ("logistic_regression", "hist_gradient_boosting_sklearn"),
    "both": ("logistic_regression", "hist_gradient_boosting", "hist_gradient_boosting_sklearn"),
}
# scikit-learn's own defaults, where the library's boosting differs from them; rounds as in earlier measurements
SKLEARN = {"learning_rate": 0.1, "max_leaf_nodes": 31, "max_features": 1.0, "min_samples_leaf": 20, "l2_regularization": 0.0}
MEASURES = ("auroc", "auprc", "balanced_accuracy", "g_mean", "brier")
THRESHOLD = 0.5


def classifier(name: str, seed: int) -> Classifier:
    """Return an unfitted classifier of ``CLASSIFIERS``."""
    if name == "hist_gradient_boosting_sklearn":
        return BoostingModel(seed=seed, max_iter=150, early_stopping="auto", **SKLEARN)
    return make(name, seed)


def score(event: np.ndarray, probability: np.ndarray) -> dict[str, float]:
    """Return the measures of raw probabilities, with the threshold at 0.5."""
    one = unit_weights(len(event))
    values = {
        **ranking(event, probability, one),
        **decisions(event, probability >= THRESHOLD, one),
        **accuracy(event, probability, one),
    }
    chosen = {name: float(values[name][0]) for name in MEASURES}
    return {**chosen, "events": float(event.sum()), "expected": float(probability.sum())}
