"""The score: calibrated, blind to units, positive in its ranks; and the mean of several classifiers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from mgvae.classifiers import guided
from mgvae.classifiers.design_json import as_json, scored_design
from mgvae.classifiers.ensemble import EnsembleModel, with_guide
from mgvae.classifiers.factory import make
from mgvae.classifiers.guided import FLATTEST, RIDGE, GuidedModel, fit_guided
from mgvae.classifiers.majority_direction import Direction, fit_direction
from mgvae.classifiers.models import LogisticModel
from mgvae.classifiers.recalibration import to_logit
from mgvae.classifiers.scored_design import fit_scored_design
from mgvae.classifiers.terms import CURVED, PER_SCORE, linear_terms
from mgvae.errors import OutcomeError, TrainingError
from tests.mgvae.evaluation.simulated_cohort import simulated


class Constant:
    """A classifier that knows nothing."""

    def fit(self, features, event, weights=None):
        self.share = float(event.mean())
        return self

    def predict_proba(self, features):
        return np.full(len(features), self.share)


def test_its_probabilities_are_calibrated_on_new_patients():
    rows, fresh = simulated(6_000, prevalence=0.1, seed=1), simulated(20_000, prevalence=0.1, seed=2)
    p = GuidedModel(seed=0).fit(rows.features, rows.event).predict_proba(fresh.features)
    assert p.mean() == pytest.approx(fresh.event.mean(), rel=0.1)
    slope = LogisticModel(strength=1e6).fit(pd.DataFrame({"x": to_logit(p)}), fresh.event)
    scale = to_logit(p).std()
    assert slope.coefficients[0] / scale == pytest.approx(1.0, abs=0.15)
    assert roc_auc_score(fresh.event, p) > 0.7


def test_units_and_tails_change_nothing():
    rows = simulated(800, prevalence=0.1)
    other = rows.features.assign(age=np.exp(rows.features["age"] / 5), severity=rows.features["severity"] ** 3)
    one, two = (GuidedModel(seed=0).fit(table, rows.event).predict_proba(table) for table in (rows.features, other))
    assert two == pytest.approx(one, abs=1e-12)


def test_without_any_signal_ranks_stay_those_of_the_direction():
    rng = np.random.default_rng(3)
    for seed in range(5):
        X, event = rng.normal(size=(500, 4)), (np.arange(500) < 12).astype(int)
        X[:12] += 0.01
        found = fit_guided(X, event, seed=seed)
        spread = float((X @ found.weights).std())
        assert spread == 0 or spread >= 0.5 * FLATTEST


def test_the_score_lies_half_way_between_direction_and_ridge_regression():
    rng = np.random.default_rng(4)
    X, event = rng.normal(size=(600, 5)) * [0.3, 1, 1, 2, 1], (np.arange(600) < 40).astype(int)
    X[:40] += rng.normal(size=5)
    direction = fit_direction(X, event == 1, np.ones(600), cases=40 * 560 / 600).weights
    scale = np.sqrt(X.std(axis=0))
    ridge = LogisticRegression(C=RIDGE, tol=1e-8, max_iter=1000).fit(X / scale, event).coef_[0] / scale
    expected = sum(part / (X @ part).std() for part in (direction, ridge))
    found = fit_guided(X, event, seed=0).weights
    assert found / np.linalg.norm(found) == pytest.approx(expected / np.linalg.norm(expected), abs=1e-3)
    sparse_rows = fit_guided(sparse.csr_array(X), event, seed=0).weights
    assert sparse_rows == pytest.approx(found, abs=1e-3)


def test_where_no_mean_differs_the_ridge_regression_speaks_alone(monkeypatch):
    X, event = np.random.default_rng(5).normal(size=(300, 3)), (np.arange(300) < 30).astype(int)
    monkeypatch.setattr(guided, "fit_direction", lambda *_, **__: Direction(np.zeros(3), 0.0))
    alone = fit_guided(X, event, seed=0).weights
    scale = np.sqrt(X.std(axis=0))
    ridge = LogisticRegression(C=RIDGE, tol=1e-8).fit(X / scale, event).coef_[0] / scale
    assert alone / np.linalg.norm(alone) == pytest.approx(ridge / np.linalg.norm(ridge), abs=1e-3)


def test_risks_that_are_high_at_both_ends_are_found_and_kept_apart_from_a_missing_value():
    rng = np.random.default_rng(7)
    x = pd.DataFrame({"u": rng.normal(size=4_000), "v": rng.normal(size=4_000)})
    event = (rng.random(4_000) < expit(x["u"] ** 2 - 4)).to_numpy(int)
    x.loc[:99, "u"] = np.nan
    model = GuidedModel(seed=0).fit(x, event)
    assert roc_auc_score(event[100:], model.predict_proba(x)[100:]) > 0.7
    names = [(term.column, term.name) for term in linear_terms(model.design, x)]
    squares = names.index(("u", CURVED))
    rows = model.design.rows(x)
    assert rows.shape == (4_000, len(names))
    assert model.score.weights[squares] > 0
    assert (rows[:100, squares] == 0).all()
    score = rows[100:, names.index(("u", PER_SCORE))]
    assert rows[100:, squares] == pytest.approx((score**2 - 1) * 0.25 / np.sqrt(2))
    again = scored_design(as_json(model.design)).rows(x)
    assert np.array_equal(again, rows)


def test_few_levels_have_no_curvature_and_wide_tables_keep_theirs_sparse():
    rng = np.random.default_rng(8)
    x = pd.DataFrame({"four": rng.integers(4, size=300).astype(float), "five": rng.integers(5, size=300).astype(float)})
    design = fit_scored_design(x, rare=10)
    assert design.curved.tolist() == [1]
    codes = pd.DataFrame({f"c{place}": pd.Categorical((rng.random(300) < 0.2).astype(str)) for place in range(300)})
    wide = pd.concat([x, codes], axis=1)
    rows = fit_scored_design(wide, rare=10).rows(wide)
    assert sparse.issparse(rows)
    assert rows.shape == (300, 303)
    assert rows.toarray()[:, -1] == pytest.approx(design.rows(x)[:, -1])


def test_a_design_of_an_earlier_version_has_no_squares():
    x = pd.DataFrame({"u": np.arange(50.0)})
    content = as_json(fit_scored_design(x, rare=10))
    del content["curved"]
    assert scored_design(content).rows(x).shape == (50, 1)


def test_columns_that_never_vary_make_no_score():
    found = fit_guided(np.ones((40, 2)), (np.arange(40) < 8).astype(int), seed=0)
    assert found.weights.tolist() == [0, 0]
    assert expit(found.intercept) == pytest.approx(0.2)


def test_one_class_is_refused():
    rows = simulated(50)
    with pytest.raises(OutcomeError, match="with and without the event"):
        GuidedModel(seed=0).fit(rows.features, np.zeros(50, dtype=int))


def test_a_single_case_will_do():
    rows = simulated(60)
    event = (np.arange(60) == 7).astype(int)
    p = GuidedModel(seed=0).fit(rows.features, event).predict_proba(rows.features)
    assert np.isfinite(p).all()


def test_an_ensemble_weighs_its_members_by_their_spread_and_trees_by_events():
    rows = simulated(900, prevalence=0.2)
    model = EnsembleModel([make("logistic_regression", 0), make("hist_gradient_boosting", 0)]).fit(rows.features, rows.event)
    lines = np.stack([to_logit(member.predict_proba(rows.features)) for member in model.members])
    events = 900 * rows.prevalence * (1 - rows.prevalence)
    share = np.array([1.0, events / (events + 10)])
    share /= share.sum()
    expected = share @ ((lines - lines.mean(axis=1)[:, None]) / lines.std(axis=1)[:, None])
    found = to_logit(model.predict_proba(rows.features))
    assert found == pytest.approx(lines.mean() + share @ lines.std(axis=1) * expected)


def test_a_member_that_knows_nothing_has_no_say():
    rows = simulated(900, prevalence=0.2)
    alone = make("logistic_regression", 0).fit(rows.features, rows.event).predict_proba(rows.features)
    mixed = EnsembleModel([make("logistic_regression", 0), Constant()]).fit(rows.features, rows.event)
    assert list(mixed.weights) == pytest.approx([1.0, 0.0])
    order = np.argsort(alone)
    assert (np.diff(mixed.predict_proba(rows.features)[order]) >= 0).all()
    nothing = EnsembleModel([Constant()]).fit(rows.features, rows.event).predict_proba(rows.features)
    assert nothing == pytest.approx(np.full(900, rows.event.mean()))


def test_the_guide_joins_an_ensemble_as_one_more_member():
    assert [type(one).__name__ for one in with_guide(make("ensemble", 0), 1).members] == [
        *("LinearMember", "BoostingModel", "ForestModel", "GuidedModel"),
    ]
    assert [type(one).__name__ for one in with_guide(make("mlp", 0), 1).members] == ["MLPModel", "GuidedModel"]
    with pytest.raises(TrainingError, match="is this classifier already"):
        with_guide(make("majority_guided", 0), 1)


def test_a_probability_of_zero_counts_as_half_a_row():
    class Sure(Constant):
        def predict_proba(self, features):
            return np.where(features["age"] > 50, 1.0, 0.0)

    rows = simulated(100)
    model = EnsembleModel([Sure()]).fit(rows.features, rows.event)
    assert set(np.round(model.predict_proba(rows.features), 9)) == {0.005, 0.995}
    assert expit(to_logit(np.array([0.3]), smallest=0.4))[0] == pytest.approx(0.4)
