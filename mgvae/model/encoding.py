"""Encode a table as a tensor and back; training values come back exactly.

Each column is coded by itself, see `mgvae.model.coders`; one with missing training values carries one indicator more.

Layout of an encoded row: ``inputs`` slots that the encoder network reads (values and missing indicators, column by column),
then the lower bounds of all scored columns, then their upper bounds. A value outside the training range is encoded as the
nearest value inside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mgvae.arrays import Array
from mgvae.config.dictionary import Column, canonical
from mgvae.errors import ShapeError, TrainingError
from mgvae.model.coders import Coder, Level, Scored, fit_levels, fit_scored

NO_ROWS = "An encoding needs at least one training row with at least one column; got none."
AT_ONCE = 1 << 14  # rows that are encoded at once: what is in between stays in the processor's cache


@dataclass(frozen=True)
class Slots:
    """Where a column lies in an encoded row."""

    name: str
    coder: Coder
    start: int
    missing_at: int | None  # slot of the missing indicator
    bound_at: int | None  # position among the scored columns


@dataclass(frozen=True)
class Encoding:
    """The fitted coders of all feature columns, in order."""

    coders: Mapping[str, Coder]

    @property
    def slots(self) -> tuple[Slots, ...]:
        """Where each column lies."""
        out, start, scored = [], 0, 0
        for name, coder in self.coders.items():
            indicator = start + coder.width if coder.missing else None
            is_scored = isinstance(coder, Scored)
            out.append(Slots(name, coder, start, indicator, scored if is_scored else None))
            start += coder.width + coder.missing
            scored += is_scored
        return tuple(out)

    @property
    def inputs(self) -> int:
        """P, the slots that the encoder network reads."""
        return sum(coder.width + coder.missing for coder in self.coders.values())

    @property
    def n_scored(self) -> int:
        """Columns that have bounds."""
        return sum(isinstance(coder, Scored) for coder in self.coders.values())

    @property
    def width(self) -> int:
        """Slots of an encoded row: inputs, lower bounds, upper bounds."""
        return self.inputs + 2 * self.n_scored

    def encode(self, features: pd.DataFrame, *, dtype: type[np.floating[Any]] = np.float64) -> Array:
        """Return the encoded rows, ``(n, width)``.

        Raises:
            ShapeError: a column that the encoding was fitted on is absent.
        """
        self._check(features)
        out, slots = np.zeros((len(features), self.width), dtype=dtype), self.slots
        for start in range(0, len(features), AT_ONCE):
            for place in slots:
                self._encode_column(out[start : start + AT_ONCE], place, features[place.name].iloc[start : start + AT_ONCE])
        return out

    def _encode_column(self, out: Array, place: Slots, column: pd.Series) -> None:
        if place.missing_at is not None:
            out[:, place.missing_at] = column.isna().to_numpy()
        values = slice(place.start, place.start + place.coder.width)
        if isinstance(place.coder, Level):
            out[:, values] = place.coder.encode(column)
        elif place.bound_at is not None:
            bound = self.inputs + place.bound_at
            score, lower, upper = place.coder.encode(column)
            out[:, values] = score
            out[:, bound : bound + 1] = lower
            out[:, bound + self.n_scored : bound + self.n_scored + 1] = upper

    def decode(self, values: Array) -> pd.DataFrame:
        """Return the features of encoded rows; only the ``inputs`` slots are read.

        Args:
            values: ``(n, inputs)`` or more.
        Raises:
            ShapeError: rows are too narrow.
        """
        if values.ndim != 2 or values.shape[1] < self.inputs:
            raise ShapeError(f"Encoded rows must be (n, {self.inputs}) or wider; got {tuple(values.shape)}.")
        columns: dict[str, Any] = {}
        for place in self.slots:
            missing = values[:, place.missing_at] > 0.5 if place.missing_at is not None else np.zeros(len(values), bool)
            columns[place.name] = _decode_column(place, values, missing)
        return pd.DataFrame(columns)

    def _check(self, features: pd.DataFrame) -> None:
        absent = [name for name in self.coders if name not in features]
        if absent:
            raise ShapeError(f"The table must have every column that the encoding was fitted on; absent: {', '.join(absent)}.")

    def to_json(self) -> dict[str, Any]:
        """Return the state as plain JSON: marginal summaries by column, no rows."""
        return {name: {"type": type(coder).__name__.lower(), **vars(coder)} for name, coder in self.coders.items()}


def fit_encoding(features: pd.DataFrame, columns: Mapping[str, Column]) -> Encoding:
    """Return the encoding fitted on training rows.

    Args:
        features: training rows only, typed as `Cohort.features`.
        columns: the dictionary's entries of the features.
    Raises:
        TrainingError: there are no rows.
    """
    if features.empty:
        raise TrainingError(NO_ROWS)
    return Encoding({name: fit_coder(features[name], column) for name, column in columns.items()})


def fit_coder(cells: pd.Series, column: Column) -> Coder:
    """Return the coder fitted on a column of training rows, of which the dictionary says ``column``."""
    fit = fit_levels if column.kind in ("binary", "categorical") else fit_scored
    return fit(cells, tuple(canonical(level) for level in column.levels))


def encoding_from_json(state: Mapping[str, Mapping[str, Any]]) -> Encoding:
    """Return the encoding that `Encoding.to_json` described."""
    types: dict[str, type[Coder]] = {"scored": Scored, "level": Level}
    coders = {}
    for name, entry in state.items():
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items() if key != "type"}
        make: Callable[..., Coder] = types[entry["type"]]
        coders[name] = make(**values)
    return Encoding(coders)


def _decode_column(place: Slots, values: Array, missing: Array) -> Any:
    coder = place.coder
    slots = values[:, place.start : place.start + coder.width]
    decoded = coder.decode(slots) if isinstance(coder, Level) else coder.decode(slots[:, 0].astype(np.float64))
    if not coder.levels:
        return np.where(missing, np.nan, decoded)
    codes = np.where(missing | np.isnan(decoded), -1, decoded).astype(int)
    levels = pd.CategoricalDtype(list(coder.levels), ordered=isinstance(coder, Scored))
    return pd.Categorical.from_codes(codes, dtype=levels)
