"""A fitted multilayer perceptron as numbers, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from mgvae.arrays import FloatArray
from mgvae.classifiers.row_sums import row_sums

FARTHEST = 5.0  # standard deviations from the median at which a value is taken at most
CHUNK = 20_000  # rows that a wide, sparse design is made dense for at a time


@dataclass(frozen=True)
class Network:
    """Fitted members as numbers: K of them, P columns, H hidden units.

    Attributes:
        inner, inner_level: weights and levels of the hidden units, ``(K, P, H)`` and ``(K, 1, H)``.
        outer, outer_level: of the log odds, ``(K, H, 1)`` and ``(K, 1, 1)``.
        normalised: whether the hidden units have length 1 in each row, as LDAM wants.
    """

    inner: FloatArray
    inner_level: FloatArray
    outer: FloatArray
    outer_level: FloatArray
    normalised: bool

    def predict_proba(self, rows: Any) -> FloatArray:
        """Return the event's probability for rows of a design, ``(N,)``."""
        parts = [self._log_odds(bounded(rows[at : at + CHUNK])) for at in range(0, rows.shape[0], CHUNK)]
        return np.asarray(expit(np.concatenate(parts)) if parts else np.empty(0))

    def to_json(self) -> dict[str, Any]:
        """Return the network as plain JSON."""
        return {key: value if isinstance(value, bool) else value.tolist() for key, value in vars(self).items()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Network:
        """Return the network in `to_json`'s result."""
        numbers = {key: np.array(content[key], dtype=np.float64) for key in ("inner", "inner_level", "outer", "outer_level")}
        return cls(**numbers, normalised=bool(content["normalised"]))

    def _log_odds(self, X: FloatArray) -> FloatArray:
        hidden = np.repeat(self.inner_level, len(X), axis=1)
        for at in range(X.shape[1]):  # one column after another, see mgvae.classifiers.row_sums
            hidden += X[:, at, None] * self.inner[:, at, None, :]
        hidden = np.maximum(hidden, 0.0)
        if self.normalised:
            hidden /= np.maximum(np.linalg.norm(hidden, axis=2, keepdims=True), 1e-12)
        lines = [row_sums(units, outer[:, 0]) for units, outer in zip(hidden, self.outer, strict=True)]
        return np.asarray((np.stack(lines) + self.outer_level[:, :, 0]).mean(axis=0))


def bounded(rows: Any) -> FloatArray:
    """Return rows of a design as a dense matrix within ``FARTHEST``."""
    dense = rows if isinstance(rows, np.ndarray) else rows.toarray()
    return np.asarray(dense.clip(-FARTHEST, FARTHEST), dtype=np.float64)
