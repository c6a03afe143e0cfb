"""Checks of the sampler's parameters that need more than a type."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions

from mgvae.arrays import Array
from mgvae.config.sections import Training
from mgvae.errors import TableError

POSITIVE = Interval(numbers.Integral, 1, None, closed="left")
CONSTRAINTS: dict[str, Any] = {  # of the sampler's own parameters, as scikit-learn checks them
    "categorical_features": [StrOptions({"infer"}), "array-like"],
    "latent_dim": [POSITIVE],
    "hidden": ["array-like"],
    "epochs": [StrOptions({"auto"}), POSITIVE],
    "finetune_epochs": [POSITIVE],
    "ewc_lambda": [StrOptions({"auto"}), Interval(numbers.Real, 0, None, closed="left")],
    "exemplar_weights": [StrOptions({"tilted", "uniform"})],
    "plausibility": [StrOptions({"matched", "stacked", "filtered", "none"})],
    "pretraining": ["boolean"],
    "leave_one_out": ["boolean"],
    "posterior_variance": [StrOptions({"free", "tied"})],
    "learning_rate": [Interval(numbers.Real, 0, None, closed="neither")],
    "finetune_learning_rate": [Interval(numbers.Real, 0, None, closed="neither")],
    "batch_size": [Interval(numbers.Integral, 2, None, closed="left")],
    "exemplars": [StrOptions({"all"}), POSITIVE],
    "device": [StrOptions({"auto", "cpu", "cuda"})],
    "verbose": ["boolean"],
    "rules": ["array-like", None],
}


def training_settings(parameters: Mapping[str, Any]) -> Training:
    """Return the settings of training among the sampler's parameters.

    Each is the field of the same name, but for ``epochs``, which is ``pretrain_epochs``.
    """
    shared = {name: value for name, value in parameters.items() if name in Training.model_fields}
    shared |= {"hidden": layer_widths(parameters["hidden"]), "pretrain_epochs": parameters["epochs"]}
    return Training(**shared)


def layer_widths(hidden: Any) -> tuple[int, ...]:
    """Return the width of each hidden layer.

    Raises:
        TableError: there is none, or one is no whole number of 1 or more.
    """
    given = list(hidden)
    if not given or any(not isinstance(width, numbers.Integral) or width < 1 for width in given):
        raise TableError(f"hidden must be whole numbers of 1 or more, such as (128, 128); got {hidden!r}.")
    return tuple(int(width) for width in given)


def group_codes(groups: Any, rows: int) -> Array:
    """Return a group code per row, ``(rows,)``; without groups every row is its own.

    Raises:
        TableError: a row has no group.
    """
    if groups is None:
        return np.arange(rows)
    given = column_or_1d(groups)
    missing = int(pd.isna(given).sum())
    if missing:
        raise TableError(f"groups must have a value for every row; got {missing} missing. Give those rows groups of their own.")
    return np.asarray(pd.factorize(given)[0])


def column_positions(features: Any, table: pd.DataFrame) -> list[int]:
    """Return the positions of the columns that ``categorical_features`` names.

    Raises:
        TableError: an entry is no column of ``table``.
    """
    if isinstance(features, str):
        return []
    given = list(features)
    if len(given) == table.shape[1] and all(isinstance(entry, bool | np.bool_) for entry in given):
        return np.flatnonzero(given).tolist()
    names = list(table.columns)
    out = []
    for entry in given:
        at = names.index(entry) if entry in names else entry
        if not isinstance(at, int | np.integer) or not -len(names) <= at < len(names):
            raise TableError(f"categorical_features must hold columns of X, by name or position; got {entry!r}.")
        out.append(int(at) % len(names))
    return out
