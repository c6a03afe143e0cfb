"""The direction: its formula, its shrinkage, copies, sparse rows, and a world in which the majority's covariance helps."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from mgvae.classifiers import majority_direction
from mgvae.classifiers.majority_direction import fit_direction
from mgvae.errors import TrainingError


def rows(n=400, columns=5, cases=40, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, columns)) @ rng.normal(size=(columns, columns)) + rng.normal(size=columns)
    X[:, -1] = rng.random(n) < 0.1
    case = np.arange(n) < cases
    X[case] += rng.normal(size=columns)
    return X, case


def fitted(X, case, *, weights=None, cases=None, share=0.1):
    weights = np.ones(X.shape[0]) if weights is None else weights
    return fit_direction(X, case, weights, cases=float(case.sum()) if cases is None else cases, share=share)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.7])
def test_the_formula(share):
    X, case = rows()
    majority = X[~case]
    variance = majority.var(axis=0)
    shift = X[case].mean(axis=0) - majority.mean(axis=0)
    kept = np.maximum(0, 1 - variance / case.sum() / shift**2)
    scale = np.where(variance < 1, variance**0.25, 1)
    S = np.cov((majority / scale).T, bias=True)
    metric = share * S + (1 - share) * np.trace(S) / len(S) * np.eye(len(S))
    expected = np.linalg.solve(metric, kept * shift / scale) / scale
    found = fitted(X, case, share=share)
    assert found.weights == pytest.approx(expected)
    assert found((majority.mean(axis=0) + X[case].mean(axis=0))[None] / 2) == pytest.approx([0.0], abs=1e-9)


def test_a_shift_within_one_standard_error_counts_for_nothing_and_beyond_it_for_less():
    X, case = rows(n=10_000, cases=100)
    X = np.random.default_rng(1).normal(size=X.shape)
    X[~case] = (X[~case] - X[~case].mean(axis=0)) / X[~case].std(axis=0)
    X[case] += np.array([0.0999, 0.1001, 0.2, 1.0, -0.2]) - X[case].mean(axis=0)
    found = fitted(X, case, share=0.0).weights
    assert found[0] == 0
    assert found[1] == pytest.approx(0.1001 * (1 - 0.01 / 0.1001**2), rel=1e-6)
    assert found[2] == pytest.approx(0.2 * 0.75)
    assert found[4] == pytest.approx(-0.2 * 0.75)


def test_copies_are_weights_and_no_new_cases():
    X, case = rows(n=300)
    twice = np.concatenate([X, X[case]]), np.concatenate([case, case[case]])
    weights = np.where(case, 2.0, 1.0)
    copied = fitted(*twice, cases=case.sum())
    assert copied.weights == pytest.approx(fitted(X, case, weights=weights).weights)
    assert copied.weights == pytest.approx(fitted(X, case).weights)
    assert np.abs(fitted(*twice).weights).sum() > np.abs(copied.weights).sum()


def test_sparse_rows_give_the_same_and_stay_sparse(monkeypatch):
    rng = np.random.default_rng(0)
    X = (rng.random((2_000, 60)) < 0.05).astype(float)
    case = np.arange(2_000) < 50
    X[case, :5] = rng.random((50, 5)) < 0.4
    dense = fitted(X, case)
    for name in ("toarray", "todense"):
        monkeypatch.setattr(sparse.csr_array, name, lambda self: pytest.fail("made dense"))
    found = fitted(sparse.csr_array(X), case)
    assert found.weights == pytest.approx(dense.weights, abs=1e-6)
    assert found.intercept == pytest.approx(dense.intercept, abs=1e-6)


def test_a_direction_that_cannot_be_found_is_an_error(monkeypatch):
    monkeypatch.setattr(majority_direction, "MOST_STEPS", 1)
    X, case = rows()
    with pytest.raises(TrainingError, match="converge; it did not within 1 steps"):
        fitted(sparse.csr_array(X), case)


def test_columns_without_variance_have_no_say_unless_the_cases_differ():
    X, case = rows()
    found = fitted(np.column_stack([X, np.ones(len(X))]), case)
    assert found.weights[-1] == pytest.approx(0.0, abs=1e-12)
    assert np.isfinite(found.weights).all()
    flat = fitted(np.ones((50, 3)), np.arange(50) < 5)
    assert (flat.weights, flat.intercept) == (pytest.approx(np.zeros(3)), 0.0)
    marked = np.column_stack([X, case.astype(float)])
    assert fitted(marked, case).weights[-1] > 0


def test_the_covariance_finds_what_the_means_hide():
    """A shift along a direction in which the majority hardly varies is found with the covariance, not without."""
    rng = np.random.default_rng(2)
    common = rng.normal(size=(4_000, 1))
    X = np.sqrt(0.9) * common + np.sqrt(0.1) * rng.normal(size=(4_000, 2))
    case = np.arange(4_000) < 400
    X[case] += [0.6, -0.2]
    found, plain = fitted(X, case, share=0.9).weights, fitted(X, case, share=0.0).weights
    best = np.linalg.solve([[1, 0.9], [0.9, 1]], [0.6, -0.2])

    def angle(w):
        return w @ best / np.linalg.norm(w) / np.linalg.norm(best)

    assert angle(found) > 0.97 > 0.95 > angle(plain)


@pytest.mark.parametrize("sparsely", [False, True])
def test_a_code_and_its_lack_say_the_same(sparsely):
    rng = np.random.default_rng(3)
    share = np.exp(rng.normal(np.log(0.003), 1.0, 300)).clip(0.001, 0.4)
    X, case = (rng.random((3000, 300)) < share).astype(float), np.arange(3000) < 20
    turned = np.where(rng.random(300) < 0.5, 1 - X, X)
    first, second = (fitted(sparse.csr_array(one) if sparsely else one, case)(one) for one in (X, turned))
    assert second - second.mean() == pytest.approx(first - first.mean(), abs=1e-6 * first.std())


def test_a_column_in_which_the_majority_is_alike_does_not_lead():
    """With shares of rows that do not add up to 1 exactly, a column of ones seems to vary."""
    rng = np.random.default_rng(4)
    X, case = rng.normal(size=(10_020, 4)), np.arange(10_020) < 20
    X[:, 3] = 1.0
    X[0, 3] = 0.0  # a case
    found = fitted(sparse.csr_array(X), case)
    assert np.abs(found.weights).max() < 10
