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
        if np.ndim(X) != 2:
            raise TableError(f"X must have rows and columns; got {np.ndim(X)} dimension(s). Reshape your data.")
        table = pd.DataFrame(X)
        table = table.infer_objects()
    else:
        raise TableError(
            f"X must be a pandas DataFrame, an array, a SciPy sparse matrix or a list of rows; got {type(X).__name__}."
            " Convert it, for example with .to_pandas()."
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
        return _stacked(X, made.set_axis(new_labels(X.index, parents)))
    if isinstance(X, list):
        return X + made.to_numpy().tolist()
    if sparse.issparse(X):
        rows = sparse.csr_array(made.to_numpy(dtype=X.dtype))
        return sparse.vstack([X, rows], format=X.format, dtype=X.dtype)
    rows = made.astype(object) if X.dtype == object else made
    return np.concatenate([X, rows.to_numpy(dtype=X.dtype)])


def appended_labels(y: Any, labels: Array, parents: Array, *, index: pd.Index | None, one_hot: Array | None) -> Any:
    """Return ``y`` with ``labels`` after its own, in the same kind of container.

    Args:
        y: what the sampler was given.
        labels: the label of each row made.
        parents: position in ``y`` of each row's parent.
        index: of the table that goes with it; None where that is no DataFrame.
        one_hot: where y has a column per class, the classes in their order; else None.
    """
    if one_hot is not None:
        rows = (labels[:, None] == one_hot[None, :]).astype(np.asarray(y).dtype)
        return np.concatenate([np.asarray(y), rows])
    if isinstance(y, pd.Series | pd.DataFrame):
        frame = y.to_frame() if isinstance(y, pd.Series) else y
        made = pd.DataFrame({0: pd.Series(labels).astype(frame.dtypes.iloc[0])}).set_axis(new_labels(y.index, parents))
        out = _stacked(frame, made.set_axis(frame.columns, axis=1))
        out.index = out.index if index is None else index
        return out.iloc[:, 0].set_axis(out.index).rename(y.name) if isinstance(y, pd.Series) else out  # type: ignore[call-overload]
    if isinstance(y, list):
        return y + labels.tolist()
    own = np.asarray(y).reshape(-1)
    return np.concatenate([own, labels.astype(own.dtype)])


def new_labels(index: pd.Index, parents: Array) -> pd.Index:
    """Return index labels for new rows, of the kind that ``index`` has.

    Whole numbers go on after the largest, text is "synthetic-0", "synthetic-1" and so on; in an index of another kind (dates,
    several levels) a row carries its parent's label.
    """
    n = len(parents)
    if isinstance(index, pd.RangeIndex):
        start = len(index) * index.step + index.start
        return pd.RangeIndex(start, start + n * index.step, index.step, name=index.name)
    if pd.api.types.is_integer_dtype(index.dtype) and not isinstance(index, pd.MultiIndex):
        start = int(index.max()) + 1
        return pd.Index(np.arange(start, start + n), dtype=index.dtype, name=index.name)
    if pd.api.types.is_string_dtype(index.dtype) and not isinstance(index, pd.MultiIndex | pd.CategoricalIndex):
        return pd.Index([f"synthetic-{at}" for at in range(n)], dtype=index.dtype, name=index.name)
    return index[parents]


def _stacked(upper: pd.DataFrame, lower: pd.DataFrame) -> pd.DataFrame:
    """Return both tables, one above the other; equal labels may occur more than once."""
    names = upper.columns
    plain = pd.RangeIndex(len(names))
    out = pd.concat([upper.set_axis(plain, axis=1), lower.set_axis(plain, axis=1)])
    if isinstance(upper.index, pd.RangeIndex) and isinstance(lower.index, pd.RangeIndex) and len(lower):
        step = upper.index.step
        out.index = pd.RangeIndex(upper.index.start, upper.index.start + len(out) * step, step, name=upper.index.name)
    return out.set_axis(names, axis=1)
