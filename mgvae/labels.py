"""The labels that the sampler is given: checked, as one plain array, and given back in the kind of container they came in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from imblearn.utils import check_target_type
from pandas.api import types
from scipy import sparse
from sklearn.utils.multiclass import check_classification_targets

from mgvae.containers import new_labels, stacked
from mgvae.encoding import Array
from mgvae.errors import TableError


@dataclass(frozen=True)
class Labels:
    """Labels of a table's rows.

    Attributes:
        each: of each row, in one plain dtype, ``(N,)``; where there was a column per class, the column's position.
        one_hot: columns of the indicator matrix that was given; 0 where labels were given as such.
    """

    each: Array
    one_hot: int


def read_labels(y: Any) -> Labels:
    """Return the labels in ``y``.

    Raises:
        ValueError: labels are missing, of several kinds, continuous, or more than one per row.
    """
    if sparse.issparse(y):
        raise TableError("y must be dense; got a SciPy sparse matrix. Use y.toarray().")
    given = _plain(y)
    check_classification_targets(given)
    labels, one_hot = check_target_type(given, indicate_one_vs_all=True)
    return Labels(np.asarray(labels), given.shape[1] if one_hot else 0)


def appended_labels(y: Any, labels: Array, parents: Array, *, one_hot: int = 0) -> Any:
    """Return ``y`` with ``labels`` after its own, in the same kind of container.

    Args:
        y: what the sampler was given.
        labels: the label of each row made, as in `Labels.each`.
        parents: position in ``y`` of each row's parent.
        one_hot: as in `Labels`.
    """
    if isinstance(y, pd.DataFrame):
        lower = pd.DataFrame(np.eye(one_hot, dtype=int)[labels]) if one_hot else pd.DataFrame({0: labels})
        lower = lower.set_axis(y.columns, axis=1).set_axis(new_labels(y.index, parents))
        kinds = dict(enumerate(y.dtypes))
        return stacked(y, lower.set_axis(range(y.shape[1]), axis=1).astype(kinds).set_axis(y.columns, axis=1))
    if isinstance(y, pd.Series):
        return appended_labels(y.to_frame(), labels, parents).iloc[:, 0].rename(y.name)
    if isinstance(y, pd.Index | pd.api.extensions.ExtensionArray):
        out = appended_labels(pd.Series(y), labels, parents)
        return pd.Index(out, name=y.name) if isinstance(y, pd.Index) else out.array
    rows = np.eye(one_hot, dtype=int)[labels] if one_hot else labels
    if isinstance(y, list | tuple):
        return type(y)([*y, *rows.tolist()])
    own = np.asarray(y)
    own = own if one_hot else own.reshape(-1)
    return np.concatenate([own, rows.astype(own.dtype)])


def _plain(y: Any) -> Array:
    """Return labels as an array of a plain dtype, ``(N,)``, or ``(N, columns)`` where there is more than one column."""
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
