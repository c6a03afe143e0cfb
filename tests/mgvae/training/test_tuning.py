"""The choice of lambda and epochs: by held-out cases, with groups whole."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import mgvae.training.tuning
from mgvae.generator.synthesis import encoded, pretrain_majority
from mgvae.model.encoding import fit_encoding
from mgvae.training.early_stopping import Epoch, History
from mgvae.training.inputs import GeneratorInputs
from mgvae.training.loops import most_finetune_epochs
from mgvae.training.tuning import Candidate, _candidate, _mean_curve, finetune_cases
from tests.mgvae.small_cohort import COLUMNS, cohort, quick


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
    return chosen(trained, trained.anchor, cases, majority, group, settings.model_copy(update=changes))


def chosen(trained, anchor, cases, majority, group, settings, **options):
    inputs = GeneratorInputs(None, majority, cases, np.arange(len(majority)), group)
    return finetune_cases(trained.model, anchor, inputs, settings, seed=3, **options)


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


@pytest.fixture
def finetunings(monkeypatch):
    """Record what each fine-tuning is given, with the parameters that it starts from and what it returns."""
    seen = []
    run = mgvae.training.tuning.finetune

    def recorded(model, rows, exemplars, settings, plan, **given):
        start = {name: value.clone() for name, value in model.state_dict().items()}
        history = run(model, rows, exemplars, settings, plan, **given)
        given |= vars(plan)
        seen.append(SimpleNamespace(start=start, rows=rows, exemplars=exemplars.rows, history=history, **given))
        return history

    monkeypatch.setattr(mgvae.training.tuning, "finetune", recorded)
    return seen


def keys(rows):
    return {tuple(row.tolist()) for row in rows}


def test_no_fold_trains_on_a_case_or_a_group_that_it_holds_out(stage, finetunings):
    trained, cases, majority, _, settings = stage
    group = np.arange(len(cases)) // 3
    chosen(trained, trained.anchor, cases, majority, group, settings)
    group_of = {tuple(row.tolist()): code for row, code in zip(cases, group, strict=True)}
    assert len(group_of) == len(cases)
    *folds, _ = finetunings
    assert len(folds) == 2 * 3
    for one in folds:
        assert not {group_of[key] for key in keys(one.rows)} & {group_of[key] for key in keys(one.heldout)}
        assert len(one.rows) + len(one.heldout) == len(cases)
    assert set().union(*(keys(one.heldout) for one in folds[:3])) == keys(cases)


@pytest.mark.parametrize("grid", [(1.0, 10.0), (10.0, 1.0)])
def test_the_last_fine_tuning_has_all_cases_and_both_choices(stage, finetunings, grid):
    trained, cases, majority, group, settings = stage
    brief = {"finetune_epochs": 60, "finetune_learning_rate": 1e-2, "finetune_patience": 4}
    settings = settings.model_copy(update=brief | {"ewc_grid": grid})
    got = chosen(trained, trained.anchor, cases, majority, group, settings)
    last = finetunings[-1]
    assert got.history.best_epoch < 60
    assert len(last.history.epochs) == last.epochs == got.history.best_epoch
    assert last.ewc_lambda == got.ewc_lambda
    assert last.rows is cases
    assert last.exemplars is majority
    assert last.anchor is trained.anchor


def test_each_fine_tuning_starts_from_the_model_given(stage, finetunings):
    tuned(stage)
    given = stage[0].model.state_dict()
    for one in finetunings:
        assert all(torch.equal(given[name], value) for name, value in one.start.items())
        assert one.anchor is stage[0].anchor
        assert one.exemplars is stage[2]
    assert [one.ewc_lambda for one in finetunings[:-1]] == [1.0] * 3 + [10.0] * 3


def test_no_fold_goes_on_after_the_shortest_before_it(stage, finetunings):
    trained, cases, majority, group, settings = stage
    brief = {"finetune_epochs": 60, "finetune_learning_rate": 1e-2, "finetune_patience": 4, "ewc_grid": (1.0, 10.0)}
    got = chosen(trained, trained.anchor, cases, majority, group, settings.model_copy(update=brief))
    *folds, _ = finetunings
    for one in (folds[:3], folds[3:]):
        made = [len(fold.history.epochs) for fold in one]
        assert [fold.epochs for fold in one] == [60, *np.minimum.accumulate(made)[:-1]]
        if one[0].ewc_lambda == got.ewc_lambda:
            assert len(got.history.epochs) == min(made) < 60


def test_the_curve_is_the_mean_of_the_folds_weighted_by_the_cases_held_out():
    def run(*scores):
        return History(tuple(Epoch(at + 1, 2 * score, score) for at, score in enumerate(scores)), 1, None, 0.0)

    curve = _mean_curve([run(-4.0, -2.0, -3.0, -9.0), run(-8.0, -7.0, -5.0)], [3, 1])
    assert curve == (Epoch(1, -10.0, -5.0), Epoch(2, -6.5, -3.25), Epoch(3, -7.0, -3.5))
    assert _candidate(0.5, curve) == Candidate(0.5, 2, -3.25)


def test_a_fixed_lambda_is_the_only_candidate(stage):
    assert [candidate.ewc_lambda for candidate in tuned(stage, ewc_lambda=0.5).candidates] == [0.5]


def test_without_an_anchor_lambda_is_zero(stage):
    trained, cases, majority, group, settings = stage
    got = chosen(trained, None, cases, majority, group, settings)
    assert got.ewc_lambda == 0
    assert len(got.candidates) == 1


def test_progress_never_exceeds_its_total(stage):
    trained, cases, majority, group, settings = stage
    seen = []
    chosen(trained, trained.anchor, cases, majority, group, settings, on_epoch=lambda *record: seen.append(record))
    assert [record[0] for record in seen] == list(range(1, len(seen) + 1))
    assert {record[1] for record in seen} == {(2 * 3 + 1) * settings.finetune_epochs}
    assert len(seen) <= seen[0][1]


def test_with_many_cases_the_passes_are_bounded(stage, monkeypatch):
    monkeypatch.setattr("mgvae.training.loops.FINETUNE_STEPS", 1)
    monkeypatch.setattr("mgvae.training.loops.FEWEST_PASSES", 2)
    seen = []
    trained, cases, majority, group, settings = stage
    assert settings.finetune_epochs > 2
    chosen(trained, trained.anchor, cases, majority, group, settings, on_epoch=lambda *record: seen.append(record))
    assert len(seen) <= seen[0][1] == (2 * 3 + 1) * 2


@pytest.mark.parametrize(
    ("cases", "passes"), [(20, 200), (5120, 200), (5121, 195), (15_000, 67), (102_400, 10), (1_000_000, 10)]
)
def test_many_cases_are_seen_fewer_times(cases, passes):
    assert most_finetune_epochs(cases, quick(finetune_epochs=200, batch_size=128)) == passes
    assert most_finetune_epochs(cases, quick(finetune_epochs=7, batch_size=128)) == 7


@pytest.mark.parametrize("n", [1, 2, 5])
def test_very_few_cases(stage, n):
    trained, cases, majority, group, settings = stage
    got = chosen(trained, trained.anchor, cases[:n], majority, group[:n], settings)
    assert np.isfinite(got.history.heldout_elbo)
    assert bool(got.history.remarks) == (n == 1)
    assert n > 1 or "the one case" in got.history.remarks[0]


def test_cases_of_one_group_are_held_out_one_by_one_and_that_is_said(stage, finetunings):
    trained, cases, majority, _, settings = stage
    got = chosen(trained, trained.anchor, cases, majority, np.zeros(len(cases), int), settings)
    for run in finetunings[:-1]:
        assert not keys(run.rows) & keys(run.heldout)
        assert len(cases) // 3 <= len(run.heldout) <= len(cases) // 3 + 1
    (remark,) = got.history.remarks
    assert "chose lambda and epochs on single rows, because no choice of whole groups" in remark
