"""The shift in codes: its mode, its prior, and a world of rare codes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from mgvae.classifiers import majority_direction
from mgvae.classifiers.code_shift import _posterior, fit_code_shift
from mgvae.classifiers.majority_direction import MANY_CODES, fit_direction


def drawn(mean, spread, *, codes=3_000, cases=50, seed=0):
    rng = np.random.default_rng(seed)
    share = rng.uniform(0.002, 0.2, size=codes)
    ratio = rng.normal(mean, spread, size=codes)
    return rng.binomial(cases, expit(logit(share) + ratio)).astype(float), share, ratio


@pytest.mark.parametrize(("mean", "variance"), [(0.0, 0.05), (0.4, 0.4)])
def test_the_prior_that_the_codes_were_drawn_from_is_found(mean, variance):
    with_code, share, ratio = drawn(mean, variance**0.5)
    found = fit_code_shift(with_code, 50, share)
    assert (found.mean, found.variance) == (mean, variance)
    assert np.corrcoef(found.log_odds_ratio, ratio)[0, 1] > 0.3
    assert np.abs(found.log_odds_ratio - ratio).mean() < np.abs(ratio - ratio.mean()).mean()


def test_the_ratio_is_the_mode_of_its_posterior():
    with_code, share, _ = drawn(0.2, 0.5, codes=5)
    found = _posterior(with_code, 50, share, 0.2, 0.25)[1].log_odds_ratio
    for at in range(5):

        def loss(x, at=at):
            line = logit(share[at]) + x
            return 50 * np.logaddexp(0, line) - with_code[at] * line + (x - 0.2) ** 2 / 0.5

        assert found[at] == pytest.approx(minimize_scalar(loss, bounds=(-5, 5), method="bounded").x, abs=1e-4)


def test_one_case_with_a_code_that_hardly_anybody_has_proves_little():
    with_code, share, _ = drawn(0.0, 0.05)
    share[0], with_code[0] = 0.0003, 1.0
    found = fit_code_shift(with_code, 50, share)
    assert abs(found.log_odds_ratio[0]) < 0.3


def world(n=6_000, codes=600, seed=0):
    rng = np.random.default_rng(seed)
    burden = rng.normal(size=(n, 1))
    share = rng.uniform(0.002, 0.05, size=codes)
    rows = rng.random((n, codes)) < expit(logit(share) + 0.7 * burden)
    effects = np.where(rng.random(codes) < 0.1, 0.8, 0.0)
    line = rows @ effects
    event = rng.random(n) < expit(line - np.quantile(line, 0.98))
    return sparse.csr_array(rows.astype(float)), event


def test_many_rare_codes_are_ranked_better_than_by_columns_or_ridge(monkeypatch):
    X, event = world()
    cases = np.flatnonzero(event)
    train = np.ones(len(event), dtype=bool)
    train[3_000:] = False
    train[cases[cases < 3_000][30:]] = False
    test = np.arange(len(event)) >= 3_000

    def judged():
        found = fit_direction(X[train], event[train], np.ones(train.sum()), cases=float(event[train].sum()))
        return roc_auc_score(event[test], found(X[test]))

    together = judged()
    monkeypatch.setattr(majority_direction, "MANY_CODES", 10_000)
    ridge = LogisticRegression(C=0.1, max_iter=500).fit(X[train], event[train])
    assert together > judged() + 0.01
    assert together > roc_auc_score(event[test], ridge.decision_function(X[test])) + 0.01


def test_columns_that_hold_other_numbers_are_no_codes(monkeypatch):
    X, event = world(n=800, codes=MANY_CODES)
    called = []
    monkeypatch.setattr(majority_direction, "fit_code_shift", lambda *a: called.append(len(a[2])) or fit_code_shift(*a))
    monkeypatch.setattr(majority_direction, "MANY_CODES", 100)
    other = X.copy()
    other.data[0] = 2.0
    for rows in (X, X.toarray(), other):
        fit_direction(rows, event, np.ones(800), cases=float(event.sum()))
    assert called[0] == called[1] == called[2] + 1 > 100


def test_a_frequent_code_is_judged_by_its_standard_error(monkeypatch):
    X, event = world(n=2_000)
    called = []
    monkeypatch.setattr(majority_direction, "fit_code_shift", lambda *a: called.append(len(a[2])) or fit_code_shift(*a))
    for cases in (20.0, 200.0):
        fit_direction(X, event, np.ones(2_000), cases=cases)
    assert called[0] > called[1] >= MANY_CODES
