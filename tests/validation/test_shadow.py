"""The likelihood-ratio attack against its theory: normal scores that shift by a known amount where a patient was trained on."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mgvae.errors import ShapeError
from validation.attacks.shadow import attacked_by_ratio, closeness, left_out, likelihood_ratios

PATIENTS, SHADOWS = 400, 64


def drawn(shift, *, seed=0, spread=3.0, shadows=SHADOWS):
    """Return target, shadow scores, who was left out and who is a member; patients differ far more than members do."""
    rng = np.random.default_rng(seed)
    member, easy = np.arange(PATIENTS) < PATIENTS // 2, spread * rng.normal(size=PATIENTS)
    without = left_out(np.arange(PATIENTS), shadows, parts=2, seed=seed)
    target, shadow = (easy + shift * inside + rng.normal(size=inside.shape) for inside in (member, ~without))
    return target, shadow, without, member


@pytest.mark.parametrize("shift", [0.0, 1.0, 2.0])
def test_the_auc_is_that_of_a_known_shift_however_patients_differ(shift):
    target, shadow, without, member = drawn(shift)
    auc = attacked_by_ratio(likelihood_ratios(target, shadow, without), member).auc
    assert auc.low <= stats.norm.cdf(shift / np.sqrt(2)) <= auc.high
    assert auc.high - auc.low < 0.12


def test_the_score_alone_finds_less():
    target, shadow, without, member = drawn(2.0)
    alone = attacked_by_ratio(target, member).auc
    assert alone.high < attacked_by_ratio(likelihood_ratios(target, shadow, without), member).auc.low


def test_no_shift_is_found_nowhere_over_seeds():
    held = 0
    for seed in range(40):
        target, shadow, without, member = drawn(0.0, seed=seed, shadows=8)
        auc = attacked_by_ratio(likelihood_ratios(target, shadow, without), member).auc
        held += auc.low <= 0.5 <= auc.high
    assert held >= 35  # of 40 at 95 %: fewer with probability 0.003


def test_a_share_caught_has_its_exact_interval():
    target, shadow, without, member = drawn(2.0)
    caught = attacked_by_ratio(likelihood_ratios(target, shadow, without), member).caught
    exact = stats.binomtest(round(caught.value * PATIENTS / 2), PATIENTS // 2).proportion_ci(method="exact")
    assert (caught.low, caught.high) == pytest.approx((exact.low, exact.high))
    assert caught.low < stats.norm.cdf(2 - stats.norm.ppf(0.9)) < caught.high


def test_every_patient_is_left_out_equally_often_and_with_the_whole_group():
    group = np.repeat(np.arange(10), 3)
    without = left_out(group, 12, parts=4, seed=1)
    assert (without.sum(axis=0) == 3).all()
    assert all((row[group == one]).min() == (row[group == one]).max() for row in without for one in range(10))
    assert (without == left_out(group, 12, parts=4, seed=1)).all()
    assert (without != left_out(group, 12, parts=4, seed=2)).any()


@pytest.mark.parametrize(("shadows", "parts", "groups"), [(10, 4, 10), (8, 4, 3)])
def test_what_cannot_be_dealt_is_refused(shadows, parts, groups):
    with pytest.raises(ShapeError, match="multiple of 4 parts, with a group in each"):
        left_out(np.arange(groups), shadows, parts=parts, seed=0)


def test_one_generator_on_a_side_is_refused():
    with pytest.raises(ShapeError, match="2 shadow generators on each side; got 1"):
        likelihood_ratios(np.zeros(3), np.zeros((3, 3)), np.eye(3, dtype=bool))


def test_fewer_than_four_on_a_side_cannot_be_judged():
    member = np.arange(10) < 3
    assert attacked_by_ratio(np.arange(10.0), member) is None
    assert attacked_by_ratio(np.arange(10.0), np.arange(10) < 4) is not None


def test_nearer_rows_score_higher():
    rng = np.random.default_rng(0)
    made, patients = rng.normal(size=(200, 3)), np.zeros((2, 3))
    patients[1] += 9
    near, far = closeness(patients, made)
    assert near > far
