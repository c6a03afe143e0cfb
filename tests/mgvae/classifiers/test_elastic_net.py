"""The elastic net against scikit-learn's solver, and what its choice of penalty does."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from mgvae.classifiers.design import information
from mgvae.classifiers.elastic_net import WIDEST, ElasticNetModel, exact_fit
from mgvae.evaluation.measures.ranking import ranking
from mgvae.evaluation.measures.weights import unit_weights
from tests.mgvae.evaluation.simulated_cohort import simulated


def table(n=600, columns=8, *, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, columns)) @ (np.eye(columns) + 0.3)
    event = (rng.random(n) < 1 / (1 + np.exp(3 - X[:, 0] + 0.5 * X[:, 1]))).astype(np.int64)
    return X, event, rng.uniform(0.2, 3.0, size=n)


@pytest.mark.parametrize("mix", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("penalty", [0.5, 5.0, 30.0])
def test_the_exact_fit_is_scikit_learns(mix, penalty):
    X, event, weights = table()
    coefficients, intercept = exact_fit(X, event, weights, penalty=penalty, mix=mix)
    reference = LogisticRegression(C=1 / penalty, l1_ratio=mix, solver="saga", tol=1e-9, max_iter=20_000, random_state=0)
    reference.fit(X, event, sample_weight=weights)
    np.testing.assert_allclose(coefficients, reference.coef_[0], atol=1e-5)
    np.testing.assert_array_equal(coefficients == 0, reference.coef_[0] == 0)
    assert intercept == pytest.approx(reference.intercept_[0], abs=1e-4)


def test_separable_classes_with_hardly_a_penalty_converge():
    X, _, _ = table(200)
    event = (X[:, 0] > 1.5).astype(np.int64)
    coefficients, intercept = exact_fit(X, event, np.ones(200), penalty=0.01, mix=0.1)
    reference = LogisticRegression(C=100.0, l1_ratio=0.1, solver="saga", tol=1e-9, max_iter=200_000, random_state=0)
    reference.fit(X, event)
    np.testing.assert_allclose(coefficients, reference.coef_[0], rtol=0.01, atol=0.01)
    assert np.isfinite(intercept)


def test_columns_of_noise_are_left_out_and_the_ranking_gains():
    rows, fresh = simulated(1500, seed=1, prevalence=0.03), simulated(8000, seed=2, prevalence=0.03)

    def noisy(features, seed):
        noise = np.random.default_rng(seed).normal(size=(len(features), 60))
        return pd.concat([features, pd.DataFrame(noise, columns=[f"noise {j}" for j in range(60)])], axis=1)

    train, test = noisy(rows.features, 3), noisy(fresh.features, 4)
    model = ElasticNetModel().fit(train, rows.event)
    noise = model.coefficients[4:64]  # measured columns come first, in order: severity, age, noise, stage
    assert (noise == 0).mean() > 0.4
    assert np.abs(model.coefficients[:2]).min() > np.abs(noise).max()
    ridge = LogisticRegression(C=1e6, max_iter=5000).fit(model._design.rows(train), rows.event)
    one = unit_weights(8000)
    ours = ranking(fresh.event, model.predict_proba(test), one)["auroc"][0]
    assert ours > ranking(fresh.event, ridge.predict_proba(model._design.rows(test))[:, 1], one)["auroc"][0] + 0.02


def test_weights_that_carry_less_information_choose_a_smaller_model():
    rows = simulated(1500, prevalence=0.1)
    whole = ElasticNetModel().fit(rows.features, rows.event)
    less = ElasticNetModel().fit(rows.features, rows.event, np.full(1500, 0.05))
    assert (less.coefficients != 0).sum() <= (whole.coefficients != 0).sum()
    assert np.abs(less.coefficients).sum() < 0.8 * np.abs(whole.coefficients).sum()


def test_of_very_many_columns_those_with_the_strongest_scores_are_fitted():
    rows = simulated(3000, prevalence=0.1)
    codes = np.random.default_rng(0).integers(0, WIDEST + 100, size=3000)
    codes = np.where((rows.event == 1) & (codes % 2 == 0), 7, codes)
    wide = rows.features.assign(code=pd.Categorical.from_codes(codes, [f"c{i}" for i in range(WIDEST + 100)]))
    model = ElasticNetModel(rare=1).fit(wide, rows.event)
    assert len(model.coefficients) > WIDEST
    assert 0 < (model.coefficients != 0).sum() <= WIDEST
    seven = wide.iloc[:2].assign(code=pd.Categorical(["c7", "c9"], categories=wide["code"].cat.categories))
    seven.iloc[1, :-1] = seven.iloc[0, :-1]
    p = model.predict_proba(seven)
    assert p[0] > 3 * p[1]


def test_information_is_that_of_each_row_at_the_share_of_events():
    event = np.array([1, 0, 0, 0, 0])
    assert information(event) == pytest.approx(5 * 0.2 * 0.8)
    assert information(event, np.array([4.0, 1, 1, 1, 1])) == pytest.approx(8 * 0.5 * 0.5)
