"""Logistic regression with an elastic net penalty that the rows choose.

The penalty is chosen by an information criterion rather than by inner cross-validation. With a few dozen events folds are too
small to compare penalties, and repeated or interpolated cases would lie on both sides of a fold and make every penalty look too
large; an information criterion has neither fault, as every arm's rows carry the information of the real ones. It costs one fit.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.linalg import cholesky, solve_triangular
from scipy.special import expit, logit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, enet_path

from mgvae.arrays import FloatArray, IntArray
from mgvae.classifiers.design import RARE_LEVEL, fit_linear_design
from mgvae.classifiers.row_sums import row_sums

MIXES = (0.1, 0.5, 0.9)  # share of the L1 part
PENALTIES, SMALLEST_SHARE, WIDE_SHARE = 40, 1e-3, 3e-2  # on a path: how many, and the last as a share of the first
WIDE, WIDEST = 60, 300  # columns that the penalty chooses from; of more, those with the strongest scores
STEPS, TOLERANCE, HALVINGS = 50, 1e-7, 10  # of the exact fit; its largest last change of a coefficient; of one step
FARTHEST = 30.0  # log odds at which the quadratic approximation is taken at most


@dataclass(frozen=True)
class _Quadratic:
    """A quadratic log-likelihood: score' b - 1/2 b' gram b, without intercept."""

    gram: FloatArray
    score: FloatArray
    centre: FloatArray
    level: float

    def intercepts(self, coefficients: FloatArray) -> Any:
        """Return the best intercept for coefficients, ``(P,)`` or ``(P, paths)``."""
        return self.level - self.centre @ coefficients


class ElasticNetModel:
    """Elastic net logistic regression on `design.LinearDesign`.

    Minimises sum of w log loss + penalty (mix |b|_1 + (1 - mix) / 2 |b|^2). Of 40 penalties with each of three mixes, that with
    the smallest AIC is taken: deviance + 2 df, where df is the trace of the ridge smoother of the active columns. The paths
    come from one quadratic approximation around the ridge fit; the chosen model is then fitted exactly by iterated reweighted
    least squares.

    Source: Friedman et al. 2010, doi 10.18637/jss.v033.i01; Zou et al. 2007, doi 10.1214/009053607000000127; Zou and Hastie
    2005, doi 10.1111/j.1467-9868.2005.00503.x.

    Attributes:
        coefficients, intercept: log odds for one unit of each column of the design, ``(columns,)``.
        penalty, mix: as chosen.
    """

    def __init__(self, *, rare: int = RARE_LEVEL) -> None:
        self.rare = rare

    def fit(self, features: pd.DataFrame, event: IntArray, weights: FloatArray | None = None) -> ElasticNetModel:
        """Fit; see `Classifier.fit`."""
        self._design = fit_linear_design(features, rare=self.rare)
        whole = self._design.rows(features)
        w = np.ones(len(event)) if weights is None else weights
        kept = _strongest(whole, event, w)
        part: Any = whole[:, kept]
        X = part.toarray() if not isinstance(part, np.ndarray) else part
        self.penalty, self.mix = self._chosen(X, event, w)
        coefficients, self.intercept = exact_fit(X, event, w, penalty=self.penalty, mix=self.mix)
        self.coefficients = np.zeros(whole.shape[1])
        self.coefficients[kept] = coefficients
        return self

    def predict_proba(self, features: pd.DataFrame) -> FloatArray:
        """Return the event's probability, ``(N,)``."""
        return np.asarray(expit(row_sums(self._design.rows(features), self.coefficients) + self.intercept))

    def _chosen(self, X: FloatArray, event: IntArray, w: FloatArray) -> tuple[float, float]:
        """Return the penalty and the mix with the smallest criterion."""
        ridge = LogisticRegression(C=0.1, max_iter=2000).fit(X, event, sample_weight=w)
        near = _quadratic(X, event, w, ridge.coef_[0], float(ridge.intercept_[0]))
        level = float(logit(np.average(event, weights=w)))
        largest = np.abs(_quadratic(X, event, w, np.zeros(X.shape[1]), level).score).max()
        best, found = np.inf, (1.0, MIXES[0])
        for mix in MIXES:
            last = SMALLEST_SHARE if X.shape[1] <= WIDE else WIDE_SHARE
            penalties = max(largest, 1e-6) / mix * np.geomspace(1.0, last, PENALTIES)
            path = _path(near, penalties, mix, tolerance=1e-5)
            line = X @ path + near.intercepts(path)
            deviance = 2 * (w @ (np.logaddexp(0.0, line) - event[:, None] * line))
            df = [_degrees(near.gram, b, penalty * (1 - mix)) for b, penalty in zip(path.T, penalties, strict=True)]
            value = deviance + 2 * np.array(df)
            place = int(np.argmin(value))
            if value[place] < best:
                best, found = float(value[place]), (float(penalties[place]), mix)
        return found


def exact_fit(X: FloatArray, event: IntArray, weights: FloatArray, *, penalty: float, mix: float) -> tuple[FloatArray, float]:
    """Return coefficients, ``(P,)``, and intercept for a given penalty.

    Args:
        X, event, weights: rows ``(N, P)``, outcome in {0, 1} and row weights, ``(N,)``.
        penalty: size of the penalty against the summed log loss, as 1 / C in scikit-learn.
        mix: share of the L1 part.
    """
    b, level = np.zeros(X.shape[1]), float(logit(np.average(event, weights=weights)))

    def objective(b: FloatArray, level: float) -> float:
        line = X @ b + level
        loss = float(weights @ (np.logaddexp(0.0, line) - event * line))
        return loss + penalty * float(mix * np.abs(b).sum() + (1 - mix) / 2 * (b @ b))

    value = objective(b, level)
    for _ in range(STEPS):
        near = _quadratic(X, event, weights, b, level)
        new = _path(near, np.array([penalty]), mix)[:, 0]
        new_level = float(near.intercepts(new))
        for _ in range(HALVINGS):  # a full step may overshoot where probabilities are near 0 or 1
            if objective(new, new_level) <= value:
                break
            new, new_level = (b + new) / 2, (level + new_level) / 2
        change = max(float(np.abs(new - b).max(initial=0.0)), abs(new_level - level))
        b, level, value = new, new_level, objective(new, new_level)
        if change < TOLERANCE:
            break
    return b, level


def _quadratic(X: FloatArray, event: IntArray, w: FloatArray, b: FloatArray, level: float) -> _Quadratic:
    line = np.clip(X @ b + level, -FARTHEST, FARTHEST)
    p = expit(line)
    v = w * p * (1 - p)
    z = line + (event - p) / (p * (1 - p))
    total = v.sum()
    centre, mean = v @ X / total, float(v @ z / total)
    weighted = X * v[:, None]
    gram = weighted.T @ X - total * np.outer(centre, centre)
    return _Quadratic(gram, weighted.T @ z - total * mean * centre, centre, mean)


def _path(near: _Quadratic, penalties: FloatArray, mix: float, *, tolerance: float = 1e-9) -> FloatArray:
    """Return coefficients by falling penalty, ``(P, penalties)``.

    scikit-learn's coordinate descent takes rows: P of them have the same Gram matrix.
    """
    columns = len(near.score)
    ridge = 1e-8 * max(float(near.gram.trace()) / columns, 1e-8)
    root = cholesky(near.gram + ridge * np.eye(columns))
    target = solve_triangular(root, near.score, trans="T")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of the far end of a path, which is not chosen
        _, path, _ = enet_path(root, target, l1_ratio=mix, alphas=penalties / columns, tol=tolerance, max_iter=3000)
    return np.asarray(path)


def _degrees(gram: FloatArray, b: FloatArray, ridge: float) -> float:
    """Return the degrees of freedom: the trace of the active columns' smoother."""
    active = np.flatnonzero(b)
    eigenvalues = np.linalg.eigvalsh(gram[np.ix_(active, active)]).clip(min=0.0)
    return float((eigenvalues / (eigenvalues + ridge)).sum())


def _strongest(rows: Any, event: IntArray, w: FloatArray) -> IntArray:
    """Return positions of the WIDEST columns with the largest scores, ascending."""
    if rows.shape[1] <= WIDEST:
        return np.arange(rows.shape[1])
    score = np.abs(rows.T @ (w * (event - np.average(event, weights=w))))
    return np.sort(np.argsort(-score, kind="stable")[:WIDEST])
