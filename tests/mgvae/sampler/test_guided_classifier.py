"""The score as a scikit-learn classifier: scikit-learn's checks, tables of mixed types, sparse matrices, contributions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from mgvae import MajorityGuidedClassifier

CHECKS = parametrize_with_checks([MajorityGuidedClassifier(random_state=0)])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize(CHECKS.args[0], list(CHECKS.args[1]), ids=CHECKS.kwargs["ids"])
def test_scikit_learn_check(estimator, check):
    check(estimator)


def patients(n=600, seed=0):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "age": rng.integers(20, 90, size=n),
            "sodium": np.where(rng.random(n) < 0.2, np.nan, rng.normal(140, 4, size=n)),
            "ward": rng.choice(["north", "south", "west"], size=n),
            "sex": pd.Categorical(rng.choice(["f", "m"], size=n)),
            "seen": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 400, size=n), unit="D"),
            "smoker": rng.random(n) < 0.3,
        },
        index=pd.RangeIndex(1000, 1000 + n),
    )
    line = -5 + 0.04 * (table["age"] - 50) + 1.5 * (table["ward"] == "west") + table["smoker"]
    return table, np.where(rng.random(n) < 1 / (1 + np.exp(-line)), "died", "alive")


def test_a_table_of_mixed_types():
    X, y = patients(2000)
    model = MajorityGuidedClassifier(random_state=0).fit(X[:1000], y[:1000])
    p = model.predict_proba(X[1000:])
    assert (list(model.classes_), model.case_class_) == (["alive", "died"], "died")
    assert p.sum(axis=1) == pytest.approx(np.ones(1000))
    assert p[:, 1].mean() == pytest.approx((y == "died").mean(), abs=0.02)
    assert roc_auc_score(y[1000:] == "died", p[:, 1]) > 0.7
    assert "ward: west" in model.coefficients_.index
    assert model.coefficients_["age: per normal score"] > 0
    assert set(model.predict(X[1000:])) <= {"alive", "died"}


def test_contributions_add_up_to_the_log_odds():
    X, y = patients()
    model = MajorityGuidedClassifier(random_state=0).fit(X, y)
    found = model.contributions(X)
    assert list(found.index) == list(X.index)
    assert found.sum(axis=1).to_numpy() + model.intercept_ == pytest.approx(model.decision_function(X))


def test_the_smaller_class_is_the_case_whatever_its_name():
    X, y = patients()
    turned = np.where(y == "died", "a case", "control")
    one = MajorityGuidedClassifier(random_state=0).fit(X, y)
    other = MajorityGuidedClassifier(random_state=0).fit(X, turned)
    assert other.case_class_ == "a case"
    assert other.predict_proba(X)[:, 0] == pytest.approx(one.predict_proba(X)[:, 1])
    assert other.decision_function(X) == pytest.approx(-one.decision_function(X))


def test_sparse_matrices_stay_sparse(monkeypatch):
    rng = np.random.default_rng(0)
    dense = (rng.random((3000, 500)) < 0.02).astype(float)
    y = rng.random(3000) < 0.02 + 0.3 * dense[:, :5].any(axis=1)
    X = sparse.csr_matrix(dense)
    for kind in (sparse.csr_array, sparse.csr_matrix):
        monkeypatch.setattr(kind, "toarray", lambda self: pytest.fail("made dense"))
    model = MajorityGuidedClassifier(random_state=0).fit(X[:2000], y[:2000])
    monkeypatch.undo()
    assert roc_auc_score(y[2000:], model.decision_function(X[2000:])) > 0.65
    assert model.decision_function(dense[2000:]) == pytest.approx(model.decision_function(X[2000:]))
    assert len(set(model.coefficients_.nlargest(5).index) & set(range(5))) >= 4
    assert model.contributions(X[:7]).shape == (7, 500)


def test_averaged_with_other_classifiers():
    X, y = patients(1200)
    model = MajorityGuidedClassifier(average_with=("logistic_regression", "hist_gradient_boosting"), random_state=0)
    alone = MajorityGuidedClassifier(random_state=0).fit(X, y)
    assert cross_val_score(model, X, y, scoring="roc_auc", cv=3).min() > 0.6
    model.fit(X, y)
    assert not np.allclose(model.predict_proba(X), alone.predict_proba(X))
    assert model.coefficients_.to_numpy() == pytest.approx(alone.coefficients_.to_numpy())
    again = MajorityGuidedClassifier(average_with=["logistic_regression", "hist_gradient_boosting"], random_state=0).fit(X, y)
    assert (again.predict_proba(X) == model.predict_proba(X)).all()


def test_a_level_never_seen_is_no_level():
    X, y = patients()
    model = MajorityGuidedClassifier(random_state=0).fit(X, y)
    fresh = X.assign(ward="moon")
    assert np.isfinite(model.predict_proba(fresh)).all()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"average_with": ["xgboost"]}, "average_with must name classifiers among logistic_regression.*got 'xgboost'"),
        ({"share": 1.0}, "'share' parameter"),
        ({"categorical_features": ["nowhere"]}, "columns of X"),
    ],
)
def test_wrong_parameters(change, match):
    X, y = patients(100)
    with pytest.raises(ValueError, match=match):
        MajorityGuidedClassifier(**change).fit(X, y)


@pytest.mark.parametrize(("y", "match"), [([0, 1, 2] * 20, "Only binary"), ([1] * 60, "1 classes"), (None, "requires y")])
def test_wrong_labels(y, match):
    with pytest.raises(ValueError, match=match):
        MajorityGuidedClassifier().fit(np.ones((60, 2)), y)
