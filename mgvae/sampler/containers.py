"""Containers of ``X`` and ``y``: rows and labels are appended in kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from imblearn.utils import check_target_type
from pandas.api import types
from scipy import sparse
from sklearn.utils.multiclass import check_classification_targets

from mgvae.arrays import Array
from mgvae.errors import TableError


def as_table(X: Any) -> pd.DataFrame:
    """Return ``X`` as a DataFrame; the same object where it is one.

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


def append_rows(X: Any, made: pd.DataFrame, parents: Array) -> Any:
    """Return ``X`` with the rows of ``made`` after its own, in the same container.

    Args:
        X: what the user gave; it is not changed.
        made: rows with the columns and dtypes of `as_table` of it.
        parents: position in ``X`` of each row's parent, for `new_index_labels`.
    """
    if isinstance(X, pd.DataFrame):
        return stack_tables(X, made.set_axis(new_index_labels(X.index, parents)))
    if isinstance(X, list):
        return X + [list(row) for row in made.itertuples(index=False, name=None)]
    if sparse.issparse(X):
        kind = sparse.csr_array if isinstance(X, sparse.sparray) else sparse.csr_matrix
        return sparse.vstack([X, kind(made.to_numpy(dtype=X.dtype))], format=X.format, dtype=X.dtype)
    rows = made.astype(object) if X.dtype == object else made
    return np.concatenate([X, rows.to_numpy(dtype=X.dtype)])


def new_index_labels(index: pd.Index, parents: Array) -> pd.Index:
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
        fits = start + n - 1 <= np.iinfo(getattr(index.dtype, "numpy_dtype", index.dtype)).max
        return pd.Index(np.arange(start, start + n), dtype=index.dtype, name=index.name) if fits else index[parents]
    if pd.api.types.is_string_dtype(index):  # for objects this looks at each
        return pd.Index(_unused(set(index), n), dtype=index.dtype, name=index.name)
    return index[parents]


def _unused(taken: set[Any], n: int) -> list[str]:
    """Return the first ``n`` of synthetic-0, synthetic-1 and so on that are not taken."""
    names = (f"synthetic-{at}" for at in range(n + len(taken)))
    return [name for name in names if name not in taken][:n]


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


def stack_tables(upper: pd.DataFrame, lower: pd.DataFrame) -> pd.DataFrame:
    """Return both tables, one above the other; column labels may repeat."""
    names = upper.columns
    plain = pd.RangeIndex(len(names))
    out = pd.concat([upper.set_axis(plain, axis=1), lower.set_axis(plain, axis=1)])
    if isinstance(upper.index, pd.RangeIndex) and isinstance(lower.index, pd.RangeIndex) and len(lower):
        step = upper.index.step
        out.index = pd.RangeIndex(upper.index.start, upper.index.start + len(out) * step, step, name=upper.index.name)
    elif out.index.dtype != upper.index.dtype:  # pandas makes text of objects that are text
        out.index = out.index.astype(upper.index.dtype)
    return out.set_axis(names, axis=1)


def read_labels(y: Any) -> tuple[Array, int]:
    """Return the labels in ``y``.

    Returns:
        Labels in one plain dtype, ``(N,)``, the column's position where there is one per class; and how many columns such a
        matrix has, 0 where labels were given as such.
    Raises:
        ValueError: labels are missing, of several kinds, continuous, or more than one per row.
    """
    if sparse.issparse(y):
        raise TableError("y must be dense; got a SciPy sparse matrix. Use y.toarray().")
    given = _plain(y)
    check_classification_targets(given)
    labels, one_hot = check_target_type(given, indicate_one_vs_all=True)
    return np.asarray(labels), given.shape[1] if one_hot else 0


def append_labels(y: Any, labels: Array, parents: Array, *, one_hot: int = 0) -> Any:
    """Return ``y`` with ``labels`` after its own, in the same container.

    Args:
        y: what the user gave; it is not changed.
        labels: the label of each row made, as `read_labels` returns it.
        parents: position in ``y`` of each row's parent.
        one_hot: columns of an indicator matrix, as `read_labels` returns it.
    """
    if isinstance(y, pd.DataFrame):
        lower = pd.DataFrame(np.eye(one_hot, dtype=int)[labels]) if one_hot else pd.DataFrame({0: labels})
        lower = lower.set_axis(y.columns, axis=1).set_axis(new_index_labels(y.index, parents))
        kinds = dict(enumerate(y.dtypes))
        return stack_tables(y, lower.set_axis(range(y.shape[1]), axis=1).astype(kinds).set_axis(y.columns, axis=1))
    if isinstance(y, pd.Series):
        return append_labels(y.to_frame(), labels, parents).iloc[:, 0].rename(y.name)
    if isinstance(y, pd.Index | pd.api.extensions.ExtensionArray):
        out = append_labels(pd.Series(y), labels, parents)
        return pd.Index(out, name=y.name) if isinstance(y, pd.Index) else out.array
    rows = np.eye(one_hot, dtype=int)[labels] if one_hot else labels
    if isinstance(y, list | tuple):
        return type(y)([*y, *rows.tolist()])
    own = np.asarray(y)
    own = own if one_hot else own.reshape(-1)
    return np.concatenate([own, rows.astype(own.dtype)])


def _plain(y: Any) -> Array:
    """Return labels as an array of a plain dtype, ``(N,)`` or ``(N, columns)``."""
    if y is None:
        raise TableError("y must hold a label for every row; got None.")
    if isinstance(y, pd.DataFrame | pd.Series):
        y = y.to_numpy()
    given = np.asarray(y)
    missing = int(pd.isna(given).sum())
    if missing:
        raise TableError(f"y must have a label for every row; got {missing} missing. Drop those rows.")
    if given.ndim == 2 and given.shape[1] == 1:
        given = given[:, 0]
    if given.dtype != object or given.ndim != 1:
        return given
    kind = types.infer_dtype(given, skipna=False)
    if kind.startswith("mixed"):
        raise TableError("y must hold labels of one kind, such as text or whole numbers; got a mixture. Convert them.")
    return np.asarray(given.astype(str).astype(object) if kind == "string" else pd.Series(given).infer_objects())
