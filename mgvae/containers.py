"""What the sampler is given and gives back: DataFrame, array, sparse matrix or list, with rows appended in the same kind."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from scipy import sparse

from mgvae.errors import TableError

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"


def as_table(X: Any) -> pd.DataFrame:
    """Return ``X`` as a DataFrame; the very object where it is one.

    Raises:
        TableError: it is of another kind, has no rows or no columns, or is not two-dimensional.
    """
    if isinstance(X, pd.DataFrame):
        table = X
    elif sparse.issparse(X):
        table = pd.DataFrame(X.toarray())
    elif isinstance(X, np.ndarray | list):
        _require_rows(X)
        table = pd.DataFrame(X).infer_objects()
    else:
        raise TableError(
            f"X must be a pandas DataFrame, an array, a SciPy sparse matrix or a list of rows; got {type(X).__name__}."
            " Convert it: a table of another library often has .to_pandas(), a Series .to_frame(). Reshape your data."
        )
    if not table.shape[0] or not table.shape[1]:
        raise TableError(f"X must have at least one row and one column; got shape {table.shape}.")
    return table


def appended(X: Any, made: pd.DataFrame, parents: Array) -> Any:
    """Return ``X`` with the rows of ``made`` after its own, in the same kind of container.

    Args:
        X: what the sampler was given; it is left as it is.
        made: rows with the columns and dtypes of `as_table` of it.
        parents: position in ``X`` of each row's parent, for `new_labels`.
    """
    if isinstance(X, pd.DataFrame):
        return stacked(X, made.set_axis(new_labels(X.index, parents)))
    if isinstance(X, list):
        return X + [list(row) for row in made.itertuples(index=False, name=None)]
    if sparse.issparse(X):
        kind = sparse.csr_array if isinstance(X, sparse.sparray) else sparse.csr_matrix
        return sparse.vstack([X, kind(made.to_numpy(dtype=X.dtype))], format=X.format, dtype=X.dtype)
    rows = made.astype(object) if X.dtype == object else made
    return np.concatenate([X, rows.to_numpy(dtype=X.dtype)])


def new_labels(index: pd.Index, parents: Array) -> pd.Index:
    """Return index labels for new rows, of the kind that ``index`` has.

    Whole numbers go on after the largest, text is "synthetic-0", "synthetic-1" and so on; in an index of another kind (dates,
    several levels, mixed objects, whole numbers at the end of their dtype) a row carries its parent's label.
    """
    n = len(parents)
    if isinstance(index, pd.RangeIndex):
        start = len(index) * index.step + index.start
        return pd.RangeIndex(start, start + n * index.step, index.step, name=index.name)
    if isinstance(index, pd.MultiIndex | pd.CategoricalIndex):
        return index[parents]
    if pd.api.types.is_integer_dtype(index.dtype):
        start = int(index.max()) + 1
        fits = start + n - 1 <= _largest(index.dtype)
        return pd.Index(np.arange(start, start + n), dtype=index.dtype, name=index.name) if fits else index[parents]
    if pd.api.types.is_string_dtype(index):  # for objects this looks at each
        return pd.Index(_unused(set(index), n), dtype=index.dtype, name=index.name)
    return index[parents]


def _unused(taken: set[Any], n: int) -> list[str]:
    """Return the first ``n`` of synthetic-0, synthetic-1 and so on that are not taken."""
    names = (f"synthetic-{at}" for at in range(n + len(taken)))
    return [name for name in names if name not in taken][:n]


def _largest(dtype: Any) -> int:
    """Return the largest whole number that a dtype, plain or nullable, can hold."""
    return int(np.iinfo(getattr(dtype, "numpy_dtype", dtype)).max)


def _require_rows(X: Any) -> None:
    """Raise TableError unless an array or list has rows of equal length."""
    try:
        dimensions = np.ndim(X)
    except ValueError:
        raise TableError("X must have rows of equal length; got a list of rows of several lengths.") from None
    if dimensions != 2:
        raise TableError(f"X must have rows and columns; got {dimensions} dimension(s). Reshape your data.")
    if isinstance(X, np.ma.MaskedArray):
        raise TableError("X must be a plain array; got a masked one. Use X.filled(np.nan).")


def stacked(upper: pd.DataFrame, lower: pd.DataFrame) -> pd.DataFrame:
    """Return both tables, one above the other; equal labels may occur more than once."""
    names = upper.columns
    plain = pd.RangeIndex(len(names))
    out = pd.concat([upper.set_axis(plain, axis=1), lower.set_axis(plain, axis=1)])
    if isinstance(upper.index, pd.RangeIndex) and isinstance(lower.index, pd.RangeIndex) and len(lower):
        step = upper.index.step
        out.index = pd.RangeIndex(upper.index.start, upper.index.start + len(out) * step, step, name=upper.index.name)
    elif out.index.dtype != upper.index.dtype:  # pandas makes text of objects that are text
        out.index = out.index.astype(upper.index.dtype)
    return out.set_axis(names, axis=1)
