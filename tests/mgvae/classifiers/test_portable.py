"""A classifier as plain numbers predicts exactly what scikit-learn's object predicts, before and after the way to JSON."""

from __future__ import annotations

import json
from typing import get_args

import numpy as np
import pandas as pd
import pytest

from mgvae.classifiers.factory import make
from mgvae.classifiers.portable import scorer_from_json, scorer_of
from mgvae.config.classifiers import BuiltIn
from tests.mgvae.evaluation.simulated_cohort import simulated

NAMES = get_args(BuiltIn)


def wide(n, seed):
    """Add columns with many levels, rare ones, gaps, no value at all, huge numbers, and a gap that tells the outcome."""
    rows = simulated(n, seed=seed, prevalence=0.2)
    rng = np.random.default_rng(seed)
    codes = rng.integers(-1, 60, size=n)
    features = rows.features.assign(
        ward=pd.Categorical.from_codes(np.where(rng.random(n) < 0.2, -1, codes), [f"w{i}" for i in range(60)]),
        empty=np.nan,
        unused=pd.Categorical([None] * n, categories=["x", "y"]),
        big=np.where(rng.random(n) < 0.01, 1e300, rng.normal(size=n) * 1e6),
        told=np.where((rows.event == 1) & (rng.random(n) < 0.7), np.nan, 1.0),
    )
    return features, rows.event


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_same_probabilities_to_the_last_bit(name, weighted):
    features, event = wide(1500, seed=0)
    fresh, _ = wide(1500, seed=1)
    weights = np.where(event == 1, 3.0, 1.0) if weighted else None
    model = make(name, 0).fit(features, event, weights)
    scorer = scorer_of(model)
    again = scorer_from_json(json.loads(json.dumps(scorer.to_json(), allow_nan=False)))
    for table in (features, fresh):
        expected = model.predict_proba(table)
        np.testing.assert_array_equal(scorer.predict_proba(table), expected)
        np.testing.assert_array_equal(again.predict_proba(table), expected)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("columns", [["severity", "age"], ["site", "sex"], ["sex"]])
def test_numbers_alone_and_levels_alone_and_levels_not_seen_in_fitting(name, columns):
    rows = simulated(900, prevalence=0.2)
    fitted = rows.features[columns].copy()
    if "site" in columns:
        fitted.loc[fitted["site"] == "c", "site"] = np.nan
    model = make(name, 0).fit(fitted, rows.event)
    scorer = scorer_of(model)
    np.testing.assert_array_equal(scorer.predict_proba(rows.features[columns]), model.predict_proba(rows.features[columns]))


@pytest.mark.parametrize("name", NAMES)
def test_the_same_fit_is_the_same_text(name):
    features, event = wide(600, seed=2)
    one, other = (json.dumps(scorer_of(make(name, 3).fit(features, event)).to_json()) for _ in range(2))
    assert one == other


def test_of_a_column_that_no_tree_looks_at_no_value_is_kept():
    rows = simulated(600, prevalence=0.2)
    scorer = scorer_of(make("hist_gradient_boosting", 0).fit(rows.features.assign(flat=0.0), rows.event))
    assert len(scorer.design.edges[-1]) == 0
    assert max(map(len, scorer.design.edges)) > 10


def test_only_what_the_classifiers_are():
    with pytest.raises(TypeError, match="dict"):
        scorer_of({})
    with pytest.raises(ValueError, match="type"):
        scorer_from_json({"type": "pickle", "levels": {}})
