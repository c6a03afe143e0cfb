"""The majority-guided score as a classifier.

Two linear models share its columns: the direction in which the cases' mean lies, which learns from a handful of cases, and a
ridge regression, which does not believe in normal distributions and wins with more of them. They err in different ways, and
their mean is a linear model again.

Source: mixing generative and discriminative models, Raina et al. 2003 (NIPS 16).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from mgvae.arrays import FloatArray, IntArray
from mgvae.classifiers.design import RARE_LEVEL, information
from mgvae.classifiers.majority_direction import SHARE, Direction, fit_direction
from mgvae.classifiers.scored_design import fit_scored_design
from mgvae.classifiers.scored_ridge import fit_ridge
from mgvae.errors import OutcomeError
from mgvae.reproducibility import numpy_generator

FOLDS = 5  # in which the score is calibrated
RIDGE = 0.03  # C of the ridge regression
FLAT = 1e-9  # spread of a score that is none
FLATTEST = 0.1  # log odds for a standard deviation of the score, at least: ranks stay as they are


class GuidedModel:
    """The majority-guided score on `scored_design.ScoredDesign`; see `fit_guided`.

    Attributes:
        design: of the rows.
        score: log odds of a row of the design.
    """

    def __init__(self, *, seed: int, share: float = SHARE, rare: int = RARE_LEVEL) -> None:
        self.seed = seed
        self.share = share
        self.rare = rare

    def fit(self, features: pd.DataFrame, event: IntArray, weights: FloatArray | None = None) -> GuidedModel:
        """Fit; see `Classifier.fit`.

        Raises:
            OutcomeError: the rows hold one class only.
        """
        self.design = fit_scored_design(features, rare=self.rare)
        self.score = fit_guided(self.design.rows(features), event, weights, seed=self.seed, share=self.share)
        return self

    def predict_proba(self, features: pd.DataFrame) -> FloatArray:
        """Return the event's probability, ``(N,)``."""
        return np.asarray(expit(self.score(self.design.rows(features))), dtype=np.float64)


def fit_guided(rows: Any, event: IntArray, weights: FloatArray | None = None, *, seed: int, share: float = SHARE) -> Direction:
    """Return the majority-guided score as log odds, calibrated by cross-fitting.

    It is the mean of `fit_direction` and a ridge regression, each in units of its standard deviation over the rows. Scores
    learned without a fold score that fold; a logistic regression on those scores, with a standard normal prior of the log odds
    for their standard deviation, gives slope and intercept. The slope stays above 0, so that ranks stay as they are.

    Args:
        rows: of a design, dense or CSR, ``(N, P)``.
        event: outcome in {0, 1}, ``(N,)``.
        weights: of the rows, ``(N,)``; None for 1 each.
        seed: of the folds.
        share: see `fit_direction`.
    Raises:
        OutcomeError: the rows hold one class only.
    """
    if event.min(initial=1) == event.max(initial=0):
        raise OutcomeError("The majority-guided score must have rows with and without the event; got one kind only.")
    w = np.ones(len(event)) if weights is None else weights
    found = _uncalibrated(rows, event, w, share)
    score = found(rows)
    folds = min(FOLDS, int(event.sum()), int((1 - event).sum()))
    if folds >= 2:
        fold = _folds(event, folds, numpy_generator(seed, "folds"))
        for place in range(folds):
            kept = fold != place
            score[~kept] = _uncalibrated(rows[kept], event[kept], w[kept], share)(rows[~kept])
    spread = float(score.std())
    if spread == 0:
        return Direction(np.zeros_like(found.weights), float(logit(np.average(event, weights=w))))
    line = LogisticRegression(C=1.0).fit(score[:, None] / spread, event, sample_weight=w)
    slope = max(float(line.coef_[0, 0]), FLATTEST) / spread
    return Direction(slope * found.weights, float(line.intercept_[0]) + slope * found.intercept)


def _uncalibrated(rows: Any, event: IntArray, w: FloatArray, share: float) -> Direction:
    """Return the mean of direction and ridge, in units of its spread, as they are."""
    one = _standardised(fit_direction(rows, event == 1, w, cases=information(event, w), share=share), rows)
    other = _standardised(fit_ridge(rows, event, w, strength=RIDGE), rows)
    return _standardised(Direction((one.weights + other.weights) / 2, (one.intercept + other.intercept) / 2), rows)


def _standardised(score: Direction, rows: Any) -> Direction:
    """Return a score of mean 0 and spread 1; one without spread is 0."""
    values = score(rows)
    factor = 1 / float(values.std()) if values.std() > FLAT else 0.0
    return Direction(factor * score.weights, factor * (score.intercept - float(values.mean())))


def _folds(event: IntArray, folds: int, generator: np.random.Generator) -> IntArray:
    """Return the fold of each row; each has about the same number of cases, ``(N,)``."""
    fold = np.empty(len(event), dtype=np.int64)
    for value in (0, 1):
        place = np.flatnonzero(event == value)
        fold[place] = generator.permutation(len(place)) % folds
    return fold
