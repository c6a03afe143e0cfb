"""Tests of fits on a part of the majority: who is drawn, and what the model predicts of all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, logit

from mgvae.cohort.rows import rows
from mgvae.evaluation.cells import run_cell
from mgvae.evaluation.cross_validation import holdout_seed, predict_both
from mgvae.evaluation.fits import Fit
from mgvae.evaluation.majority import draw_majority, learned_from
from mgvae.evaluation.measures.ranking import ranking
from mgvae.evaluation.one_split import fit_chain
from mgvae.reproducibility import numpy_generator
from tests.mgvae.evaluation.simulated_cohort import chain, simulated

LR = "logistic_regression"


def test_all_events_and_whole_groups_of_others_are_drawn():
    event = np.tile([1, 0, 0, 0], 200)
    group = np.arange(800) // 8
    drawn = draw_majority(event, group, 100, seed=1)
    kept = np.zeros(800, dtype=bool)
    kept[drawn.rows] = True
    assert kept[event == 1].all()
    assert 94 <= kept[event == 0].sum() <= 100
    by_group = kept[event == 0].reshape(100, 6)
    assert (by_group.all(axis=1) | ~by_group.any(axis=1)).all()
    assert (drawn.share, drawn.drawn_share) == (0.25, event[drawn.rows].mean())


@pytest.mark.parametrize("most", [None, 60, 61])
def test_few_enough_others_are_all_learned_from(most):
    event = np.repeat([1, 0], [20, 60])
    drawn = draw_majority(event, np.arange(80), most, seed=0)
    np.testing.assert_array_equal(drawn.rows, np.arange(80))
    probability = np.array([0.1, 0.7])
    assert drawn.moved_back(probability) is probability


@pytest.mark.parametrize("most", [None, 5])
def test_of_no_rows_none_are_drawn(most):
    nobody = np.zeros(0, dtype=np.int64)  # a part of the learning curve where one site is held out and it is the only one
    drawn = draw_majority(nobody, nobody, most, seed=1)
    assert len(drawn.rows) == 0
    assert drawn.share == 0.0


def test_one_fewer_than_all_others_are_drawn_at_the_boundary():
    event = np.repeat([1, 0], [20, 60])
    assert len(draw_majority(event, np.arange(80), 59, seed=0).rows) == 79


def test_a_group_larger_than_the_limit_is_drawn_alone():
    event = np.repeat([1, 0], [5, 500])
    group = np.concatenate([np.arange(5), np.repeat([5, 6], 250)])
    assert len(draw_majority(event, group, 100, seed=0).rows) == 255


def test_each_other_is_drawn_as_often():
    event, group = np.repeat([1, 0], [10, 90]), np.concatenate([np.zeros(10), np.arange(90) // 3])
    counts = sum(np.bincount(draw_majority(event, group, 30, seed=seed).rows, minlength=100) for seed in range(400))
    assert counts[:10].min() == 400
    assert np.abs(counts[10:] / 400 - 1 / 3).max() < 4 * np.sqrt(2 / 9 / 400)


def truth(n, *, seed):
    """Return rows whose risk is known, 3 % on average, and that risk."""
    generator = numpy_generator(seed, "truth")
    made = simulated(n, seed=seed)
    values = generator.normal(size=(n, len(made.features.columns)))
    risk = expit(-4.1 + values[:, 0] + 0.5 * values[:, 1])
    features = made.features.assign(**{str(name): values[:, place] for place, name in enumerate(made.features)})
    return rows(features, generator.random(n) < risk, np.arange(n)), risk


def auroc(found, risks):
    return ranking(found.event, risks, np.ones((len(risks), 1)), np.zeros(len(risks), dtype=np.int16))["auroc"][0]


def slope(risk, found):
    return np.polyfit(logit(risk), logit(found), 1)[0]


@pytest.mark.parametrize("arm", ["none", "class_weight"])
def test_models_of_a_tenth_of_the_others_are_calibrated_and_rank_as_those_of_all(arm):
    train, _ = truth(12_000, seed=1)
    test, risk = truth(20_000, seed=2)
    everyone = chain("none", "class_weight", classifiers=(LR,))
    few = replace(everyone, majority_rows=1_200)
    found = {
        name: predict_both(train, test, one, n_folds=2, repeats=1, seed=0).holdout.probability
        for name, one in (("all", everyone), ("few", few))
    }
    for variant in ("offset", "recalibrated"):
        of_all, of_few = (found[name][arm, LR, variant][0] for name in ("all", "few"))
        assert of_few.mean() == pytest.approx(risk.mean(), rel=0.15)
        assert slope(risk, of_few) == pytest.approx(slope(risk, of_all), abs=0.1)
        assert auroc(test, of_few) == pytest.approx(auroc(test, of_all), abs=0.01)
    raw = found["few"]["none", LR, "raw"][0]
    assert raw.mean() == pytest.approx(risk.mean(), rel=0.15), "without correction nothing is left to be moved back"


def test_the_deployed_model_is_the_one_that_was_evaluated():
    train, test = simulated(900, seed=3, prevalence=0.1), simulated(200, seed=4, prevalence=0.1)
    few = replace(chain("none", "class_weight", classifiers=(LR,)), majority_rows=150)
    found = predict_both(train, test, few, n_folds=2, repeats=1, seed=5).holdout.probability["class_weight", LR, "offset"][0]
    model = fit_chain(train, few, "class_weight", LR, seed=holdout_seed(5))
    np.testing.assert_allclose(model.predict(test.features), found, rtol=1e-9)


def test_a_limit_that_is_not_reached_changes_no_bit():
    data = simulated(400, seed=6)
    fit = Fit("one", np.arange(300), np.arange(300, 400), 7)
    outcomes = [run_cell(data, fit, "class_weight", replace(chain("none"), majority_rows=most))[0] for most in (None, 300)]
    np.testing.assert_array_equal(outcomes[0].raw[LR], outcomes[1].raw[LR])
    assert outcomes[0].fitted_share == outcomes[1].fitted_share


def test_the_page_says_that_a_part_was_learned_from():
    assert learned_from(None, 900) == learned_from(900, 900) == {}
    assert "at most 899 of the 900 training patients without the event" in learned_from(899, 900)["Each fit learned from"]
