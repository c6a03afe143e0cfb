"""The direction in which cases differ from the majority, measured by its covariance.

The linear special case of the MGVAE: the majority's second moments take the place of pre-training, shrinkage that of
consolidation, and a log likelihood ratio that of translation. Nothing but the mean of the cases is learned from the cases, so
that ten of them are enough to start with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse.linalg import LinearOperator, cg

from mgvae.arrays import BoolArray, FloatArray
from mgvae.classifiers.code_shift import fit_code_shift
from mgvae.classifiers.row_sums import row_sums
from mgvae.errors import TrainingError

FEWEST_EXPECTED = 5  # cases with a code, from which the normal approximation of its shift is right
MANY_CODES = 200  # columns of rare codes from which their shifts have a common prior
SHARE = 0.1  # of the majority's covariance in the metric; the rest is a multiple of the identity
SMALLEST = 1e-10  # variances up to it, against a column's size squared, are none
ROUNDING = 1e-7  # differences up to it, against a column's size, are none
TOLERANCE, MOST_STEPS = 1e-8, 1_000  # of the conjugate gradients


@dataclass(frozen=True)
class Direction:
    """A linear log likelihood ratio of cases against majority, up to a factor.

    Attributes:
        weights: of the columns, ``(P,)``.
        intercept: puts 0 half way between the majority's mean and that of the cases.
    """

    weights: FloatArray
    intercept: float

    def __call__(self, rows: Any) -> FloatArray:
        """Return the score of rows, dense or sparse, ``(N, P)`` to ``(N,)``."""
        return np.asarray(row_sums(rows, self.weights) + self.intercept, dtype=np.float64)


def fit_direction(rows: Any, case: BoolArray, weights: FloatArray, *, cases: float, share: float = SHARE) -> Direction:
    """Return the direction learned from rows.

    Columns are divided by the root of the majority's standard deviation where that is below 1: half way between a rare
    indicator as it is, which counts for next to nothing, and a standardised one, whose few ones count for everything. In this
    scale the direction is (share S + (1 - share) m I)^-1 d, with S the majority's covariance, m its mean variance and d the
    cases' shift, each column of which is shrunk by the positive-part rule of James and Stein. Where many columns hold rare
    codes, zeros and few ones, their shifts follow from `fit_code_shift`, and they are divided by the whole standard deviation.

    Args:
        rows: of a design, dense or CSR, ``(N, P)``. Sparse rows stay so: memory grows with their entries, not with P squared.
        case: True for cases, ``(N,)``; both classes are there.
        weights: of the rows, ``(N,)``.
        cases: how many independent cases the rows stand for; copies count once.
        share: of S.
    Raises:
        TrainingError: the conjugate gradients did not converge.
    """
    majority, shift = rows[~case], _mean(rows[case], weights[case])
    own = weights[~case] / weights[~case].sum()
    centre = _mean(majority, own)
    rounding = ROUNDING * (1 + np.abs(centre))
    shift = np.where(np.abs(shift - centre) > rounding, shift - centre, 0.0)
    variance = _mean(_squared(majority), own) - centre**2
    variance = np.where(variance > SMALLEST * (1 + centre**2), variance, 0.0)
    shrunk = shift * _kept(shift, variance / cases)
    scale = np.where(variance < 1, np.sqrt(np.sqrt(variance)), 1.0)
    codes = np.flatnonzero(_holds_codes(rows) & (variance > 0) & (cases * np.minimum(centre, 1 - centre) < FEWEST_EXPECTED))
    if len(codes) >= MANY_CODES:
        ratio = _code_ratios(centre[codes], (centre + shift)[codes], cases, fewest=0.5 / float(weights[~case].sum()))
        shrunk[codes] = variance[codes] * ratio
        scale[codes] = np.sqrt(variance[codes])
    scale[variance == 0] = 1.0
    level = float((variance / scale**2).mean())
    if level == 0:
        return Direction(np.zeros(len(centre)), 0.0)
    scaled = _Scaled(majority, centre, scale, own, share, (1 - share) * level)
    direction = scaled.solve(shrunk / scale) / scale
    return Direction(direction, -float(direction @ (centre + shift / 2)))


def _holds_codes(rows: Any) -> BoolArray:
    """Return which columns hold nothing but zeros and ones, ``(P,)``."""
    if not sparse.issparse(rows):
        return np.asarray(((rows == 0) | (rows == 1)).all(axis=0))
    other = np.zeros(rows.shape[1], dtype=bool)
    other[rows.indices[(rows.data != 0) & (rows.data != 1)]] = True
    return ~other


def _code_ratios(majority: FloatArray, holding: FloatArray, cases: float, *, fewest: float) -> FloatArray:
    """Return the log odds ratios of codes, cases against majority, ``(P,)``.

    Args:
        majority, holding: shares of the majority and of the cases with a one, ``(P,)``; a design may hold who lacks a rare
            code.
        cases: how many cases there are.
        fewest: the smallest share that the majority is taken to have.
    """
    lacking = majority > 0.5
    with_code = cases * np.where(lacking, 1 - holding, holding)
    found = fit_code_shift(with_code, cases, np.clip(np.minimum(majority, 1 - majority), fewest, 1 - fewest))
    return np.where(lacking, -1.0, 1.0) * found.log_odds_ratio


def _kept(shift: FloatArray, variance: FloatArray) -> FloatArray:
    """Return the share of each column's shift that is kept, ``(P,)``; 0 below one standard error."""
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = 1 - variance / shift**2
    return np.where(shift == 0, 0.0, np.clip(kept, 0.0, None))


@dataclass(frozen=True)
class _Scaled:
    """The metric of centred and scaled rows: share * covariance + ridge * identity."""

    rows: Any
    centre: FloatArray
    scale: FloatArray
    weights: FloatArray
    share: float
    ridge: float

    def solve(self, right: FloatArray) -> FloatArray:
        """Return the solution for a right-hand side, ``(P,)``."""
        if not sparse.issparse(self.rows):
            centred = (self.rows - self.centre) / self.scale
            metric = self.share * (centred.T * self.weights) @ centred
            metric[np.diag_indices_from(metric)] += self.ridge
            return np.asarray(cho_solve(cho_factor(metric), right))
        size = len(right)
        found, failed = cg(
            LinearOperator((size, size), matvec=self._times, dtype=np.float64), right, rtol=TOLERANCE, maxiter=MOST_STEPS
        )
        if failed:
            raise TrainingError(
                f"The majority-guided score must converge; it did not within {MOST_STEPS} steps. Exclude columns that repeat "
                "others, or use another classifier."
            )
        return np.asarray(found)

    def _times(self, vector: FloatArray) -> FloatArray:
        """Return the metric times a vector, without the covariance."""
        scaled = vector / self.scale
        line = (self.rows @ scaled - self.centre @ scaled) * self.weights
        back = (self.rows.T @ line - self.centre * line.sum()) / self.scale
        return np.asarray(self.share * back + self.ridge * vector)


def _mean(rows: Any, weights: FloatArray) -> FloatArray:
    """Return weighted column means, ``(P,)``."""
    return np.asarray(weights @ rows, dtype=np.float64) / float(weights.sum())


def _squared(rows: Any) -> Any:
    return rows.multiply(rows) if sparse.issparse(rows) else rows**2
