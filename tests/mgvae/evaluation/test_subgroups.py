"""Measures by subgroup against outside references, differences with planted truth, and the rule on few events."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_score, recall_score, roc_auc_score

from mgvae.classifiers.recalibration import to_logit
from mgvae.cohort.subgroups import Subgroup
from mgvae.evaluation.bootstrap import resamples
from mgvae.evaluation.intervals import Score
from mgvae.evaluation.predictions import Predictions
from mgvae.evaluation.subgroups import FEWEST_EVENTS, MEASURED, critical_values, subgroup_part

MODEL = [("none", "logistic_regression")]


def predictions(n=3000, *, seed=0, shift=0.0, strength=1.0, repeats=1, folds=1):
    """Return predictions that are right for level a; in level b the outcome has another level and slope."""
    rng = np.random.default_rng(seed)
    line, other = rng.normal(-2, 1, n), np.arange(n) % 2 == 1
    event = (rng.random(n) < expit(np.where(other, strength * line + shift, line))).astype(np.int64)
    rows = np.stack([expit(line + rng.normal(0, 0.1 * (repeats > 1), n)) for _ in range(repeats)])
    fold = np.tile((np.arange(n) // 2 % folds).astype(np.int16), (repeats, 1))
    probability = {("none", "logistic_regression", variant): rows for variant in ("raw", "recalibrated")}
    made = Predictions(event, np.arange(n), fold, np.full((repeats, n), 0.15), probability, {})
    return made, [Subgroup("sex", "Sex", "a", ~other), Subgroup("sex", "Sex", "b", other)]


def measured(made, groups, *, n=200, models=MODEL):
    return subgroup_part(made, groups, models, resamples(made.event, made.group, n=n, seed=1))


def groups_of(found):
    return {group.level: group for column in found.models[0].columns for group in column.groups}


def test_measures_are_those_of_scikit_learn_on_the_subgroup():
    made, groups = predictions(shift=0.5)
    found = groups_of(measured(made, groups))
    probability = made.probability["none", "logistic_regression", "recalibrated"][0]
    for group in groups:
        one, event, p = found[group.level], made.event[group.member], probability[group.member]
        line = LogisticRegression(C=np.inf).fit(to_logit(p)[:, None], event)
        expected = {
            "auroc": roc_auc_score(event, p),
            "observed_expected": event.sum() / p.sum(),
            "calibration_slope": line.coef_[0, 0],
            "sensitivity": recall_score(event, p >= 0.15),
            "ppv": precision_score(event, p >= 0.15),
        }
        assert (one.n, one.events, one.too_few) == (len(event), event.sum(), False)
        assert {name: estimate.value for name, estimate in one.measures.items()} == pytest.approx(expected, rel=2e-3)
        assert all(estimate.low < estimate.value < estimate.high for estimate in one.measures.values())


def test_repeats_are_averaged_and_ranks_stay_within_folds():
    made, groups = predictions(repeats=3, folds=2)
    found = groups_of(measured(made, groups))["a"]
    member = groups[0].member
    rows, event = made.probability["none", "logistic_regression", "raw"], made.event
    ratio = [event[member].sum() / row[member].sum() for row in rows]
    assert found.measures["observed_expected"].value == pytest.approx(np.mean(ratio))
    pairs = []
    for row, fold in zip(rows, made.fold, strict=True):
        parts = [member & (fold == number) for number in (0, 1)]
        weights = [event[part].sum() * (1 - event[part]).sum() for part in parts]
        pairs.append(np.average([roc_auc_score(event[part], row[part]) for part in parts], weights=weights))
    assert found.measures["auroc"].value == pytest.approx(np.mean(pairs))


def test_all_patients_are_measured_as_one_subgroup():
    made, groups = predictions()
    everyone = [Subgroup("all", "All", "all", np.ones(3000, dtype=bool))]
    overall = measured(made, groups).models[0].overall
    (alone,) = groups_of(measured(made, everyone)).values()
    assert overall.measures == alone.measures
    assert (overall.n, overall.events) == (3000, made.event.sum())


@pytest.mark.parametrize(("events", "too_few"), [(FEWEST_EVENTS - 1, True), (FEWEST_EVENTS, False)])
def test_a_subgroup_of_fewer_than_ten_events_is_counted_alone(events, too_few):
    made, _ = predictions()
    cases, others = np.flatnonzero(made.event == 1), np.flatnonzero(made.event == 0)
    member = np.isin(np.arange(3000), [*cases[:events], *others[:200]])
    found = groups_of(measured(made, [Subgroup("site", "Site", "x", member), Subgroup("site", "Site", "y", ~member)]))
    assert (found["x"].n, found["x"].events, found["x"].too_few) == (200 + events, events, too_few)
    assert bool(found["x"].measures) == bool(found["x"].against_rest) == bool(found["y"].against_rest) == (not too_few)
    assert found["y"].measures


def test_a_subgroup_of_events_alone_is_counted_alone():
    made, _ = predictions()
    found = groups_of(measured(made, [Subgroup("c", "C", "x", made.event == 1), Subgroup("c", "C", "y", made.event == 0)]))
    assert found["x"].too_few
    assert found["y"].too_few


def test_a_planted_difference_is_found_and_its_mirror_counts_once():
    made, groups = predictions(6000, shift=0.8, strength=0.5)
    model = measured(made, groups).models[0]
    a, b = model.columns[0].groups
    assert model.comparisons == 1
    for name in MEASURED:
        assert a.against_rest[name].value == pytest.approx(-b.against_rest[name].value)
        assert a.against_rest[name].value == pytest.approx(a.measures[name].value - b.measures[name].value)
    assert a.against_rest["observed_expected"].stands
    assert a.against_rest["observed_expected"].high < 0
    assert a.against_rest["calibration_slope"].stands
    spread = model.columns[0].ranges["observed_expected"]
    assert spread.value == pytest.approx(b.measures["observed_expected"].value - a.measures["observed_expected"].value)
    assert spread.low > 0


@pytest.mark.slow
def test_where_no_subgroup_differs_few_differences_exclude_zero():
    """12 studies of 5 subgroups: 5 % of the differences by chance; in 5 % of the studies any for all at once."""
    excluded, compared, any_stands = 0, 0, 0
    for seed in range(12):
        made, _ = predictions(1500, seed=seed)
        groups = [Subgroup("site", "Site", str(k), np.arange(1500) % 5 == k) for k in range(5)]
        found = groups_of(measured(made, groups, n=120)).values()
        one = [group.against_rest["observed_expected"] for group in found]
        excluded, compared = excluded + sum(x.excludes_zero for x in one), compared + len(one)
        any_stands += any(x.stands for x in one)
    assert compared == 60
    assert excluded <= 7
    assert any_stands <= 2


def test_limits_for_all_subgroups_are_wider():
    made, _ = predictions()
    groups = [Subgroup("site", "Site", str(k), np.arange(3000) % 6 == k) for k in range(6)]
    found = measured(made, groups).models[0]
    assert found.comparisons == 6
    for group in found.columns[0].groups:
        for one in group.against_rest.values():
            assert one.family_low < one.low < one.value < one.high < one.family_high


def test_groups_are_drawn_whole():
    """Each patient ten times in a family tells no more than once."""
    single, groups = predictions(400)
    repeated = Predictions(
        np.repeat(single.event, 10),
        np.repeat(single.group, 10),
        np.repeat(single.fold, 10, axis=1),
        np.repeat(single.prevalence, 10, axis=1),
        {key: np.repeat(rows, 10, axis=1) for key, rows in single.probability.items()},
        {},
    )
    tenfold = [Subgroup(one.column, one.label, one.level, np.repeat(one.member, 10)) for one in groups]
    alone, many = groups_of(measured(single, groups))["a"], groups_of(measured(repeated, tenfold))["a"]
    for name in MEASURED:
        width = [one.measures[name].high - one.measures[name].low for one in (alone, many)]
        assert width[1] == pytest.approx(width[0], rel=0.05)


def test_a_share_of_zero_does_not_stand_without_evidence():
    """Sensitivity 0 among 10 events has no spread in the resamples, but an interval."""
    made, _ = predictions(seed=3)
    low = np.flatnonzero((made.event == 1) & (made.probability["none", "logistic_regression", "raw"][0] < 0.15))[:10]
    member = np.isin(np.arange(3000), [*low, *np.flatnonzero(made.event == 0)[:100]])
    found = groups_of(measured(made, [Subgroup("c", "C", "x", member), Subgroup("c", "C", "y", ~member)]))["x"]
    assert found.measures["sensitivity"].value == 0
    assert found.measures["sensitivity"].high > 0.2
    one = found.against_rest["ppv"]
    assert one.family_low <= one.low
    assert one.family_high >= one.high


def test_models_without_predictions_are_left_out():
    made, groups = predictions(400)
    found = measured(made, groups, models=[*MODEL, ("smote", "logistic_regression")])
    assert [model.arm for model in found.models] == ["none"]


def test_without_subgroups_all_patients_remain():
    made, _ = predictions(400)
    (model,) = measured(made, []).models
    assert (model.columns, model.comparisons) == ((), 0)
    assert model.overall.measures


def test_critical_values_of_one_difference_are_its_quantiles():
    draws = np.random.default_rng(0).normal(1.0, 2.0, 20_000)
    short, beyond = critical_values([Score(np.array([1.0]), draws)])
    assert (short, beyond) == pytest.approx((1.96, 1.96), abs=0.05)
    assert critical_values([]) == (0.0, 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gaps = np.where(np.arange(20_000) % 10 == 0, np.nan, draws)
        assert np.isfinite(critical_values([Score(np.array([1.0]), gaps)])).all()
