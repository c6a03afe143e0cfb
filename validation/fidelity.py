"""Marginal distributions for the report: aggregates only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from mgvae.cohort.embedding import Floats, numbers
from mgvae.config.dictionary import LEVEL_KINDS, Column
from mgvae.results.synthetic import ByGroup, LevelsMarginal, Marginal, NumericMarginal

FEWEST_BINS, MOST_BINS = 12, 20
TAIL = 0.01  # share of the majority or of the cases beyond the outermost edge, at each end


def marginals(
    majority: pd.DataFrame, cases: pd.DataFrame, synthetic: pd.DataFrame, columns: Mapping[str, Column]
) -> list[Marginal]:
    """Compare majority, real and synthetic cases column by column.

    Edges are round numbers that span the bulk of the real values, and what lies outside counts in the first or last bin, so
    no patient's extreme value becomes an edge. Shares are of the values that are not missing and sum to 1 (all 0 where every
    value is missing). The distance compares real and synthetic cases: Kolmogorov-Smirnov for numbers, total variation for
    levels, both 0 to 1; None where one of them has no value.

    Args:
        majority, cases, synthetic: rows with the columns and dtypes of ``Cohort.features``.
        columns: the features' entries in the data dictionary.
    """
    groups = {"majority": majority, "cases": cases, "synthetic": synthetic}
    return [_marginal(name, column, {key: frame[name] for key, frame in groups.items()}) for name, column in columns.items()]


def _marginal(name: str, column: Column, cells: dict[str, pd.Series]) -> Marginal:
    unit = column.unit or ("days from the index date" if column.kind == "date" else None)
    shares = {key: float(values.isna().mean()) if len(values) else None for key, values in cells.items()}
    head = {"column": name, "label": column.label or name, "unit": unit, "missing": ByGroup(**shares)}
    return _levels(cells, head) if column.kind in LEVEL_KINDS else _numeric(cells, head, whole=column.kind in ("count", "date"))


def _levels(cells: dict[str, pd.Series], head: dict[str, Any]) -> LevelsMarginal:
    levels = [str(level) for level in cells["cases"].cat.categories]
    shares: dict[str, Any] = {key: _shares(np.bincount(_codes(values), minlength=len(levels))) for key, values in cells.items()}
    known = all(sum(shares[key]) > 0 for key in ("cases", "synthetic"))
    gaps = (abs(a - b) for a, b in zip(shares["cases"], shares["synthetic"], strict=True))
    distance = min(sum(gaps) / 2, 1.0) if known else None
    return LevelsMarginal(**head, kind="levels", levels=tuple(levels), distance=distance, **shares)


def _numeric(cells: dict[str, pd.Series], head: dict[str, Any], *, whole: bool) -> NumericMarginal:
    values = {key: _finite(column) for key, column in cells.items()}
    edges = _edges([values["majority"], values["cases"]], whole=whole)
    shares: dict[str, Any] = {key: _shares(_histogram(column, edges)) for key, column in values.items()}
    known = len(values["cases"]) > 0 and len(values["synthetic"]) > 0
    # the asymptotic method only spares the p-value, which is not used
    distance = float(stats.ks_2samp(values["cases"], values["synthetic"], method="asymp").statistic) if known else None
    return NumericMarginal(**head, kind="numeric", edges=tuple(map(float, edges)), distance=distance, **shares)


def _codes(cells: pd.Series) -> Floats:
    codes = cells.cat.codes.to_numpy()
    return np.asarray(codes[codes >= 0])


def _finite(cells: pd.Series) -> Floats:
    values = numbers(cells)
    return np.asarray(values[np.isfinite(values)])


def _edges(samples: list[Floats], *, whole: bool) -> Floats:
    """Return round, evenly spaced edges over the bulk of the samples."""
    filled = [sample for sample in samples if len(sample)]
    if not filled:
        return np.array([0.0, 1.0])
    bins = min(max(round(2 * len(samples[-1]) ** (1 / 3)), FEWEST_BINS), MOST_BINS)
    low = min(float(np.quantile(sample, TAIL)) for sample in filled)
    high = max(float(np.quantile(sample, 1 - TAIL)) for sample in filled)
    step = _step((high - low) / bins if high > low else max(abs(high), 1.0) / bins)
    step = max(1.0, math.ceil(step)) if whole else step
    first, last = math.floor(low / step), math.floor(high / step) + 1
    return np.asarray(np.round(np.arange(first, last + 1) * step, 12))


def _step(width: float) -> float:
    """Return the 1, 2, 2.5 or 5 times a power of ten nearest to ``width``."""
    power = 10.0 ** math.floor(math.log10(width))
    return min((factor * power for factor in (1, 2, 2.5, 5, 10)), key=lambda step: abs(math.log(step / width)))


def _histogram(values: Floats, edges: Floats) -> Floats:
    # a value on an edge belongs to the bin on its right; np.histogram would put the last edge to its left
    bins = np.searchsorted(edges, values, side="right") - 1
    return np.bincount(np.clip(bins, 0, len(edges) - 2), minlength=len(edges) - 1)


def _shares(counts: Floats) -> tuple[float, ...]:
    total = int(counts.sum())
    return tuple(float(count) / total if total else 0.0 for count in counts)
