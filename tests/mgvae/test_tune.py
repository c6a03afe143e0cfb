"""The choice of lambda and epochs: by held-out cases, with groups whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_cohort import COLUMNS, cohort, quick

from mgvae.encoding import fit_encoding
from mgvae.generator import encoded, finetune_cases, pretrain_majority
from mgvae.tune import _folds


@pytest.fixture(scope="module")
def stage():
    settings = quick()
    features, event, group = cohort()
    encoding = fit_encoding(features, COLUMNS)
    rows = encoded(encoding, features, settings)
    trained = pretrain_majority(encoding, rows[torch.from_numpy(~event)], group[~event], settings, seed=0)
    return trained, rows[torch.from_numpy(event)], rows[torch.from_numpy(~event)], group[event], settings


def tuned(stage, **changes):
    trained, cases, majority, group, settings = stage
    return finetune_cases(trained.model, trained.anchor, cases, majority, group, settings.model_copy(update=changes), seed=3)


def test_the_best_held_out_candidate_is_chosen(stage):
    got = tuned(stage)
    best = max(got.candidates, key=lambda candidate: candidate.heldout_elbo)
    assert [candidate.ewc_lambda for candidate in got.candidates] == [1.0, 10.0]
    assert (got.ewc_lambda, got.history.best_epoch, got.history.heldout_elbo) == (
        best.ewc_lambda,
        best.epochs,
        best.heldout_elbo,
    )
    assert got.history.heldout_elbo == max(record.heldout_elbo for record in got.history.epochs)


def test_the_model_given_is_left_as_it_is(stage):
    before = {name: value.clone() for name, value in stage[0].model.state_dict().items()}
    tuned(stage, ewc_lambda=1.0)
    assert all(torch.equal(before[name], value) for name, value in stage[0].model.state_dict().items())


def test_a_fixed_lambda_is_the_only_candidate(stage):
    assert [candidate.ewc_lambda for candidate in tuned(stage, ewc_lambda=0.5).candidates] == [0.5]


def test_without_an_anchor_lambda_is_zero(stage):
    trained, cases, majority, group, settings = stage
    got = finetune_cases(trained.model, None, cases, majority, group, settings, seed=3)
    assert got.ewc_lambda == 0
    assert len(got.candidates) == 1


def test_progress_never_exceeds_its_total(stage):
    trained, cases, majority, group, settings = stage
    seen = []
    finetune_cases(
        trained.model, trained.anchor, cases, majority, group, settings, seed=3, on_epoch=lambda *record: seen.append(record)
    )
    assert [record[0] for record in seen] == list(range(1, len(seen) + 1))
    assert {record[1] for record in seen} == {(2 * 3 + 1) * settings.finetune_epochs}
    assert len(seen) <= seen[0][1]


@pytest.mark.parametrize("groups", [1, 2, 3, 10])
def test_folds_keep_groups_whole_and_cover_each_case_once(groups):
    group = np.random.default_rng(groups).integers(groups, size=40) * 7
    parts = _folds(group, seed=1)
    assert (np.sum(parts, axis=0) == 1).all()
    for part in parts:
        assert not set(group[part]) & set(group[~part])


@pytest.mark.parametrize("n", [1, 2, 5])
def test_very_few_cases(stage, n):
    trained, cases, majority, group, settings = stage
    got = finetune_cases(trained.model, trained.anchor, cases[:n], majority, group[:n], settings, seed=3)
    assert np.isfinite(got.history.heldout_elbo)


def test_cases_of_one_group(stage):
    trained, cases, majority, _, settings = stage
    got = finetune_cases(trained.model, trained.anchor, cases, majority, np.zeros(len(cases), int), settings, seed=3)
    assert np.isfinite(got.history.heldout_elbo)
