"""The leakage laws: no test row and no test label reaches an arm, a classifier or a recalibration."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from mgvae.classifiers.recalibration import fit_recalibration, offset
from mgvae.cohort.rows import Rows
from mgvae.errors import OutcomeError
from mgvae.evaluation import cross_validation as folds_module
from mgvae.evaluation import one_split as chain_module
from mgvae.evaluation.cells import Run, compute_cells
from mgvae.evaluation.cross_validation import cross_validate, holdout_seed, predict_both
from mgvae.evaluation.fits import Plan, plan_folds, usable_folds
from mgvae.evaluation.one_split import fit_chain, run_arm
from mgvae.evaluation.parallel import ProcessPool
from mgvae.reproducibility import derive
from tests.mgvae.evaluation.simulated_cohort import chain, simulated, with_events

LR = "logistic_regression"
CLASSIFIERS = ("logistic_regression", "hist_gradient_boosting")
MODELS = ("none", "class_weight", "threshold", "random_oversampling", "smote", "mgvae")


def marked(n: int, **options) -> Rows:
    """Rows whose severity tells them apart, so that they can be found again."""
    rows = simulated(n, **options)
    return Rows(rows.features.assign(severity=np.arange(n) / n), rows.event, rows.group)


def marks(features: pd.DataFrame) -> set[float]:
    return set(features["severity"])


def test_no_test_row_reaches_an_arm_or_its_parents(generator, monkeypatch):
    handed, treat = [], chain_module.treat
    monkeypatch.setattr(chain_module, "treat", lambda arm, rows, *a, **k: handed.append(rows) or treat(arm, rows, *a, **k))
    rows = marked(600, group_size=3)
    train, test = rows.take(rows.group < 150), rows.take(rows.group >= 150)
    arms = chain(*MODELS)
    for arm in arms.fitted_arms:
        run_arm(arm, train, test, arms, seed=0)
    assert len(handed) == len(MODELS) - 1, "threshold reuses the fit of none"
    assert all(marks(part.features) == marks(train.features) for part in handed), "every arm has all training rows"
    assert marks(generator.parents[0]) <= marks(train.features)


@pytest.mark.usefixtures("generator")
def test_labels_of_test_rows_change_nothing():
    rows = simulated(500)
    train, test = rows.take(np.arange(400)), rows.take(np.arange(400, 500))
    hidden = Rows(test.features, 1 - test.event, test.group)
    arms = chain(*MODELS, classifiers=CLASSIFIERS)
    for arm in arms.fitted_arms:
        one, other = (run_arm(arm, train, part, arms, seed=0) for part in (test, hidden))
        assert one.raw.keys() == other.raw.keys() == set(CLASSIFIERS)
        for classifier, p in one.raw.items():
            np.testing.assert_array_equal(p, other.raw[classifier])


@pytest.mark.usefixtures("generator")
def test_other_test_rows_change_no_fitted_object():
    """What a row is predicted depends on the training rows and on itself alone."""
    rows = simulated(500)
    train, test = rows.take(np.arange(400)), rows.take(np.arange(400, 500))
    other = simulated(50, seed=9, strength=4.0).features.assign(severity=1e6)
    mixed = pd.concat([test.features[:50], other.astype(test.features.dtypes)], ignore_index=True)
    arms = chain(*MODELS, classifiers=CLASSIFIERS)
    for arm in arms.fitted_arms:
        one, changed = (
            run_arm(arm, train, Rows(features, test.event, test.group), arms, seed=0) for features in (test.features, mixed)
        )
        for classifier, p in one.raw.items():
            np.testing.assert_array_equal(p[:50], changed.raw[classifier][:50])
            assert (p[50:] != changed.raw[classifier][50:]).any()


@pytest.mark.slow
def test_permuted_outcomes_of_the_test_part_leave_an_auroc_of_one_half():
    train, test = simulated(800, prevalence=0.15), simulated(1500, seed=5, prevalence=0.15)
    permuted = Rows(test.features, np.random.default_rng(0).permutation(test.event), test.group)
    arms = chain("none", "smote", classifiers=CLASSIFIERS)
    for part, low, high in ((test, 0.7, 1.0), (permuted, 0.45, 0.55)):
        found = predict_both(train, part, arms, n_folds=4, repeats=1, seed=0).holdout
        for key, (p,) in found.probability.items():
            assert low < roc_auc_score(found.event, p) < high, key


@pytest.mark.parametrize("folds", [2, 3, 5])
def test_outcomes_of_a_tested_fold_change_no_prediction_of_it(folds):
    """Neither its model nor its recalibration, nor those that the recalibration is learned from, saw them."""
    rows, arms = simulated(600, group_size=2, prevalence=0.1), chain("none", "class_weight")
    plan = plan_folds(rows, n_folds=folds, repeats=1, seed=0)
    for tested in plan.folds[:2]:
        event = rows.event.copy()
        event[tested.rows] = event[tested.rows][::-1]  # another outcome for some, as many events
        assert (event != rows.event).any()
        changed = Rows(rows.features, event, rows.group)
        fits = {tested.fit: plan.fits[tested.fit]} | {name: plan.fits[name] for name, _ in tested.inner}
        one, other = (
            folds_module._Assembly(data, Plan(fits, (tested,)), arms, fits, compute_cells(data, fits, arms))
            for data in (rows, changed)
        )
        for model in one.models:
            expected = one._variants(tested.fit, model, one._recalibration(tested, model))
            got = other._variants(tested.fit, model, other._recalibration(tested, model))
            for key, p in expected.items():
                np.testing.assert_array_equal(p, got[key])


def test_each_row_is_predicted_once_per_repeat_by_a_fold_without_its_group():
    rows = simulated(600, group_size=4)
    predictions = cross_validate(rows, chain("none", "class_weight"), n_folds=4, repeats=2, seed=0)
    assert predictions.fold.shape == (2, 600)
    for fold in predictions.fold:
        assert set(fold) == {0, 1, 2, 3}
        assert pd.Series(fold).groupby(rows.group).nunique().max() == 1
    assert (predictions.fold[0] != predictions.fold[1]).any()
    for p in predictions.probability.values():
        assert p.shape == (2, 600)
        assert ((p > 0) & (p < 1)).all()


@pytest.mark.slow
def test_a_row_is_not_predicted_from_its_own_label():
    """Pure noise: out-of-fold AUROC is one half. A leak would lift it, most of all for arms that copy cases."""
    rng = np.random.default_rng(0)
    rows = simulated(1500)
    noise = pd.DataFrame({f"x{i}": rng.normal(size=1500) for i in range(5)})
    predictions = cross_validate(
        Rows(noise, rng.permutation(rows.event), rows.group),
        chain("none", "random_oversampling", "smote", classifiers=CLASSIFIERS),
        n_folds=4,
        repeats=1,
        seed=0,
    )
    for key, (p,) in predictions.probability.items():
        cases, others = p[predictions.event == 1], p[predictions.event == 0]
        assert 0.38 < (cases[:, None] > others).mean() < 0.6, key


@pytest.mark.slow
def test_the_numbers_do_not_depend_on_the_executor():
    rows, arms = simulated(500), chain("none", "smote")
    done = []
    options = {"n_folds": 4, "repeats": 1, "seed": 7}
    one = cross_validate(rows, arms, run=Run(on_done=lambda *progress: done.append(progress)), **options)
    with ProcessPool(2) as pool:
        two = cross_validate(rows, arms, run=Run(executor=pool), **options)
    cells = 2 * (4 + 6)  # two arms; four folds, and each pair of them
    assert done == [(number, cells) for number in range(1, cells + 1)]
    for key, p in one.probability.items():
        np.testing.assert_array_equal(p, two.probability[key])
    other = cross_validate(rows, arms, **{**options, "seed": 8})
    assert (one.fold != other.fold).any()


def test_the_threshold_arm_has_the_probabilities_of_none():
    predictions = cross_validate(simulated(400), chain("none", "threshold"), n_folds=3, repeats=1, seed=0)
    for variant in ("raw", "offset", "recalibrated"):
        ours, plain = (predictions.probability[arm, "logistic_regression", variant] for arm in ("threshold", "none"))
        np.testing.assert_array_equal(ours, plain)


def test_offset_is_nothing_for_none_and_the_prior_shift_for_weights():
    rows = simulated(600)
    found = cross_validate(rows, chain("none", "class_weight"), n_folds=4, repeats=1, seed=0)
    plain, weighted = (found.probability[arm, "logistic_regression", "raw"] for arm in ("none", "class_weight"))
    np.testing.assert_array_equal(plain, found.probability["none", "logistic_regression", "offset"])
    moved = found.probability["class_weight", "logistic_regression", "offset"]
    for fold in range(4):
        tested = found.fold == fold
        share = rows.event[~tested[0]].mean()
        assert (found.prevalence[tested] == share).all()
        np.testing.assert_allclose(moved[tested], offset(weighted[tested], fitted_share=0.5, share=share))


def test_a_fold_is_recalibrated_by_what_models_without_it_say_of_the_other_folds():
    rows, arms = simulated(900, group_size=2, prevalence=0.1), chain("class_weight", "none")
    found = cross_validate(rows, arms, n_folds=4, repeats=1, seed=0)
    events, moved = [], []
    for other in (1, 2, 3):
        left = np.isin(found.fold[0], [0, other])
        judged = found.fold[0] == other
        model = fit_chain(rows.take(~left), arms, "class_weight", LR, seed=derive(0, "split", 0, 0, other))
        events.append(rows.event[judged])
        moved.append(model.predict(rows.features[judged]))
    expected = fit_recalibration(np.concatenate(events), np.concatenate(moved))
    tested = found.fold[0] == 0
    own = found.probability["class_weight", LR, "offset"][0][tested]
    np.testing.assert_array_equal(found.probability["class_weight", LR, "recalibrated"][0][tested], expected(own))


def test_the_holdout_is_predicted_by_the_training_part_and_recalibrated_by_its_folds():
    train, test = simulated(500, seed=1), simulated(200, seed=2)
    arms = chain("none", "smote")
    found = predict_both(train, test, arms, n_folds=4, repeats=2, seed=0)
    folds = cross_validate(train, arms, n_folds=4, repeats=2, seed=0)
    for key, p in folds.probability.items():
        np.testing.assert_array_equal(p, found.inner.probability[key])
    model = fit_chain(train, arms, "smote", LR, seed=holdout_seed(0)).predict(test.features)
    np.testing.assert_array_equal(found.holdout.probability["smote", LR, "offset"][0], model)
    learned = [fit_recalibration(train.event, p) for p in folds.probability["smote", LR, "offset"]]
    average = found.training["smote", LR]
    assert average.intercept == pytest.approx(np.mean([one.intercept for one in learned]))  # rows in another order
    np.testing.assert_allclose(np.log(average.slope), np.mean([np.log(one.slope) for one in learned]))
    np.testing.assert_array_equal(found.holdout.probability["smote", LR, "recalibrated"][0], average(model))
    both = np.concatenate([train.event, test.event])
    refit = [fit_recalibration(both, np.concatenate([p, model])).intercept for p in folds.probability["smote", LR, "offset"]]
    np.testing.assert_allclose(found.final["smote", LR].intercept, np.mean(refit))
    assert found.final.keys() == found.training.keys()


def test_without_a_holdout_the_model_is_recalibrated_by_its_folds():
    found = predict_both(simulated(500), None, chain("none"), n_folds=4, repeats=1, seed=0)
    assert found.holdout is None
    assert found.final == found.training != {}


def test_five_events_are_enough_to_run():
    rows = with_events(simulated(300), 5)
    predictions = cross_validate(rows, chain("none", "class_weight", "random_oversampling"), n_folds=5, repeats=1, seed=0)
    assert len(predictions.probability) == 9
    assert set(predictions.fold[0]) == set(range(5))


def test_folds_are_no_more_than_groups_with_events():
    rows = with_events(simulated(300), 4)
    assert usable_folds(rows, 5) == 4
    with pytest.raises(OutcomeError, match="at least 2 groups of the training part; got 1"):
        usable_folds(with_events(rows, 1), 5)


def test_an_arm_that_cannot_run_is_left_out_by_name():
    rows = with_events(simulated(300), 3)
    predictions = cross_validate(rows, chain("none", "smote"), n_folds=3, repeats=1, seed=0)
    assert set(predictions.unavailable) == {"smote"}
    assert "at least 2" in predictions.unavailable["smote"]
    assert {arm for arm, _, _ in predictions.probability} == {"none"}


def test_what_a_reader_must_know_of_the_splits_is_gathered_once(generator):
    generator.remarks = ("Early stopping watched.",)
    rows = simulated(600)
    sites = Rows(rows.features, rows.event, np.arange(600) % 2)
    got = cross_validate(sites, chain("none", "mgvae", "vae"), n_folds=5, repeats=2, seed=0)
    calibration, arms = got.remarks
    assert calibration.startswith("Recalibration was learned on single rows")
    assert arms == "Early stopping watched."
    assert set(got.unavailable) == set()
    assert cross_validate(rows, chain("none"), n_folds=2, repeats=1, seed=0).remarks == ()
