"""What the configuration asks for reaches the chain, the splits and the resamples."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from threading import Timer

import numpy as np
import pytest

from mgvae.config.study import CohortConfig
from mgvae.evaluation.cross_validation import _run_split, cross_validate, predict_both
from mgvae.evaluation.evaluate import chain_of
from mgvae.evaluation.one_split import VARIANTS, Outcome
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
                "calibration_fraction": 0.35,
            },
        }
    )


def test_the_chain_is_what_the_configuration_says(config):
    chain = chain_of(config)
    assert chain.arms == ("none", "class_weight")
    assert chain.classifiers == (LR,)
    assert chain.calibration_fraction == 0.35
    assert chain.recipe.training == config.training
    assert chain.recipe.prevalence == 0.3
    assert list(chain.recipe.columns) == ["age"]


def marked(n, *, seed):
    rows = simulated(n, seed=seed, group_size=2, prevalence=0.2)
    return type(rows)(rows.features.assign(severity=np.arange(n) / n), rows.event, rows.group)


class InReverse(Executor):
    """Gives each row its own mark as probability once all calls came in, split by split from the last one; keeps the splits."""

    def __init__(self, calls):
        self.calls, self.waiting, self.seen = calls, [], []

    def submit(self, function, split, chain):
        assert function is _run_split
        future = Future()
        self.waiting.append((future, split))
        self.seen.append((split, chain))
        if len(self.seen) == self.calls:
            Timer(0.05, self.answer).start()
        return future

    def answer(self):
        for future, split in reversed(self.waiting):
            mark = split.test.features["severity"].to_numpy()
            future.set_result(Outcome({("none", LR, variant): mark for variant in VARIANTS}, split.train.event.mean(), {}))


def test_outcomes_in_any_order_go_to_the_rows_and_repeats_that_they_are_of(config):
    rows, executor = marked(200, seed=0), InReverse(8)
    got = cross_validate(rows, chain_of(config), n_folds=4, repeats=2, seed=0, executor=executor)
    for repeat in range(2):
        np.testing.assert_array_equal(got.probability[RAW][repeat], rows.features["severity"])
        for fold in range(4):
            kept = got.fold[repeat] != fold
            assert (got.prevalence[repeat][~kept] == rows.event[kept].mean()).all()
    assert len({split.seed for split, _ in executor.seen}) == len(executor.seen) == 8
    for split, _ in executor.seen:
        assert not set(split.train.group) & set(split.test.group)
        assert len(split.train) + len(split.test) == 200


def test_the_hold_out_is_tested_and_the_training_part_folded(config):
    train, test, executor = marked(200, seed=0), marked(80, seed=1), InReverse(7)
    inner, outer = predict_both(train, test, chain_of(config), n_folds=3, repeats=2, seed=0, executor=executor)
    np.testing.assert_array_equal(outer.probability[RAW], test.features["severity"].to_numpy()[None])
    np.testing.assert_array_equal(outer.event, test.event)
    assert (outer.prevalence == train.event.mean()).all()
    np.testing.assert_array_equal(inner.probability[RAW][1], train.features["severity"])
    assert len({split.seed for split, _ in executor.seen}) == 7


def test_the_evaluation_splits_and_resamples_as_configured(config):
    train, test, executor = marked(200, seed=0), marked(80, seed=1), InReverse(7)
    got = evaluate(train, test, config, executor=executor)
    assert {(split.repeat, split.fold) for split, _ in executor.seen} == {
        (repeat, fold) for repeat in range(2) for fold in range(3)
    }
    assert all(chain == chain_of(config) for _, chain in executor.seen)
    assert (got["events"], got["holdout"]["events"]) == (train.event.sum(), test.event.sum())
    assert got["bootstrap"]["n"] == got["holdout"]["bootstrap"]["n"] == 60


def test_the_hold_out_is_resampled_with_a_stream_of_its_own(config):
    rows = marked(200, seed=0)
    got = evaluate(rows, rows, config, executor=InReverse(7))
    inner, outer = (block["arms"]["none"][LR]["raw"]["auroc"] for block in (got, got["holdout"]))
    assert inner["value"] == outer["value"]
    assert inner["low"] != outer["low"]
