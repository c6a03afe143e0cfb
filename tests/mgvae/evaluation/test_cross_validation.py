"""The leakage laws: no test or calibration row, and no test label, reaches an arm or a classifier."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mgvae.classifiers.recalibration import offset
from mgvae.cohort.rows import Rows
from mgvae.cohort.split import inner_part
from mgvae.errors import OutcomeError
from mgvae.evaluation import one_split as chain_module
from mgvae.evaluation.cross_validation import cross_validate, predict_both, predict_holdout, usable_folds
from mgvae.evaluation.one_split import run_chain
from mgvae.evaluation.parallel import ProcessPool
from tests.mgvae.evaluation.simulated_cohort import chain, simulated, with_events

CLASSIFIERS = ("logistic_regression", "hist_gradient_boosting")
MODELS = ("none", "class_weight", "threshold", "random_oversampling", "smote", "mgvae")


def marked(n: int, **options) -> Rows:
    """Rows whose severity tells them apart, so that they can be found again."""
    rows = simulated(n, **options)
    return Rows(rows.features.assign(severity=np.arange(n) / n), rows.event, rows.group)


def marks(features: pd.DataFrame) -> set[float]:
    return set(features["severity"])


def test_neither_test_nor_calibration_rows_reach_an_arm_or_its_parents(generator, monkeypatch):
    handed, calibrated = [], []
    treat, fit = chain_module.treat, chain_module.fit_recalibration
    monkeypatch.setattr(chain_module, "treat", lambda arm, rows, *a, **k: handed.append(rows) or treat(arm, rows, *a, **k))
    monkeypatch.setattr(chain_module, "fit_recalibration", lambda event, p: calibrated.append(len(event)) or fit(event, p))
    rows = marked(600, group_size=3)
    train, test = rows.take(rows.group < 150), rows.take(rows.group >= 150)
    run_chain(train, test, chain(*MODELS), seed=0)
    given = set().union(*(marks(part.features) for part in handed))
    assert len(handed) == len(MODELS) - 1, "threshold reuses the fit of none"
    assert not given & marks(test.features)
    assert given < marks(train.features)
    assert all(len(part) == len(handed[0]) for part in handed), "all arms share the fitting rows"
    assert set(calibrated) == {len(train) - len(handed[0])}
    groups = [set(part.group) for part in handed]
    assert all(len(group) * 3 == len(part) for group, part in zip(groups, handed, strict=True)), "whole groups"
    assert marks(generator.parents[0]) <= given


@pytest.mark.usefixtures("generator")
def test_labels_of_test_rows_change_nothing():
    rows = simulated(500)
    train, test = rows.take(np.arange(400)), rows.take(np.arange(400, 500))
    hidden = Rows(test.features, 1 - test.event, test.group)
    one, other = (run_chain(train, part, chain(*MODELS, classifiers=CLASSIFIERS), seed=0) for part in (test, hidden))
    assert one.probability.keys() == other.probability.keys()
    for key, p in one.probability.items():
        np.testing.assert_array_equal(p, other.probability[key])


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


def test_the_numbers_do_not_depend_on_the_executor():
    rows, arms = simulated(500), chain("none", "random_oversampling", "smote", classifiers=CLASSIFIERS)
    done = []
    options = {"n_folds": 3, "repeats": 1, "seed": 7}
    one = cross_validate(rows, arms, on_done=lambda *progress: done.append(progress), **options)
    with ProcessPool(2) as pool:
        two = cross_validate(rows, arms, executor=pool, **options)
    assert done == [(1, 3), (2, 3), (3, 3)]
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
    outcome = run_chain(rows, rows, chain("none", "class_weight"), seed=0)
    plain, weighted = (outcome.probability[arm, "logistic_regression", "raw"] for arm in ("none", "class_weight"))
    np.testing.assert_array_equal(plain, outcome.probability["none", "logistic_regression", "offset"])
    moved = outcome.probability["class_weight", "logistic_regression", "offset"]
    np.testing.assert_allclose(moved, offset(weighted, fitted_share=0.5, share=outcome.prevalence))
    parts = inner_part(rows.event == 1, rows.group, fraction=0.2, seed=chain_module.derive(0, "calibration"))
    assert outcome.prevalence == rows.event[~parts.held_out].mean()


def test_the_holdout_is_predicted_by_the_training_part_alone():
    train, test = simulated(500, seed=1), simulated(200, seed=2)
    arms = chain("none", "smote")
    inner, outer = predict_both(train, test, arms, n_folds=3, repeats=1, seed=0)
    alone = predict_holdout(train, test, arms, seed=0)
    folds = cross_validate(train, arms, n_folds=3, repeats=1, seed=0)
    for key, p in alone.probability.items():
        assert p.shape == (1, 200)
        np.testing.assert_array_equal(p, outer.probability[key])
        np.testing.assert_array_equal(inner.probability[key], folds.probability[key])


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
