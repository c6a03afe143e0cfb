"""Apply SMOTE to typed tables with numeric, nominal and missing cells.

Missing cells are what SMOTE cannot digest. They are filled (median, most frequent level) for the interpolation, beside a
0/1 number that says where; that number is interpolated like any other and rounded, so a synthetic case has the
missingness pattern of the nearer of the two cases it lies between. If none were put back, a classifier could tell
synthetic rows by their completeness; by a vote among neighbours, as SMOTE-NC casts for levels, rare patterns would die
out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
from imblearn.over_sampling import SMOTE, SMOTEN, SMOTENC
from numpy.typing import NDArray
from sklearn.preprocessing import OneHotEncoder

from mgvae.arrays import FloatArray, IntArray
from mgvae.errors import OutcomeError
from mgvae.reproducibility import derive

NEIGHBOURS = 5
CELLS = 20_000_000  # numbers that SMOTENC may hold while it lets neighbours vote


@dataclass(frozen=True)
class _Coded:
    """A coded table: ``numbers (N, M + gaps)``, none missing; ``levels (N, L)``."""

    numbers: FloatArray
    levels: IntArray


@dataclass(frozen=True)
class _Coding:
    """How a typed table was coded; `decode` turns it back.

    Attributes:
        numeric, nominal: names of the columns with numbers and with levels, M and L of them.
        centre, scale: median and spread of each numeric column, ``(M,)``.
        whole: numeric columns that hold whole numbers only, bool ``(M,)``.
        fill: most frequent level of each nominal column, ``(L,)``; -1 where missing cells are a level themselves.
        gaps: positions, numeric columns first, of those with missing cells among the cases.
    """

    numeric: list[str]
    nominal: list[str]
    centre: FloatArray
    scale: FloatArray
    whole: NDArray[np.bool_]
    fill: IntArray
    gaps: IntArray

    def encode(self, features: pd.DataFrame) -> _Coded:
        values, codes = _numbers(features, self.numeric), _codes(features, self.nominal)
        missing = np.column_stack([np.isnan(values), codes < 0])[:, self.gaps]
        scaled = (np.where(np.isnan(values), self.centre, values) - self.centre) / self.scale
        return _Coded(np.column_stack([scaled, missing]), np.where(codes < 0, self.fill, codes))

    def decode(self, coded: _Coded, like: pd.DataFrame) -> pd.DataFrame:
        m = len(self.numeric)
        missing = np.zeros((len(coded.numbers), m + len(self.nominal)), dtype=bool)
        missing[:, self.gaps] = coded.numbers[:, m:] >= 0.5
        values = coded.numbers[:, :m] * self.scale + self.centre
        values[:, self.whole] = np.round(values[:, self.whole])
        values[missing[:, :m]] = np.nan
        codes = np.where(missing[:, m:], -1, coded.levels)
        columns: dict[str, object] = {name: values[:, j] for j, name in enumerate(self.numeric)}
        for j, name in enumerate(self.nominal):
            columns[name] = pd.Categorical.from_codes(codes[:, j], dtype=cast(pd.CategoricalDtype, like[name].dtype))
        return pd.DataFrame(columns)[list(like.columns)]


class DenseDecoder(OneHotEncoder):  # type: ignore[misc]
    """Encode levels as SMOTENC does, and decode a dense table: in a sparse one each row is searched by itself."""

    def inverse_transform(self, X: Any) -> Any:
        """Return the levels of one-hot rows ``(N, columns)``, as ``(N, L)``."""
        return super().inverse_transform(X.toarray())


def smote_cases(features: pd.DataFrame, event: IntArray, *, n: int, seed: int) -> pd.DataFrame:
    """Return ``n`` interpolated cases with the columns and dtypes of ``features``.

    Args:
        features: typed table of the fitting rows, ``(N, P)``.
        event: outcome in {0, 1}, ``(N,)``.
        n: number of cases to make.
        seed: for what is drawn.
    Raises:
        OutcomeError: there are fewer than two cases to interpolate between.
    Source: Chawla et al. 2002, doi 10.1613/jair.953 (SMOTE, SMOTE-NC, SMOTE-N), as implemented in imbalanced-learn. Up to five
        nearest cases, fewer where there are fewer cases.
    """
    cases = int(event.sum())
    if cases < 2:
        raise OutcomeError(f"SMOTE interpolates between cases and needs at least 2 among the fitting rows; got {cases}.")
    coding = _coding(features, event)
    coded = coding.encode(features)
    neighbours = min(NEIGHBOURS, cases - 1)
    if not coding.numeric:
        return coding.decode(_nominal_only(coded, event, n=n, neighbours=neighbours, seed=seed), features)
    width = coded.numbers.shape[1] + sum(len(np.unique(column)) for column in coded.levels[event == 1].T)
    batch = max(1, CELLS // (neighbours * width))
    parts = [
        _mixed(coded, event, n=min(batch, n - start), neighbours=neighbours, seed=derive(seed, "smote", start))
        for start in range(0, n, batch)
    ]
    made = _Coded(np.concatenate([part.numbers for part in parts]), np.concatenate([part.levels for part in parts]))
    return coding.decode(made, features)


def _coding(features: pd.DataFrame, event: IntArray) -> _Coding:
    nominal = [str(name) for name, dtype in features.dtypes.items() if isinstance(dtype, pd.CategoricalDtype)]
    numeric = [str(name) for name in features if name not in nominal]
    values, codes = _numbers(features, numeric), _codes(features, nominal)
    present = ~np.isnan(values)
    centre = np.array([np.median(values[seen, j]) if seen.any() else 0.0 for j, seen in enumerate(present.T)])
    spread = np.where(present, values, centre).std(axis=0)
    fill = np.array([np.bincount(column[column >= 0], minlength=1).argmax() for column in codes.T], dtype=np.int64)
    gaps = np.flatnonzero(np.column_stack([~present, codes < 0])[event == 1].any(axis=0))
    return _Coding(
        numeric=numeric,
        nominal=nominal,
        centre=centre,
        scale=np.where(spread > 0, spread, 1.0),
        whole=np.array([bool((column[~np.isnan(column)] % 1 == 0).all()) for column in values.T], dtype=bool),
        fill=fill if numeric else np.full_like(fill, -1),
        gaps=gaps if numeric else gaps[:0],
    )


def _numbers(features: pd.DataFrame, names: list[str]) -> FloatArray:
    return features[names].to_numpy(dtype=np.float64)


def _codes(features: pd.DataFrame, names: list[str]) -> IntArray:
    codes = [features[name].cat.codes.to_numpy().astype(np.int64) for name in names]
    return np.column_stack(codes) if codes else np.empty((len(features), 0), dtype=np.int64)


def _mixed(coded: _Coded, event: IntArray, *, n: int, neighbours: int, seed: int) -> _Coded:
    """Run SMOTE or SMOTENC, which want a majority unused: cases stand in."""
    real = np.column_stack([coded.numbers, coded.levels])[event == 1]
    numbers = coded.numbers.shape[1]
    stand_in = np.resize(real, (len(real) + n, real.shape[1]))
    options = {"sampling_strategy": {1: len(real) + n}, "k_neighbors": neighbours, "random_state": seed}
    sampler = SMOTE(**options)
    if real.shape[1] > numbers:
        encoder = DenseDecoder(handle_unknown="ignore")
        sampler = SMOTENC(list(range(numbers, real.shape[1])), categorical_encoder=encoder, **options)
    table, _ = sampler.fit_resample(np.concatenate([real, stand_in]), np.repeat([1, 0], [len(real), len(stand_in)]))
    made = np.asarray(table[-n:], dtype=np.float64)
    return _Coded(made[:, :numbers], np.rint(made[:, numbers:]).astype(np.int64))


def _nominal_only(coded: _Coded, event: IntArray, *, n: int, neighbours: int, seed: int) -> _Coded:
    """Run SMOTEN on all rows: its distances compare the levels' event shares."""
    sampler = SMOTEN(sampling_strategy={1: int(event.sum()) + n}, k_neighbors=neighbours, random_state=derive(seed, "smoten"))
    table, _ = sampler.fit_resample(coded.levels, event)
    return _Coded(np.empty((n, 0)), np.asarray(table[-n:], dtype=np.int64))
