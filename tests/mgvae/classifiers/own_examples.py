"""Classifiers as a user might write them, good and bad; named by import path in tests."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

GIVEN: list = []  # what the last estimator was fitted on


def tree():
    return DecisionTreeClassifier(max_leaf_nodes=6, max_features=1)


def unweighted():
    return KNeighborsClassifier(5)


def pipeline():
    return make_pipeline(StandardScaler(), LogisticRegression())


class Watching(ClassifierMixin, BaseEstimator):
    def fit(self, X, y, sample_weight=None):
        GIVEN[:] = [X, y, sample_weight]
        self.classes_, self.share_ = np.unique(y), float(np.mean(y))
        if hasattr(X, "iloc"):
            X.iloc[:, :] = np.nan  # a user's code may do what it likes with its own table
        return self

    def predict_proba(self, X):
        return np.tile([1 - self.share_, self.share_], (len(X), 1))


def on_frames():
    return Watching()


on_frames.wants = "frame"


class Catboost:
    """A namespace: a factory may be an attribute of a class."""

    @staticmethod
    def make():
        return HistGradientBoostingClassifier(max_iter=5, categorical_features="from_dtype")

    make.wants = "frame"


class Unsteady(GaussianNB):
    def predict_proba(self, X):
        return super().predict_proba(X) * 0.5 + 0.5 * np.random.default_rng().dirichlet([1, 1], len(X))


class Beyond(GaussianNB):
    def predict_proba(self, X):
        return super().predict_proba(X) * 2


class OneColumn(GaussianNB):
    def predict_proba(self, X):
        return super().predict_proba(X)[:, 1]


class Breaking(GaussianNB):
    def fit(self, X, y, sample_weight=None):
        raise ValueError(f"cannot take the value {X[0, 0]}")


class Picky(GaussianNB):
    """Breaks on more rows than the check has."""

    def fit(self, X, y, sample_weight=None):
        if len(X) > 200:
            raise ValueError(f"patient of age {X[0, 0]}")
        return super().fit(X, y, sample_weight)


def without_probabilities():
    return SVC()


def fitted():
    return GaussianNB().fit([[0.0], [1.0]], [0, 1])


def needs_an_argument(depth):
    return DecisionTreeClassifier(max_depth=depth)


NOT_CALLABLE = GaussianNB()


class NoEstimator:
    def fit(self, X, y):
        return self
