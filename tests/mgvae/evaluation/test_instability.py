"""Redevelopments: what is drawn, refitted and kept, and what is said of it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logit

from mgvae.classifiers.recalibration import Recalibration, fit_recalibration
from mgvae.config.study import CohortConfig
from mgvae.errors import OutcomeError
from mgvae.evaluation import redevelopment
from mgvae.evaluation.arm_kinds import compared_arms
from mgvae.evaluation.cells import HERE, Run
from mgvae.evaluation.instability import measure_instability
from mgvae.evaluation.measures.instability import recalibrated
from mgvae.evaluation.one_split import fit_chain
from mgvae.evaluation.parallel import ProcessPool
from mgvae.evaluation.redevelopment import compared_rows, draw, redevelop
from mgvae.reproducibility import derive
from tests.mgvae.evaluation.simulated_cohort import chain, simulated, with_events

LR = "logistic_regression"


@pytest.fixture(scope="module")
def rows():
    return simulated(900, prevalence=0.08, group_size=2)


def config(*arms, evaluated=("none", "class_weight", "mgvae"), **settings):
    return CohortConfig.model_validate(
        {
            "study": "s",
            "extract": "e",
            "subject_id": "id",
            "outcome": {"column": "y"},
            "columns": {"columns": {"id": {"role": "identifier"}, "severity": {"kind": "continuous"}}},
            "evaluation": {"arms": evaluated, "classifiers": [LR]},
            "instability": {"redevelopments": 12, "generated": 3, "arms": arms or None, **settings},
        }
    )


def redeveloped(rows, arm="none", **changes):
    options = {"count": 6, "predicted": np.arange(len(rows)), "relearn": True, "seed": 5, "run": HERE}
    return redevelop(rows, chain(arm), arm, **{**options, **changes})


def test_groups_are_drawn_whole_and_as_many_as_there_are(rows):
    drawn = draw(rows, seed=3)
    counts = np.bincount(drawn, minlength=len(rows)).reshape(-1, 2)
    assert (counts[:, 0] == counts[:, 1]).all()
    assert counts[:, 0].sum() == len(rows) // 2
    assert counts.max() > 2 > counts.min() == 0
    assert (np.diff(drawn) >= 0).all()
    assert not np.array_equal(drawn, draw(rows, seed=4))


def test_a_sample_without_the_event_is_drawn_again_and_none_is_an_error(rows):
    one = with_events(rows, 1)
    assert all(one.event[draw(one, seed=seed)].sum() > 0 for seed in range(20))
    with pytest.raises(OutcomeError, match=r"100 draws of \d+ groups lacked one class"):
        draw(with_events(rows, 0), seed=0)


def test_a_redeveloped_model_is_the_chain_fitted_on_the_sample(rows):
    found = redeveloped(rows, "class_weight")
    own = derive(5, "redevelopment", 4)
    model = fit_chain(rows.take(draw(rows, seed=own)), chain("class_weight"), "class_weight", LR, seed=own)
    assert found.moved[3] == pytest.approx(model.predict(rows.features), rel=1e-5)
    original = fit_chain(rows, chain("class_weight"), "class_weight", LR, seed=0)
    assert found.original == pytest.approx(original.predict(rows.features), rel=1e-9)


def test_copies_of_a_group_lie_in_one_inner_part(rows):
    development = redevelopment._development(rows, 2, np.arange(10), relearn=True, seed=1)
    assert len(development.inner) == 4
    assert sum(len(fit.predicted) for fit in development.inner) == len(rows)
    for fit in development.inner:
        assert not set(rows.group[fit.fitted]) & set(rows.group[fit.predicted])
        assert sorted([*fit.fitted, *fit.predicted]) == development.outer.fitted.tolist()
    assert development.outer.predicted.tolist() == list(range(10))


def test_the_recalibration_is_learned_from_rows_that_the_predicting_fit_never_saw(rows):
    development = redevelopment._development(rows, 3, np.arange(10), relearn=True, seed=5)
    event, predicted = [], []
    for fit in development.inner:
        model = fit_chain(rows.take(fit.fitted), chain("class_weight"), "class_weight", LR, seed=fit.seed)
        predicted.append(model.predict(rows.take(fit.predicted).features))
        event.append(rows.event[fit.predicted])
    expected = fit_recalibration(np.concatenate(event), np.concatenate(predicted))
    learned = redeveloped(rows, "class_weight").lines[2]
    assert (learned.intercept, learned.slope) == pytest.approx((expected.intercept, expected.slope), rel=1e-6)
    assert all(line is None for line in redeveloped(rows, relearn=False).lines)


@pytest.mark.parametrize(("enough", "parts"), [(30, 1), (31, 2), (1000, 4)])
def test_no_more_parts_recalibrate_than_are_enough(rows, monkeypatch, enough, parts):
    monkeypatch.setattr(redevelopment, "ENOUGH", enough)
    development = redevelopment._development(rows, 0, np.arange(10), relearn=True, seed=5)
    assert len(development.inner) == parts
    held = np.concatenate([fit.predicted for fit in development.inner])
    groups = len(np.unique(rows.group[held][rows.event[held] == 1]))
    assert groups >= enough or len(held) == len(rows)


def test_with_the_events_in_one_group_nothing_is_learned(rows):
    found = redeveloped(with_events(rows, 1), count=2)
    assert found.lines == (None, None)
    assert np.isfinite(found.moved).all()


def test_memory_is_bounded_and_the_numbers_of_a_patient_stay(rows, monkeypatch):
    whole = redeveloped(rows)
    monkeypatch.setattr(redevelopment, "CELLS", 8 * 900 * 2)  # two developments at a time
    batches = []
    compute = redevelopment.compute_cells
    monkeypatch.setattr(
        redevelopment, "compute_cells", lambda r, fits, c, run: batches.append(len(fits)) or compute(r, fits, c, run)
    )
    assert np.array_equal(redeveloped(rows).moved, whole.moved)
    assert batches == [10, 10, 10, 5]
    some = compared_rows(rows, 48, seed=0)
    assert len(some) == pytest.approx(300, abs=2)
    assert rows.event[some].mean() == pytest.approx(rows.prevalence, rel=0.03)
    assert np.array_equal(redeveloped(rows, predicted=some).moved, whole.moved[:, some])


@pytest.mark.parametrize(("most", "compared"), [(900, 900), (899, 899), (450, 450)])
def test_no_more_patients_are_compared_than_a_mean_needs(rows, monkeypatch, most, compared):
    monkeypatch.setattr(redevelopment, "MOST_COMPARED", most)
    some = compared_rows(rows, 2, seed=0)
    assert len(some) == pytest.approx(compared, abs=2)
    assert (len(some) == len(rows)) == (most >= 900)


def test_an_arm_that_fails_on_some_samples_says_so(rows, monkeypatch):
    run_cell, calls = redevelopment.compute_cells, []

    def failing(rows, fits, chain, run):
        outcomes = run_cell(rows, fits, chain, run)
        name = "redevelopment-2"
        outcomes[name]["smote"] = type(outcomes[name]["smote"])(unavailable="too few cases")
        calls.append(name)
        return outcomes

    monkeypatch.setattr(redevelopment, "compute_cells", failing)
    found = redeveloped(rows, "smote")
    assert (len(found.moved), len(found.lines), found.reasons) == (5, 5, ("too few cases",))


def test_the_compared_arms():
    assert compared_arms(config(), "none") == ("none", "mgvae")
    assert compared_arms(config(), "class_weight") == ("none", "class_weight", "mgvae")
    assert compared_arms(config(evaluated=("none", "threshold")), "threshold") == ("none",)
    assert compared_arms(config(generated=0), "mgvae") == ("none",)
    assert compared_arms(config("none", "class_weight"), "mgvae") == ("none", "class_weight")


def test_none_stands_beside_an_arm_with_a_generator_in_the_same_way(rows, generator):
    lines = {"none": Recalibration(0.2, 0.9), "mgvae": Recalibration(-0.3, 0.5)}
    found = measure_instability(rows, config(), recommended="class_weight", lines=lines)
    models = [(entry.arm, entry.recalibration, entry.redevelopments) for entry in found.arms]
    assert models == [("none", "learned", 12), ("none", "kept", 12), ("class_weight", "learned", 12), ("mgvae", "kept", 3)]
    assert len(generator.given) == 4  # the original model and three others
    assert found.unavailable == {}
    assert len(found.remarks) == 1
    assert (found.n, found.events) == (900, rows.event.sum())
    assert found.threshold == found.prevalence == rows.prevalence
    unknown = measure_instability(rows, config("none", "mgvae"), recommended="none", lines={})
    assert len(unknown.remarks) == 2
    assert "not recalibrated" in unknown.remarks[1]


def test_more_patients_make_a_more_stable_model():
    few, many = (
        measure_instability(simulated(n, prevalence=0.1), config("none"), recommended="none", lines={}).arms[0]
        for n in (400, 4000)
    )
    assert many.mape.value < 0.6 * few.mape.value
    assert many.changed.value < few.changed.value
    assert many.slope.high - many.slope.low < few.slope.high - few.slope.low
    assert few.mape.low < few.mape.value < few.mape.high


def test_an_arm_that_cannot_be_run_is_named(rows):
    few = with_events(rows, 1)
    found = measure_instability(few, config("none", "smote", evaluated=("none", "smote")), recommended="none", lines={})
    assert set(found.unavailable) == {"smote"}
    assert [entry.arm for entry in found.arms] == ["none"]


@pytest.mark.slow
def test_the_result_does_not_depend_on_workers_and_progress_counts_to_the_end(rows):
    settings, steps = config("none", "class_weight"), []
    alone = measure_instability(
        rows, settings, recommended="none", lines={}, run=Run(on_done=lambda done, total: steps.append((done, total)))
    )
    assert steps == [(done, 2 * 13 * 5) for done in range(1, 2 * 13 * 5 + 1)]
    with ProcessPool(1) as pool:
        assert measure_instability(rows, settings, recommended="none", lines={}, run=Run(executor=pool)) == alone


@pytest.mark.slow
def test_redeveloped_models_differ_as_models_of_fresh_patients_do():
    own = simulated(1000, prevalence=0.1, seed=1)
    found = redeveloped(own, count=25)
    bootstrapped = recalibrated(found.moved, found.lines).astype(np.float64)
    fresh = []
    for seed in range(100, 125):
        other = simulated(1000, prevalence=0.1, seed=seed)
        line = redeveloped(other, count=0).line
        fresh.append(line(fit_chain(other, chain("none"), "none", LR, seed=0).predict(own.features)))
    by_bootstrap, by_truth = (logit(np.asarray(risks)).std(axis=0) for risks in (bootstrapped, fresh))
    assert by_bootstrap.mean() / by_truth.mean() == pytest.approx(1, abs=0.25)
