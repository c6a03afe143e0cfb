"""The linear member of ensembles on wide tables: its optimum, sparse rows, weights, and which tables are wide."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from mgvae.classifiers import scored_ridge
from mgvae.classifiers.ensemble import with_guide
from mgvae.classifiers.factory import make
from mgvae.classifiers.models import LogisticModel
from mgvae.classifiers.portable import scorer_from_json, scorer_of
from mgvae.classifiers.scored_ridge import WIDE, LinearMember, ScoredRidgeModel


@pytest.fixture(scope="module")
def rows():
    """Return 300 patients with two numbers and 300 rare codes, and their event."""
    draws = np.random.default_rng(0)
    codes = {
        f"code_{at}": pd.Categorical.from_codes(
            (draws.random(300) < 0.05).astype(np.int8), dtype=pd.CategoricalDtype(["0", "1"])
        )
        for at in range(300)
    }
    features = pd.DataFrame({"x": draws.normal(size=300), "y": draws.exponential(size=300), **codes})
    event = (draws.random(300) < 1 / (1 + np.exp(2 - 2 * features["x"] - 2 * (features["code_0"] == "1")))).astype(np.int64)
    return features, event


def test_the_gradient_of_the_penalised_likelihood_is_zero(rows):
    features, event = rows
    model = ScoredRidgeModel(strength=0.1).fit(features, event)
    design = model.design.rows(features)
    assert sparse.issparse(design)
    dense = design.toarray()
    pull = dense.T @ (event - model.predict_proba(features))
    assert np.allclose(pull, dense.std(axis=0) * model.score.weights / 0.1, atol=0.05)  # of w^2 sd / (2 C): half scale
    assert abs((event - model.predict_proba(features)).sum()) < 0.05


def test_dense_and_sparse_rows_say_the_same(rows, monkeypatch):
    features, event = rows
    spread = scored_ridge._spread
    wanted = ScoredRidgeModel().fit(features, event)
    design = wanted.design.rows(features)
    weights = np.random.default_rng(1).random(300)
    assert np.allclose(spread(design, weights), spread(design.toarray(), weights))
    assert np.allclose(spread(design, None), design.toarray().std(axis=0))


def test_a_weight_is_a_number_of_copies(rows):
    features, event = rows
    count = np.random.default_rng(2).integers(1, 3, 300)
    copies = features.loc[np.repeat(np.arange(300), count)].reset_index(drop=True)
    few = [f"code_{at}" for at in range(5)]  # bins of numbers follow the rows, so that codes alone are compared
    weighted = ScoredRidgeModel(rare=1).fit(features[few], event, count.astype(float)).predict_proba(features[few])
    copied = ScoredRidgeModel(rare=1).fit(copies[few], np.repeat(event, count)).predict_proba(features[few])
    assert np.allclose(weighted, copied, atol=1e-4)


def test_a_table_is_wide_from_a_number_of_columns_on():
    def chosen(columns):
        features = pd.DataFrame(np.random.default_rng(0).normal(size=(20, columns)), columns=map(str, range(columns)))
        return type(LinearMember().fit(features, np.arange(20) % 2).chosen)

    assert chosen(WIDE - 1) is LogisticModel
    assert chosen(WIDE) is ScoredRidgeModel


def test_ensembles_have_the_linear_member():
    assert type(make("ensemble", 0).members[0]) is LinearMember
    assert [type(one).__name__ for one in with_guide(make("logistic_regression", 0), 0).members] == [
        "LinearMember",
        "GuidedModel",
    ]


@pytest.mark.parametrize("wide", [10, 1000])
def test_its_numbers_predict_the_same(rows, monkeypatch, wide):
    features, event = rows
    monkeypatch.setattr(scored_ridge, "WIDE", wide)
    model = LinearMember().fit(features, event)
    again = scorer_from_json(scorer_of(model).to_json())
    assert np.allclose(again.predict_proba(features), model.predict_proba(features), atol=1e-12)
