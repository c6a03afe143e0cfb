"""What the configuration asks for reaches the chain, the splits and the resamples."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from threading import Timer

import numpy as np
import pytest

from mgvae.config.study import CohortConfig
from mgvae.evaluation import cells as cells_module
from mgvae.evaluation.cells import Run, run_cell
from mgvae.evaluation.cross_validation import cross_validate, predict_both
from mgvae.evaluation.evaluate import chain_of
from mgvae.evaluation.one_split import ArmOutcome
from tests.mgvae.evaluation.results import evaluate
from tests.mgvae.evaluation.simulated_cohort import simulated

LR = "logistic_regression"
RAW = ("none", LR, "raw")


@pytest.fixture
def config():
    return CohortConfig.model_validate(
        {
            "study": "s",
            "extract": "e",
            "subject_id": "id",
            "outcome": {"column": "y"},
            "columns": {"columns": {"id": {"kind": "count", "role": "identifier"}, "age": {"kind": "continuous"}}},
            "training": {"latent_dim": 3},
            "synthesis": {"prevalence": 0.3},
            "evaluation": {
                "arms": ["none", "class_weight"],
                "classifiers": [LR],
                "folds": 3,
                "repeats": 2,
                "bootstrap": 60,
            },
        }
    )


def test_the_chain_is_what_the_configuration_says(config):
    chain = chain_of(config)
    assert chain.arms == ("none", "class_weight")
    assert chain.classifiers == (LR,)
    assert chain.recipe.training == config.training
    assert chain.recipe.prevalence == 0.3
    assert list(chain.recipe.columns) == ["age"]


def marked(n, *, seed):
    rows = simulated(n, seed=seed, group_size=2, prevalence=0.2)
    return type(rows)(rows.features.assign(severity=np.arange(n) / n), rows.event, rows.group)


class InReverse(Executor):
    """Gives each row its own mark as probability once all cells came in, from the last one on; keeps the calls."""

    def __init__(self, calls):
        self.calls, self.waiting, self.seen, self.others = calls, [], [], []

    def submit(self, function, *arguments):
        future = Future()
        if function is not run_cell:
            self.others.append(function.__name__)
            future.set_result(function(*arguments))
            return future
        rows, fit, arm, chain = arguments
        self.waiting.append((future, rows, fit, arm))
        self.seen.append((rows, fit, arm, chain))
        if len(self.seen) == self.calls:
            Timer(0.05, self.answer).start()
        return future

    def answer(self):
        for future, rows, fit, arm in reversed(self.waiting):
            mark = rows.features["severity"].to_numpy()[fit.predicted]
            future.set_result((ArmOutcome({LR: mark / (1 + (arm == "class_weight"))}), 0.1))


def test_outcomes_in_any_order_go_to_the_rows_arms_and_repeats_that_they_are_of(config):
    rows, executor = marked(200, seed=0), InReverse(2 * 2 * 10)
    got = cross_validate(rows, chain_of(config), n_folds=4, repeats=2, seed=0, run=Run(executor))
    for repeat in range(2):
        np.testing.assert_array_equal(got.probability[RAW][repeat], rows.features["severity"])
        np.testing.assert_array_equal(got.probability["class_weight", LR, "raw"][repeat], rows.features["severity"] / 2)
        for fold in range(4):
            kept = got.fold[repeat] != fold
            assert (got.prevalence[repeat][~kept] == rows.event[kept].mean()).all()
    fits = {fit.name: fit for _, fit, _, _ in executor.seen}
    assert len({fit.seed for fit in fits.values()}) == len(fits) == 20
    for fit in fits.values():
        assert not set(rows.group[fit.fitted]) & set(rows.group[fit.predicted])
        assert len(fit.fitted) + len(fit.predicted) == 200


def test_the_hold_out_is_tested_and_the_training_part_folded(config):
    train, test, executor = marked(200, seed=0), marked(80, seed=1), InReverse(2 * 21)
    found = predict_both(train, test, chain_of(config), n_folds=4, repeats=2, seed=0, run=Run(executor))
    np.testing.assert_array_equal(found.holdout.probability[RAW], test.features["severity"].to_numpy()[None])
    np.testing.assert_array_equal(found.holdout.event, test.event)
    assert (found.holdout.prevalence == train.event.mean()).all()
    np.testing.assert_array_equal(found.inner.probability[RAW][1], train.features["severity"])
    assert executor.seen[0][1].name == "whole", "the largest fit first"
    assert set(executor.seen[0][1].fitted) == set(range(200))
    assert all(fit.fitted.max() < 200 for _, fit, _, _ in executor.seen), "no fit sees the hold-out"


def with_arms(config, *arms):
    settings = config.evaluation.model_copy(update={"arms": arms})
    return chain_of(config.model_copy(update={"evaluation": settings}))


def test_cells_that_take_long_are_started_first_after_the_very_first_one(config):
    train, test, executor = marked(200, seed=0), marked(80, seed=1), InReverse(3 * 11)
    predict_both(
        train, test, with_arms(config, "none", "class_weight", "mgvae"), n_folds=4, repeats=1, seed=0, run=Run(executor)
    )
    (_, first, plain, _), *others = executor.seen
    assert (first.name, plain) == ("whole", "none"), "a fault of a classifier shows before a generator is trained"
    assert [arm for _, _, arm, _ in others[:11]] == ["mgvae"] * 11
    assert "mgvae" not in {arm for _, _, arm, _ in others[11:]}
    for part in (others[:11], others[11:]):
        rows = [len(fit.fitted) for _, fit, _, _ in part]
        assert rows == sorted(rows, reverse=True)


def test_what_a_reader_must_know_is_in_the_order_of_the_arms_whichever_ended_first(config, monkeypatch):
    arms = ("none", "class_weight", "mgvae")
    monkeypatch.setattr(cells_module, "run_arm", lambda arm, train, test, *_, **__: ArmOutcome({}, remarks=(f"Of {arm}.",)))
    options = {"n_folds": 4, "repeats": 1, "seed": 0}
    found = cross_validate(marked(200, seed=0), with_arms(config, *arms), **options)
    assert found.remarks == tuple(f"Of {arm}." for arm in arms)


def test_the_evaluation_splits_and_resamples_as_configured(config):
    train, test, executor = marked(200, seed=0), marked(80, seed=1), InReverse(2 * (1 + 2 * 3 * 3))
    got = evaluate(train, test, config, run=Run(executor))
    assert {arm for _, _, arm, _ in executor.seen} == {"none", "class_weight"}
    assert all(chain == chain_of(config) for *_, chain in executor.seen)
    assert (got["events"], got["holdout"]["events"]) == (train.event.sum(), test.event.sum())
    assert (got["folds"], got["repeats"]) == (3, 2)
    assert got["bootstrap"]["n"] == got["holdout"]["bootstrap"]["n"] == 60
    assert got["recalibration"].keys() == {"none", "class_weight"}
    assert executor.others == ["_holdout", "score", "score"], "the hold-out and each arm are measured side by side"


def test_the_hold_out_is_resampled_with_a_stream_of_its_own(config):
    rows = marked(200, seed=0)
    got = evaluate(rows, rows, config, run=Run(InReverse(2 * (1 + 2 * 3 * 3))))
    inner, outer = (block["arms"]["none"][LR]["raw"]["auprc"] for block in (got, got["holdout"]))
    assert inner["low"] != outer["low"]


class Kept:
    """Cells in memory."""

    def __init__(self):
        self.cells, self.loaded = {}, []

    def load(self, name):
        self.loaded.append(name)
        return self.cells.get(name)

    def save(self, name, outcome, seconds):
        assert seconds > 0
        self.cells[name] = outcome


def test_a_stopped_evaluation_goes_on_from_the_cells_that_were_kept(config, monkeypatch):
    rows, kept = marked(300, seed=0), Kept()
    options = {"n_folds": 4, "repeats": 1, "seed": 0}
    expected = cross_validate(rows, chain_of(config), **options)

    def stop(done, total):
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cross_validate(rows, chain_of(config), run=Run(on_done=stop, kept=kept), **options)
    assert len(kept.cells) == 7
    computed, run_arm = [], cells_module.run_arm
    monkeypatch.setattr(cells_module, "run_arm", lambda arm, *a, **k: computed.append(arm) or run_arm(arm, *a, **k))
    done = []
    found = cross_validate(rows, chain_of(config), run=Run(on_done=lambda *at: done.append(at), kept=kept), **options)
    assert len(computed) == 2 * 10 - 7
    assert done[-1] == (20, 20)
    for key, p in expected.probability.items():
        np.testing.assert_array_equal(found.probability[key], p)
