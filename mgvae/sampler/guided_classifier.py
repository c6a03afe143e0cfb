"""The majority-guided score as a classifier of scikit-learn."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils import assert_all_finite, check_consistent_length, check_random_state, column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from mgvae.arrays import Array, FloatArray, IntArray
from mgvae.classifiers.ensemble import EnsembleModel
from mgvae.classifiers.factory import make
from mgvae.classifiers.guided import GuidedModel, fit_guided
from mgvae.classifiers.majority_direction import SHARE, Direction
from mgvae.classifiers.recalibration import to_logit
from mgvae.classifiers.terms import Term, linear_terms
from mgvae.errors import TableError
from mgvae.reproducibility import derive
from mgvae.sampler.column_types import LevelColumn
from mgvae.sampler.containers import as_table, read_labels
from mgvae.sampler.parameters import column_positions
from mgvae.sampler.table_types import TableTypes

Member = Literal["logistic_regression", "elastic_net", "hist_gradient_boosting", "random_forest", "mlp"]


@dataclass(frozen=True)
class _TableModel:
    """What was fitted on a table: the score, and the model that it is part of."""

    types: TableTypes
    guide: GuidedModel
    model: GuidedModel | EnsembleModel
    terms: list[Any]

    @property
    def score(self) -> Direction:
        return self.guide.score

    def design_rows(self, table: pd.DataFrame) -> Any:
        return self.guide.design.rows(self.types.to_typed(table))

    def log_odds(self, table: pd.DataFrame) -> FloatArray:
        if self.model is self.guide:
            return self.score(self.design_rows(table))
        return to_logit(self.model.predict_proba(self.types.to_typed(table)))


@dataclass(frozen=True)
class _SparseModel:
    """What was fitted on sparse rows."""

    score: Direction
    terms: list[Any]

    def design_rows(self, rows: Any) -> Any:
        return rows

    def log_odds(self, rows: Any) -> FloatArray:
        return self.score(rows)


class MajorityGuidedClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Linear classifier for a rare class, guided by the majority's covariance.

    The larger class is the majority. Its rows give the metric, the cases their shift alone: the linear special case of the
    MGVAE, which ten cases are enough for. Probabilities are calibrated by cross-fitting at the prevalence of ``y``; no rows are
    added, so nothing is to be corrected afterwards.

    Takes what `mgvae.MGVAEOverSampler` takes: DataFrames with numbers, categories, text, dates and missing cells, arrays and
    lists. SciPy sparse matrices stay sparse, their columns as they are: memory grows with their entries.

    Args:
        average_with: names of classifiers of this library whose log odds are averaged with the score, such as
            ("logistic_regression", "hist_gradient_boosting"); a sparse matrix is scored alone.
        categorical_features: as in `mgvae.MGVAEOverSampler`.
        share: of the majority's covariance in the metric, in [0, 1); the rest is a multiple of the identity.
        random_state: of the folds of the calibration and of the classifiers that are averaged.

    Attributes:
        classes_: the two labels, sorted.
        case_class_: the label of the smaller class; of two equal ones the last.
        coefficients_: log odds of ``case_class_`` for one unit of each term of the score, by term; of a sparse matrix by
            position of the column.
        intercept_: what is added.
        n_features_in_, feature_names_in_: as in scikit-learn.

    >>> from mgvae import MajorityGuidedClassifier
    >>> MajorityGuidedClassifier().fit(X, y).predict_proba(X)  # doctest: +SKIP
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "average_with": ["array-like"],
        "categorical_features": [StrOptions({"infer"}), "array-like"],
        "share": [Interval(numbers.Real, 0, 1, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        average_with: Sequence[Member] = (),
        categorical_features: Any = "infer",
        share: float = SHARE,
        random_state: Any = None,
    ) -> None:
        self.average_with = average_with
        self.categorical_features = categorical_features
        self.share = share
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(self, X: Any, y: Any) -> MajorityGuidedClassifier:
        """Fit on a table, ``(N, P)``, with labels of two classes, ``(N,)``; return self.

        Raises:
            ValueError: a parameter, the table or the labels cannot be used; the message says what must hold.
        """
        self._require_members()
        event = self._events(y)
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        given = self._rows(X, reset=True)
        check_consistent_length(given, event)
        if isinstance(given, pd.DataFrame):
            self._fitted: _TableModel | _SparseModel = self._fit_table(given, event, seed)
        else:
            score = fit_guided(given, event, seed=derive(seed, "guide"), share=self.share)
            self._fitted = _SparseModel(score, list(range(given.shape[1])))
        score, terms = self._fitted.score, self._fitted.terms
        self.coefficients_ = pd.Series(score.weights[: len(terms)], index=pd.Index(terms), name="log_odds")
        self.intercept_ = score.intercept
        return self

    def decision_function(self, X: Any) -> FloatArray:
        """Return the log odds of ``classes_[1]``, ``(N,)``."""
        check_is_fitted(self, "coefficients_")
        log_odds = self._fitted.log_odds(self._rows(X, reset=False))
        return log_odds if self.case_class_ == self.classes_[1] else -log_odds

    def predict_proba(self, X: Any) -> FloatArray:
        """Return the probability of each class, in the order of ``classes_``, ``(N, 2)``."""
        second = expit(self.decision_function(X))
        return np.column_stack([1 - second, second])

    def predict(self, X: Any) -> Array:
        """Return the more probable class, ``(N,)``; with a rare class nearly always the other one."""
        second = self.decision_function(X) > 0
        return np.asarray(self.classes_[second.astype(int)])

    def contributions(self, X: Any) -> pd.DataFrame:
        """Return what each term adds to each row's log odds by the score, ``(N, terms)``.

        A term's contribution is its coefficient times its value; with ``intercept_`` a row's sum to its log odds. Averaged
        classifiers have no part in it.
        """
        check_is_fitted(self, "coefficients_")
        index = X.index if isinstance(X, pd.DataFrame) else None
        rows = self._fitted.design_rows(self._rows(X, reset=False))
        dense = np.asarray(rows.toarray() if sparse.issparse(rows) else rows)[:, : len(self.coefficients_)]
        return pd.DataFrame(dense * self.coefficients_.to_numpy(), index=index, columns=self.coefficients_.index)

    def _fit_table(self, table: pd.DataFrame, event: IntArray, seed: int) -> _TableModel:
        types = TableTypes.fit(table, categorical=column_positions(self.categorical_features, table))
        typed = types.to_typed(table)
        guide = GuidedModel(seed=derive(seed, "guide"), share=self.share)
        others = [make(name, derive(seed, name)) for name in self.average_with]
        model = EnsembleModel([*others, guide]) if others else guide
        model.fit(typed, event)
        return _TableModel(types, guide, model, _terms(guide, types, typed, table))

    def _require_members(self) -> None:
        wrong = [name for name in self.average_with if name not in get_args(Member)]
        if wrong:
            raise TableError(f"average_with must name classifiers among {', '.join(get_args(Member))}; got {wrong[0]!r}.")

    def _events(self, y: Any) -> IntArray:
        """Set the classes and return 1 for the smaller one, ``(N,)``."""
        if y is None:
            raise TableError("fit requires y to be passed, but the target y is None.")
        column = isinstance(y, np.ndarray) and y.ndim == 2 and y.shape[1] == 1
        assert_all_finite(y, input_name="y")
        labels, one_hot = read_labels(column_or_1d(y, warn=True) if column else y)
        check_classification_targets(labels)
        self.classes_, code = np.unique(labels, return_inverse=True)
        if one_hot or len(self.classes_) != 2:
            detail = f"{len(self.classes_)} classes" if not one_hot else "a column per class"
            hint = "Only binary classification is supported. " if len(self.classes_) > 2 else ""
            raise TableError(f"{hint}y must hold two classes, one label a row; got {detail}.")
        rarer = int(np.bincount(code, minlength=2).argmin()) if (code == 0).sum() != (code == 1).sum() else 1
        self.case_class_ = self.classes_[rarer]
        return np.asarray(code == rarer, dtype=np.int64)

    def _rows(self, X: Any, *, reset: bool) -> Any:
        """Return a checked table, or sparse rows where the classifier is fitted on such."""
        stays_sparse = sparse.issparse(X) if reset else isinstance(self._fitted, _SparseModel)
        if stays_sparse:
            rows = check_array(X, accept_sparse="csr", dtype=np.float64)
            validate_data(self, rows, reset=reset, skip_check_array=True)
            return sparse.csr_array(rows)
        if not isinstance(X, pd.DataFrame | list):
            X = X.toarray() if sparse.issparse(X) else np.asarray(X)
        if np.ndim(X) == 2 and np.shape(X)[1] == 0:
            raise TableError(f"X has 0 feature(s) (shape={np.shape(X)}) while a minimum of 1 is required.")
        table = as_table(X)
        validate_data(self, X if isinstance(X, pd.DataFrame) else table.to_numpy(), reset=reset, skip_check_array=True)
        return table

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = tags.input_tags.sparse = True
        return tags


def _terms(guide: GuidedModel, types: TableTypes, typed: pd.DataFrame, table: pd.DataFrame) -> list[str]:
    """Return a name for each coefficient: the column, with its level where it has several."""
    named = {str(at): str(label) for at, label in enumerate(table.columns)}
    levels = {str(at): known.values for at, known in enumerate(types.column_types) if isinstance(known, LevelColumn)}

    def term_name(term: Term) -> str:
        known = levels.get(term.column, ())
        level = str(known[int(term.name)]) if term.name.isdecimal() and int(term.name) < len(known) else term.name
        return f"{named[term.column]}: {level}"

    return [term_name(term) for term in linear_terms(guide.design, typed)]
