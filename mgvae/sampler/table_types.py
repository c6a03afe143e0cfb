"""The types of a user's table, inferred from the dtypes of its columns.

Numbers (plain, nullable, Arrow, sparse, or alone in a column of objects) become float64, and a binary column where they take
exactly two values. Booleans, categories, text and other objects become levels, in order where the dtype has one. Dates and
durations become whole steps since the earliest, in the coarsest unit that holds them all. The columns of the typed table are
named by position, since a user's labels may be repeated or no text.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api import types

from mgvae.config.dictionary import Column
from mgvae.errors import TableError
from mgvae.sampler.column_types import NUMBERS_IN_OBJECTS, ColumnType, LevelColumn, NumericColumn, StepColumn
from mgvae.sampler.column_values import factorize, to_floats


@dataclass(frozen=True, eq=False)
class TableTypes:
    """The types of a table's columns, by position.

    Attributes:
        labels: the user's column labels, ``(P,)``.
        column_types: of each column, ``(P,)``.
    """

    labels: pd.Index
    column_types: tuple[ColumnType, ...]

    @classmethod
    def fit(cls, table: pd.DataFrame, *, categorical: Collection[int] = ()) -> TableTypes:
        """Return the types of ``table``.

        Args:
            table: the user's, ``(N, P)``.
            categorical: positions of columns whose values are names, whatever their dtype.
        Raises:
            TableError: a column holds something that is no number, level or time, a number that is infinite, or a whole number
                of 2^53 or more.
        """
        columns = (table.iloc[:, at] for at in range(table.shape[1]))
        return cls(table.columns, tuple(_column_type(values, named=at in categorical) for at, values in enumerate(columns)))

    @property
    def columns(self) -> Mapping[str, Column]:
        """The data dictionary of the typed table."""
        return {str(at): column_type.column for at, column_type in enumerate(self.column_types)}

    def to_typed(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the typed table of ``table``, numbered from 0.

        Raises:
            TableError: the table has another number of columns, or a number is infinite.
        """
        if table.shape[1] != len(self.column_types):
            raise TableError(f"X must have the {len(self.column_types)} columns it was fitted on; got {table.shape[1]}.")
        table = table.reset_index(drop=True)
        return pd.DataFrame(
            {str(at): column_type.to_typed(table.iloc[:, at]) for at, column_type in enumerate(self.column_types)}
        )

    def to_user(self, typed: pd.DataFrame, draws: np.random.Generator) -> pd.DataFrame:
        """Return a typed table in the user's labels and dtypes."""
        columns = {at: column_type.to_user(typed[str(at)], draws) for at, column_type in enumerate(self.column_types)}
        out = pd.DataFrame(columns, index=pd.RangeIndex(len(typed)))
        out.columns = self.labels
        return out

    def suppress_rare(self) -> TableTypes:
        """Return the types without the names of rare levels."""
        column_types = (known.suppress_rare() if isinstance(known, LevelColumn) else known for known in self.column_types)
        return TableTypes(self.labels, tuple(column_types))


def restore_categories(table: pd.DataFrame, like: pd.DataFrame) -> pd.DataFrame:
    """Return ``table`` with the categories of ``like`` where these include its own.

    A fitted sampler keeps the frequent categories alone; the table that it is given has them all.
    """
    out = {}
    for at in range(table.shape[1]):
        column, other = table.iloc[:, at], like.iloc[:, at].dtype
        if isinstance(column.dtype, pd.CategoricalDtype) and isinstance(other, pd.CategoricalDtype):
            column = column.astype(other) if set(column.cat.categories) <= set(other.categories) else column
        out[at] = column
    return pd.DataFrame(out, index=table.index).set_axis(table.columns, axis=1)


def _column_type(values: pd.Series, *, named: bool) -> ColumnType:
    dtype = values.dtype
    if named or types.is_bool_dtype(dtype):
        return LevelColumn.fit(values)
    if types.is_complex_dtype(dtype):
        raise TableError(f"Column '{values.name}' must hold numbers, levels or times; got dtype {dtype}. Convert or drop it.")
    if types.is_numeric_dtype(dtype):
        return _two_levels(values) or NumericColumn.fit(values)
    if dtype.kind in "mM":  # dates and durations, Arrow's and those with a time zone too
        return StepColumn.fit(values)
    if types.is_object_dtype(dtype) and types.infer_dtype(values, skipna=True) in NUMBERS_IN_OBJECTS:
        return NumericColumn.fit(values)
    return LevelColumn.fit(values)


def _two_levels(values: pd.Series) -> LevelColumn | None:
    """Return the type of a column of exactly two numbers; None for any other."""
    numbers = to_floats(values)
    present = numbers[~np.isnan(numbers)]
    if not len(present) or present.min() == present.max() or ((present != present.min()) & (present != present.max())).any():
        return None
    distinct = sorted(factorize(values)[1])
    return LevelColumn(values.dtype, tuple(distinct), missing=np.nan) if len(distinct) == 2 else None  # floats may coincide
