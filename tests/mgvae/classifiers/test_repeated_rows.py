"""Repeated rows of a design: merged without a change of the likelihood, or left as they are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from mgvae.classifiers import repeated_rows
from mgvae.classifiers.models import LogisticModel
from mgvae.classifiers.repeated_rows import merged

DRAWS = np.random.default_rng(4)
PLAIN = DRAWS.normal(size=(120, 3)).round(1)
EVENT = (DRAWS.random(120) < 0.3).astype(np.int64)
AGAIN = np.sort(DRAWS.integers(120, size=600))
WEIGHTS = DRAWS.random(600)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["counted", "weighted"])
def test_a_row_stands_for_its_copies(form, weights):
    rows, event, total = merged(form(PLAIN[AGAIN]), EVENT[AGAIN], weights)
    assert len(event) == rows.shape[0] == len(np.unique(np.column_stack([PLAIN, EVENT])[AGAIN], axis=0))
    assert total.sum() == pytest.approx(600 if weights is None else WEIGHTS.sum())
    few, all_ = (LogisticRegression(C=0.1, tol=1e-10) for _ in range(2))
    few.fit(rows, event, sample_weight=total)
    all_.fit(PLAIN[AGAIN], EVENT[AGAIN], sample_weight=weights)
    assert few.coef_ == pytest.approx(all_.coef_, abs=1e-7)
    assert few.intercept_ == pytest.approx(all_.intercept_, abs=1e-7)


def test_rows_with_another_outcome_are_other_rows():
    rows, event, weights = merged(np.ones((5, 2)), np.array([0, 1, 0, 1, 0]), None)
    assert rows.tolist() == [[1, 1], [1, 1]]
    assert sorted(zip(event.tolist(), weights.tolist(), strict=True)) == [(0, 3), (1, 2)]


@pytest.mark.parametrize(("copies", "merges"), [(24, True), (23, False)])
def test_few_repeats_are_left_as_they_are(copies, merges):
    alone = np.arange(96.0 + 24 - copies)
    rows, event = np.append(alone, alone[:copies])[:, None], np.zeros(120, dtype=np.int64)
    found, _, weights = merged(rows, event, None)
    if merges:
        assert len(found) == 96
        assert np.sort(weights).tolist() == [1] * 72 + [2] * 24
    else:
        assert found is rows
        assert weights is None


@pytest.mark.parametrize("other", range(6))
def test_rows_that_only_seem_alike_are_left_as_they_are(monkeypatch, other):
    monkeypatch.setattr(repeated_rows, "AT_ONCE", 2)
    monkeypatch.setattr(np, "einsum", lambda _, rows, mixing: np.zeros(len(rows)))
    rows, outcome = np.ones((6, 2)), np.zeros(6, dtype=np.int64)
    rows[other, 1] = 2
    found, event, weights = merged(rows, outcome, None)
    assert found is rows
    assert event is outcome
    assert weights is None


def test_copies_of_patients_are_fitted_as_patients_with_weights():
    table, event = pd.DataFrame(PLAIN, columns=list("abc")), EVENT
    copies = pd.concat([table, table, table], ignore_index=True)
    once, thrice = LogisticModel(strength=0.3), LogisticModel(strength=0.1)
    once.fit(table, event)
    thrice.fit(copies, np.tile(event, 3))
    assert thrice.predict_proba(table) == pytest.approx(once.predict_proba(table), abs=1e-4)
