"""Where the training patients lie, so that one who lies far from all of them is noticed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mgvae.arrays import BoolArray, FloatArray
from mgvae.classifiers.design import LinearDesign, fit_linear_design, level_codes, nominal_columns
from mgvae.classifiers.design_json import as_json, linear_design
from mgvae.reproducibility import numpy_generator

OUTSIDE = 0.001  # share of patients like the training patients who are called far
RIDGE = 1e-3  # of a column's variance: columns may be copies of each other
MOST_JOINT = 100  # columns beyond which their dependence is left out


@dataclass(frozen=True)
class Region:
    """The region of the training patients: a centre, a metric and a distance. It holds no patient's row.

    Attributes:
        design: numbers, ranks and indicators of missing cells, standardised.
        centre: their means, ``(Q,)``.
        whitening: ``(Q, Q)``; the squared distance is that of ``(x - centre) @ whitening`` from 0 (Mahalanobis).
        limit: squared distance beyond which one in a thousand of them would lie, had it not been among them.
        unseen: by column, the levels of the dictionary that none of them has.
    """

    design: LinearDesign
    centre: FloatArray
    whitening: FloatArray
    limit: float
    unseen: Mapping[str, list[str]]

    def far(self, features: pd.DataFrame) -> BoolArray:
        """Return which rows lie beyond the limit, bool ``(N,)``."""
        return np.asarray(self._distance(features) > self.limit)

    def _distance(self, features: pd.DataFrame) -> FloatArray:
        away = (_dense(self.design.rows(_without_nominal(features))) - self.centre) @ self.whitening
        return np.asarray(np.round((away**2).sum(axis=1), 6))

    def to_json(self) -> dict[str, Any]:
        """Return the region as plain JSON."""
        numbers = {"centre": self.centre.tolist(), "whitening": self.whitening.tolist(), "limit": self.limit}
        return {"design": as_json(self.design), **numbers, "unseen": dict(self.unseen)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Region:
        """Return the region in `to_json`'s result; a wrong key raises as in Python."""
        centre, whitening = (np.array(content[key], dtype=np.float64) for key in ("centre", "whitening"))
        unseen = {str(name): list(levels) for name, levels in content["unseen"].items()}
        return cls(linear_design(content["design"]), centre, whitening, float(content["limit"]), unseen)


def fit_region(features: pd.DataFrame, *, most: int | None = None, seed: int = 0) -> Region:
    """Return the region of the training patients, ``(N, P)``; of a random ``most`` of them, levels apart.

    The limit is a quantile of their distances, each from the centre and by the metric of all others: measured by a metric to
    which it contributed, a patient seems nearer than a new one like it.
    """
    levels = [str(name) for name, dtype in features.dtypes.items() if isinstance(dtype, pd.CategoricalDtype)]
    unseen = {name: found for name in levels if (found := _unseen(features[name]))}
    if most is not None and len(features) > most:
        features = features.iloc[np.sort(numpy_generator(seed, "region").choice(len(features), size=most, replace=False))]
    design = fit_linear_design(_without_nominal(features), rare=1)
    rows = _dense(design.rows(_without_nominal(features)))
    n, width = rows.shape
    centre = rows.mean(axis=0)
    variance = rows.var(axis=0, ddof=1) if n > 1 else np.ones(width)
    if width <= MOST_JOINT and n > 1:
        covariance = np.atleast_2d(np.cov(rows.T)) + np.diag(RIDGE * variance + 1e-9)
        whitening = np.linalg.inv(np.linalg.cholesky(covariance)).T
    else:
        whitening = np.diag(1 / np.sqrt(np.maximum(variance, 1e-9) * width))
    region = Region(design, centre, whitening, np.inf, unseen)
    inside = region._distance(features)
    # the distance from the others' centre by the others' covariance, from the distance among all (Sherman and Morrison)
    left = np.maximum((n - 1) - inside * n / max(n - 1, 1), 1e-9)
    outside = inside * (n / max(n - 1, 1)) ** 2 * max(n - 2, 1) / left
    return Region(design, centre, whitening, float(np.quantile(outside, 1 - OUTSIDE)), unseen)


def _unseen(column: pd.Series[Any]) -> list[str]:
    codes = level_codes(column)
    counts = np.bincount(codes[codes >= 0], minlength=len(column.cat.categories))
    return [str(level) for level, rows in zip(column.cat.categories, counts, strict=True) if not rows]


def _without_nominal(features: pd.DataFrame) -> pd.DataFrame:
    return features.drop(columns=nominal_columns(features))


def _dense(rows: Any) -> FloatArray:
    return np.asarray(rows if isinstance(rows, np.ndarray) else rows.toarray(), dtype=np.float64)
