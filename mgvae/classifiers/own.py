"""A user's own classifier: any scikit-learn estimator, made by a factory."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from mgvae.arrays import FloatArray, IntArray
from mgvae.classifiers.design import RARE_LEVEL, fit_linear_design
from mgvae.classifiers.import_path import identity, load_factory
from mgvae.errors import ConfigError, TrainingError
from mgvae.reproducibility import numpy_generator

CHECK_ROWS = 120  # of the invented table that a classifier is tried on


class OwnModel:
    """An estimator of the user's, on the table as numbers or as it is.

    It gets the dense rows of `design.LinearDesign`, ``float64 (N, columns)``; if its factory has an attribute ``wants`` that is
    ``"frame"``, the typed table: numbers with NaN, and pandas categories. Every ``random_state`` that is None is set.

    Args:
        name, path: as in cohort.yaml.
        seed: for ``random_state``.
    Raises:
        ConfigError: the path leads to no estimator.
    """

    def __init__(self, name: str, path: str, seed: int) -> None:
        from sklearn.utils.validation import has_fit_parameter

        self.name, self.path, self.seed = name, path, seed
        factory = load_factory(name, path)
        self.wants_frame = getattr(factory, "wants", None) == "frame"
        self.estimator = _made(name, path, factory)
        self.takes_weights = bool(has_fit_parameter(self.estimator, "sample_weight"))
        _seed(self.estimator, seed)

    def fit(self, features: pd.DataFrame, event: IntArray, weights: FloatArray | None = None) -> OwnModel:
        """Fit; see `Classifier.fit`.

        Raises:
            TrainingError: the estimator fails, or rows have different weights and it takes none.
        """
        if weights is not None and not self.takes_weights and np.ptp(weights) > 0:
            raise TrainingError(f"Classifier '{self.name}' takes no sample_weight, which rows of unequal weight need.")
        self._design = None if self.wants_frame else fit_linear_design(features, rare=RARE_LEVEL)
        given = {"sample_weight": weights} if weights is not None and self.takes_weights else {}
        try:
            self.estimator.fit(self._rows(features), event.copy(), **given)
        except Exception as error:  # its message may quote rows of patients
            raise self._failed("fit", error) from None
        self.trained_on = _digest(features, event, weights)
        return self

    def predict_proba(self, features: pd.DataFrame) -> FloatArray:
        """Return the event's probability, ``(N,)``.

        Raises:
            TrainingError: the estimator fails, or gives no probabilities of two classes.
        """
        try:
            found = np.asarray(self.estimator.predict_proba(self._rows(features)), dtype=np.float64)
        except Exception as error:
            raise self._failed("predict_proba", error) from None
        if found.shape != (len(features), 2) or not ((found >= 0) & (found <= 1)).all():
            odd = "numbers outside" if found.shape == (len(features), 2) else f"shape {found.shape}"
            wanted = f"probabilities in [0, 1] of shape ({len(features)}, 2)"
            raise TrainingError(f"Classifier '{self.name}': predict_proba must give {wanted}; got {odd}.")
        return found[:, 1]  # the classes 0 and 1 are sorted, as scikit-learn requires

    def recipe(self) -> Mapping[str, Any]:
        """Return how the fitted estimator was made: all of it that can be saved."""
        return {"name": self.name, **identity(self.name, self.path), "seed": self.seed, "trained_on": self.trained_on}

    def _failed(self, method: str, error: Exception) -> TrainingError:
        return TrainingError(
            f"Classifier '{self.name}': {method} must not fail; got {type(error).__name__}. Try it on other data."
        )

    def _rows(self, features: pd.DataFrame) -> Any:
        if self._design is None:
            return features.copy()
        rows = self._design.rows(features)
        return rows if isinstance(rows, np.ndarray) else rows.toarray()


def remarks_on(own: Mapping[str, str]) -> tuple[str, ...]:
    """Return what `check_own` says of the classifiers with these names and paths."""
    for name, path in own.items():
        load_factory(name, path)  # whether this machine allows it is asked each time
    return tuple(remark for name, path in own.items() for remark in check_own(name, path))


@cache
def check_own(name: str, path: str) -> tuple[str, ...]:
    """Try a user's classifier on an invented table, once in a process.

    Returns:
        What a reader of the report must know of it, in full sentences.
    Raises:
        ConfigError: it cannot be used; the message says why.
    """
    features, event = _invented()
    weights = np.where(event == 1, 3.0, 0.5)
    remarks = [f"Classifier '{name}' is the user's own ({path}); a fitted one cannot be saved, only how it was made."]
    try:
        fits = [OwnModel(name, path, 1).fit(features, event) for _ in range(2)]
        one, other = (model.predict_proba(features) for model in fits)
        if fits[0].takes_weights:
            OwnModel(name, path, 1).fit(features, event, weights).predict_proba(features)
    except TrainingError as error:
        raise ConfigError(f"{error} This was on an invented table.{_cause(name, path, features, event)}") from None
    if not fits[0].takes_weights:
        remarks.append(f"Classifier '{name}' takes no sample_weight: it is not combined with class_weight.")
    if not np.array_equal(one, other):
        remarks.append(
            f"Classifier '{name}' predicts differently after each fit, also with one seed: a run cannot be repeated."
        )
    return tuple(remarks)


def _made(name: str, path: str, factory: Any) -> Any:
    from sklearn.base import clone
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        made = factory()
        copy = clone(made)
    except Exception as error:  # no patient's data have been read
        raise ConfigError(
            f"Classifier '{name}': '{path}' must return an estimator that sklearn.base.clone can copy, without arguments; "
            f"{type(error).__name__}: {error}."
        ) from None
    lacking = [method for method in ("fit", "predict_proba") if not hasattr(copy, method)]
    if inspect.isclass(made) or lacking:
        raise ConfigError(
            f"Classifier '{name}': '{path}' must return an estimator with fit and predict_proba; got {type(made).__name__}"
            f"{' without ' + ' and '.join(lacking) if lacking else ''}."
        )
    try:
        check_is_fitted(made)
    except (NotFittedError, TypeError):
        return copy
    raise ConfigError(f"Classifier '{name}': '{path}' must return an unfitted estimator; got a fitted one.")


def _seed(estimator: Any, seed: int) -> None:
    """Set every ``random_state`` that is None, also those of steps."""
    parameters = estimator.get_params(deep=True)
    free = [key for key, value in parameters.items() if value is None and key.rpartition("__")[2] == "random_state"]
    estimator.set_params(**dict.fromkeys(free, seed % 2**31))


def _cause(name: str, path: str, features: pd.DataFrame, event: IntArray) -> str:
    """Return the estimator's own message, which can quote no patient here."""
    model = OwnModel(name, path, 1)
    model._design = None if model.wants_frame else fit_linear_design(features, rare=RARE_LEVEL)
    try:
        model.estimator.fit(model._rows(features), event).predict_proba(model._rows(features))
    except Exception as error:
        return f" Its message: {error}"
    return ""


def _invented() -> tuple[pd.DataFrame, IntArray]:
    """Return a typed table with gaps and levels, and an outcome in {0, 1}."""
    draws = numpy_generator(0, "invented")
    x = draws.normal(size=(CHECK_ROWS, 3))
    event = (x[:, 0] + draws.normal(size=CHECK_ROWS) > 1).astype(np.int64)
    x[draws.random(x.shape) < 0.1] = np.nan
    levels = pd.Categorical.from_codes(draws.integers(-1, 3, CHECK_ROWS), pd.Index(["a", "b", "c"]))
    return pd.DataFrame(x, columns=["u", "v", "w"]).assign(level=levels), event


def _digest(features: pd.DataFrame, event: IntArray, weights: FloatArray | None) -> str:
    """Return the sha256 of what an estimator was fitted on."""
    total = hashlib.sha256(pd.util.hash_pandas_object(features, index=False).to_numpy().tobytes())
    total.update(event.tobytes() + (b"" if weights is None else weights.tobytes()))
    return total.hexdigest()
