"""Design matrices of linear models on normal scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.special import ndtri

from mgvae.arrays import FloatArray, IntArray
from mgvae.classifiers.design import Levels, LinearDesign, bin_edges, fit_linear_design, measured

FEWEST_BINS = 5  # of a column that has a curvature: fewer levels are a scale of their own
CURVATURE = 0.25 / np.sqrt(2)  # a square less 1 has a variance of 2; a quarter of a score's scale holds it back


@dataclass(frozen=True)
class ScoredDesign:
    """The design matrix of a linear model on normal scores, without intercept.

    A measured column is cut into bins of about equal rows; a bin's value is the standard normal quantile of the middle of the
    ranks that it spans, so that neither units nor tails matter. Missing cells take 0, the middle. For risks that are high at
    both ends, the square of the score, less its mean of 1, follows as a column of its own, at a small scale.

    Attributes:
        base: indicators of levels and of missing cells.
        edges: of the bins, increasing, ``(M,)`` arrays.
        scores: of the bins, one more than edges, ``(M,)`` arrays.
        curved: positions of the measured columns that have a column of squares.
    """

    base: LinearDesign
    edges: tuple[FloatArray, ...]
    scores: tuple[FloatArray, ...]
    curved: IntArray

    @property
    def indicated(self) -> IntArray:
        """As `LinearDesign.indicated`."""
        return self.base.indicated

    @property
    def levels(self) -> Mapping[str, Levels]:
        """As `LinearDesign.levels`."""
        return self.base.levels

    @property
    def places(self) -> Mapping[str, IntArray]:
        """As `LinearDesign.places`."""
        return self.base.places

    def rows(self, features: pd.DataFrame) -> FloatArray | sparse.csr_array:
        """Return the design matrix, as `LinearDesign.rows`."""
        values = measured(features)
        missing = np.isnan(values)
        scored = np.zeros_like(values)
        for place, (edges, scores) in enumerate(zip(self.edges, self.scores, strict=True)):
            scored[:, place] = np.where(missing[:, place], 0.0, scores[np.searchsorted(edges, values[:, place])])
        rows = self.base.assembled(scored, missing, features)
        if not len(self.curved):
            return rows
        squares = np.where(missing, 0.0, CURVATURE * (scored**2 - 1))[:, self.curved]
        if sparse.issparse(rows):
            return sparse.csr_array(sparse.hstack([rows, sparse.csr_array(squares)], format="csr"))
        return np.column_stack([rows, squares])


def fit_scored_design(features: pd.DataFrame, *, rare: int) -> ScoredDesign:
    """Return the design learned from the fitting rows; see `fit_linear_design` for ``rare``."""
    values = measured(features)
    edges = tuple(bin_edges(column) for column in values.T)
    scores = tuple(_bin_scores(column[~np.isnan(column)], cut) for column, cut in zip(values.T, edges, strict=True))
    curved = np.array([place for place, score in enumerate(scores) if len(score) >= FEWEST_BINS], dtype=np.int64)
    return ScoredDesign(fit_linear_design(features, rare=rare), edges, scores, curved)


def _bin_scores(present: FloatArray, edges: FloatArray) -> FloatArray:
    """Return the normal score of each bin from the values present, ``(bins,)``."""
    if not len(present):
        return np.zeros(len(edges) + 1)
    counts = np.bincount(np.searchsorted(edges, present), minlength=len(edges) + 1)
    middle = (np.cumsum(counts) - counts / 2) / len(present)
    return np.asarray(ndtri(np.clip(middle, 0.5 / len(present), 1 - 0.5 / len(present))))
