"""The minimum sample size against pmsampsize and published examples.

pmsampsize 0.1.0 of PyPI wants pandas below 3, so it cannot be installed beside the project; its answers stand here:

    python -m venv other && other/bin/pip install pmsampsize
    other/bin/python -c 'from pmsampsize.pmsampsize import pmsampsize;
        pmsampsize(type="b", csrsquared=0.288, parameters=24, prevalence=0.174)'
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.metrics import log_loss, roc_auc_score

from mgvae.classifiers.design import fit_linear_design
from mgvae.classifiers.models import RARE_LEVEL
from mgvae.evaluation.sample_size import count_parameters, cox_snell, criteria, most_events, most_explained, sample_size
from mgvae.results.numbers import Estimate
from tests.mgvae.evaluation.simulated_cohort import simulated


@pytest.mark.parametrize(
    ("parameters", "prevalence", "explained", "sizes"),
    [
        (24, 0.174, 0.288, [623, 662, 221]),  # Chagas disease in Riley et al. 2019, doi 10.1002/sim.7992: 4.8 events each
        (30, 0.05, 0.05, [5249, 1770, 73]),
        (25, 0.05, 0.049, [4466, 1476, 73]),
        (15, 0.021, 0.02, [6675, 1604, 32]),
        (3, 0.5, 0.3, [74, 66, 385]),
        (12, 0.3, 0.5, [148, 238, 323]),
    ],
)
def test_each_criterion_is_that_of_pmsampsize(parameters, prevalence, explained, sizes):
    found = criteria(parameters, prevalence, explained)
    assert [criterion.name for criterion in found] == ["shrinkage", "optimism", "overall_risk"]
    assert [criterion.n for criterion in found] == sizes
    assert [criterion.events for criterion in found] == [math.ceil(n * prevalence) for n in sizes]
    assert most_events(found) == math.ceil(max(sizes) * prevalence)


# R2 of Cox and Snell by pmsampsize's cstat2rsq(c, prevalence, seed=1), from a million simulated subjects
SIMULATED = [
    (0.89, 0.18, 0.296008),
    (0.84, 0.021, 0.038253),
    (0.7, 0.01, 0.005285),
    (0.6, 0.3, 0.025937),
    (0.95, 0.2, 0.432818),
    (0.99, 0.05, 0.262309),
]


@pytest.mark.parametrize(("auroc", "prevalence", "explained"), SIMULATED)
def test_the_share_explained_is_what_pmsampsize_simulates(auroc, prevalence, explained):
    assert cox_snell(auroc, prevalence) == pytest.approx(explained, abs=0.001, rel=0.03)


def test_the_share_explained_is_that_of_subjects_with_such_an_auroc():
    rng, n, share = np.random.default_rng(0), 400_000, 0.1
    event = (np.arange(n) < share * n).astype(int)
    line = rng.normal(np.where(event, 1.5, 0.0))
    risk = expit(np.log(share / (1 - share)) + 1.5 * line - 1.5**2 / 2)
    gain = log_loss(event, np.full(n, share)) - log_loss(event, risk)
    assert cox_snell(float(roc_auc_score(event, line)), share) == pytest.approx(1 - np.exp(-2 * gain), rel=0.02)


@given(st.floats(0.51, 0.99), st.floats(0.001, 0.5))
def test_the_share_explained_grows_with_the_auroc_up_to_the_largest(auroc, prevalence):
    assert 0 < cox_snell(auroc, prevalence) < cox_snell(auroc + 0.005, prevalence) < most_explained(prevalence)
    assert cox_snell(auroc, 1 - prevalence) == pytest.approx(cox_snell(auroc, prevalence), rel=1e-9)


def test_the_ends():
    assert cox_snell(0.5, 0.1) == cox_snell(0.3, 0.1) == 0
    assert cox_snell(1.0, 0.1) == most_explained(0.1)
    assert most_explained(0.5) == pytest.approx(0.75)
    useless = criteria(10, 0.1, 0.0)
    assert [criterion.n for criterion in useless] == [None, None, 139]
    assert most_events(useless) is None
    assert most_events(()) is None


def test_parameters_are_the_columns_of_the_design():
    rows = simulated(600)
    design = fit_linear_design(rows.features, rare=RARE_LEVEL)
    assert count_parameters(rows.features) == design.rows(rows.features).shape[1]
    nothing = pd.DataFrame({"site": pd.Categorical(["a"] * 20)})
    assert count_parameters(nothing) == 0  # its design has a column of zeros


def test_a_better_model_needs_fewer_events():
    rows = simulated(3000)
    found = sample_size(rows, Estimate(value=0.8, low=0.75, high=0.85))
    needed = found.required_events
    assert needed.low < needed.value < needed.high
    assert needed.value == most_events(found.criteria)
    assert needed.high == most_events(criteria(found.parameters, found.prevalence, cox_snell(0.75, found.prevalence)))
    assert found.nagelkerke == pytest.approx(found.cox_snell / most_explained(found.prevalence))
    assert (found.n, found.events) == (3000, rows.event.sum())
    assert found.per_parameter == pytest.approx(found.events / found.parameters)


def test_an_auroc_that_may_be_chance_has_no_upper_limit_of_events():
    rows = simulated(600)
    found = sample_size(rows, Estimate(value=0.6, low=0.49, high=0.7))
    assert found.required_events.value is not None
    assert found.required_events.high is None
    unknown = sample_size(rows, Estimate(value=None))
    assert (unknown.cox_snell, unknown.criteria, unknown.required_events.value) == (None, (), None)
