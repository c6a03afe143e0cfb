"""Clear the expectations that surely hold by exact aggregates of their columns.

Great Expectations takes some 10 ms for one expectation, whatever the table: a minute for a thousand columns; and seconds for
its import. Nearly all hold, which a minimum, a maximum or a count says at once. What is not cleared here, broken or merely odd,
Great Expectations judges.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from validation.suite import Expectation

MARGIN = 1e-9  # a share or mean so near to its bound is left to Great Expectations


def surely_holds(expectation: Expectation, table: pd.DataFrame) -> bool:
    """Return whether Great Expectations is sure to find that an expectation of the suite holds.

    Args:
        expectation: see `validation.suite.build_suite`.
        table: the columns that it names, see `validation.checks.with_derived`.
    """
    clears = CLEARS.get(expectation.kind)
    return clears is not None and bool(clears(expectation, table))


def _has_rows(item: Expectation, table: pd.DataFrame) -> bool:
    return item.max_value is None and item.min_value is not None and len(table) >= item.min_value


def _exists(item: Expectation, table: pd.DataFrame) -> bool:
    return item.column in table


def _given(item: Expectation, table: pd.DataFrame) -> bool:
    return _enough(int(table[item.column].isna().sum()), len(table), item.mostly)


def _unique(item: Expectation, table: pd.DataFrame) -> bool:
    cells = table[item.column].dropna()
    return len(cells) > 0 and bool(cells.is_unique)


def _mean(item: Expectation, table: pd.DataFrame) -> bool:
    values = _numbers(table[item.column])
    if values is None or not len(values) or item.min_value is None or item.max_value is None:
        return False
    return item.min_value + MARGIN < float(values.mean()) < item.max_value - MARGIN


def _in_set(item: Expectation, table: pd.DataFrame) -> bool:
    cells, allowed = table[item.column], item.value_set or ()
    if cells.dtype == bool:
        wrong = int((~cells.to_numpy()).sum()) if allowed == (True,) else len(cells)
        return _enough(wrong, len(cells), item.mostly)
    values = _numbers(cells)
    if values is not None:
        return len(values) > 0 and bool(np.isin(values, allowed).all())
    found = set(cells.dropna().unique()) if cells.dtype in (object, "str") else set()
    return bool(found) and found <= set(allowed)


def _between(item: Expectation, table: pd.DataFrame) -> bool:
    values = _numbers(table[item.column])
    if values is None or not len(values):
        return False
    low, high = values.min(), values.max()
    below = item.max_value is None or (high < item.max_value if item.strict_max else high <= item.max_value)
    return bool(below) and (item.min_value is None or low >= item.min_value)


def _varies(item: Expectation, table: pd.DataFrame) -> bool:
    if item.min_value != 2 or item.max_value is not None:
        return False
    cells = table[item.column]
    values = _numbers(cells)
    if values is None:
        return bool(cells.nunique() >= item.min_value)
    return len(values) > 0 and bool(values.min() < values.max())


def _not_after(item: Expectation, table: pd.DataFrame) -> bool:
    first, second = (table[name] for name in item.columns)
    if not all(pd.api.types.is_datetime64_any_dtype(cells) for cells in (first, second)):
        return False
    return bool(((first >= second) | first.isna() | second.isna()).all())


def _enough(broken: int, rows: int, mostly: float) -> bool:
    return rows > 0 and (broken == 0 or (rows - broken) / rows > mostly + MARGIN)


def _numbers(cells: pd.Series) -> np.ndarray[Any, Any] | None:
    """Return the numbers of a column of floats or whole numbers, without the missing; None for any other column."""
    if not isinstance(cells.dtype, np.dtype) or cells.dtype.kind not in "fiu":
        return None
    values = cells.to_numpy()
    return values[~np.isnan(values)] if cells.dtype.kind == "f" else values


CLEARS: dict[str, Callable[[Expectation, pd.DataFrame], bool]] = {
    "TableRowCountToBeBetween": _has_rows,
    "ColumnToExist": _exists,
    "ColumnValuesToBeUnique": _unique,
    "ColumnMeanToBeBetween": _mean,
    "ColumnValuesToNotBeNull": _given,
    "ColumnValuesToBeInSet": _in_set,
    "ColumnValuesToBeBetween": _between,
    "ColumnUniqueValueCountToBeBetween": _varies,
    "ColumnPairValuesAToBeGreaterThanB": _not_after,
}
