"""Tests of budgets: the fits that are stated are those that are planned, and what is asked for besides still counts."""

import subprocess
import sys

import numpy as np
import pytest

from mgvae.config.budget import SETTINGS, Budget
from mgvae.config.study import load_config
from mgvae.evaluation import budget as budgets
from mgvae.evaluation.cross_validation import Run, predict_both
from mgvae.evaluation.evaluate import chain_of
from mgvae.evaluation.fits import plan_folds
from mgvae.evaluation.one_split import ArmOutcome
from mgvae.reproducibility import numpy_generator
from tests.flows.simulated_study import write_study
from tests.mgvae.evaluation.simulated_cohort import simulated


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("study"))


def under(cohort, budget, *settings):
    return load_config(cohort, settings=(*SETTINGS[budget], *settings))


@pytest.mark.parametrize("folds", [2, 3, 4, 5, 7])
def test_the_fits_of_a_repeat_are_those_of_the_plan(folds):
    rows = simulated(400)
    assert budgets.fits_a_repeat(folds) == len(plan_folds(rows, n_folds=folds, repeats=1, seed=0).fits)


def test_the_fits_of_the_evaluation_are_those_that_it_computes(cohort, monkeypatch):
    config = under(cohort, Budget.SMALL, "instability.arms=[none]", "instability.redevelopments=10", "learning_curve.shares=[]")
    rows, done = simulated(400), []

    def computed(rows, fits, chain, run):
        done.extend((fit, arm) for fit in fits for arm in chain.fitted_arms)
        share = numpy_generator(0, "shares")
        return {
            name: {arm: ArmOutcome({"logistic_regression": share.random(len(fit.predicted))}) for arm in chain.fitted_arms}
            for name, fit in fits.items()
        }

    monkeypatch.setattr("mgvae.evaluation.cross_validation.compute_cells", computed)
    chain = chain_of(config)
    predict_both(rows, rows, chain=chain, n_folds=config.evaluation.folds, repeats=1, seed=0, run=Run())
    trained = sum(arm == "mgvae" for _, arm in done)
    points, redeveloped = budgets.fits_a_repeat(3), 11 * 5
    planned = budgets.planned_fits(config)
    assert planned.generators == trained + points + 2
    assert planned.classifiers == len(done) + points + redeveloped


def test_a_larger_budget_costs_more(cohort):
    seconds = [budgets.planned_fits(under(cohort, budget)).seconds for budget in (Budget.SMALL, Budget.FULL)]
    assert seconds[0] < seconds[1] / 5


def test_standard_is_the_configuration_itself(cohort):
    assert under(cohort, Budget.STANDARD) == load_config(cohort)


def test_what_is_set_besides_a_budget_counts(cohort):
    config = under(cohort, Budget.SMALL, "evaluation.repeats=4", "evaluation.bootstrap=800")
    said = budgets.statement(Budget.SMALL, config, cores=1)
    assert "3 folds, 4 repeats, 4 arms, 1 classifier, 800 bootstrap resamples" in said
    assert "67% of the training events" in said
    assert "is 50% of that of one repeat" in said
    assert "on 1 idle core for" in said


def test_the_error_of_a_limit_is_that_of_normal_draws():
    draws = numpy_generator(1, "limits").normal(size=(4000, 500))
    found = np.quantile(draws, 0.975, axis=1).std() / 1.96
    assert found == pytest.approx(budgets.LIMIT_ERROR / np.sqrt(500), rel=0.06)


def test_a_budget_is_stated_without_importing_what_trains():
    code = "import sys; import mgvae.evaluation.budget; print(sorted({'torch', 'imblearn', 'sklearn'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_limit_on_the_majority_is_stated_with_its_effect(cohort):
    said = budgets.statement(Budget.SMALL, under(cohort, Budget.SMALL), cores=1)
    assert "67% of the training events and from at most 50,000 patients without the event" in said
    assert "with 10,000 events, standard errors of coefficients are about 10% larger than with all" in said
    assert "patients without the event" not in budgets.statement(Budget.FULL, under(cohort, Budget.FULL), cores=1)
