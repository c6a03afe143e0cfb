"""What every classifier does."""

from __future__ import annotations

from typing import Protocol

import pandas as pd

from mgvae.arrays import FloatArray, IntArray


class Classifier(Protocol):
    """A model of the event's probability given a typed table."""

    def fit(self, features: pd.DataFrame, event: IntArray, weights: FloatArray | None = None) -> Classifier:
        """Fit on rows ``(N, P)`` with outcome 0 or 1 and weights, ``(N,)``; return self."""
        ...

    def predict_proba(self, features: pd.DataFrame) -> FloatArray:
        """Return the event's probability for each row, ``(N,)``."""
        ...
