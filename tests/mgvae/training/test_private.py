"""Private fine-tuning: what a case can change is bounded and noised, and nothing else changes."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from mgvae.config.privacy import Privacy
from mgvae.errors import TrainingError
from mgvae.generator.synthesis import encoded, pretrain_majority
from mgvae.model.encoding import fit_encoding
from mgvae.training import private
from mgvae.training.accountant import Mechanism, spent_epsilon
from mgvae.training.inputs import GeneratorInputs
from mgvae.training.noise import repeatable
from mgvae.training.private import Protected, finetune_privately, plan, private_biases, private_tilt
from mgvae.training.tuning import finetune_cases
from tests.mgvae.small_cohort import COLUMNS, cohort, quick

BUDGET = Privacy(epsilon=5, noise_seed=1)


@pytest.fixture(scope="module")
def stage():
    """Return a pre-trained model, the inputs and the settings."""
    settings = quick(privacy=BUDGET)
    features, event, group = cohort()
    encoding = fit_encoding(features[~event].reset_index(drop=True), COLUMNS)
    rows = encoded(encoding, features, settings)
    majority, cases = rows[torch.from_numpy(~event)], rows[torch.from_numpy(event)]
    trained = pretrain_majority(encoding, majority, group[~event], settings, seed=0)
    return trained, GeneratorInputs(encoding, majority, cases, group[~event], group[event]), settings


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    monkeypatch.setattr(private, "STEPS", 5)


def protected(rows, unit, seed=0):
    return Protected(rows, np.asarray(unit), int(np.max(unit)) + 1, repeatable(seed))


def run(stage, cases=None, settings=None, group=None):
    trained, inputs, default = stage
    inputs = GeneratorInputs(
        inputs.encoding,
        inputs.majority,
        inputs.cases if cases is None else cases,
        inputs.majority_group,
        inputs.case_group if group is None else group,
    )
    return finetune_cases(trained.model, trained.anchor, inputs, settings or default, seed=3)


def state(model):
    return torch.cat([value.flatten() for value in model.state_dict().values()])


@pytest.mark.parametrize("extreme", [3.0, 1e6, 1e30, float("inf"), float("nan")])
def test_a_unit_changes_a_sum_by_the_limit_at_most(extreme):
    """Neighbours: with a unit's rows, and with them blank. The noise is the same, so it cancels."""
    rows, unit = torch.randn(12, 5, generator=torch.Generator().manual_seed(0)), np.repeat(np.arange(6), 2)
    blank = torch.cat([torch.zeros(2, 5), rows[2:]])
    rows[:2] = extreme
    found = []
    for part in (rows, blank):
        cases = protected(part, unit)
        found.append(cases.noisy_sum(cases.mean_by_unit(part, unit), 0.7, 2.0))
    change = float((found[0] - found[1]).norm())
    assert change <= 0.7 * (1 + 1e-12)
    assert change == pytest.approx(0.7) or extreme in (1e30,) or not np.isfinite(extreme)


def test_noise_has_the_asked_size():
    rows = torch.zeros(4, 20_000)
    found = protected(rows, range(4)).noisy_sum(rows, 0.7, 2.0)
    assert float(found.std()) == pytest.approx(1.4, rel=0.03)


def test_the_budget_is_spent_by_what_is_recorded(stage):
    record = run(stage).privacy
    used = [Mechanism(one.noise, one.rate, one.steps) for one in record.mechanisms]
    assert record.spent == pytest.approx(spent_epsilon(used, BUDGET.delta))
    assert 4.9 < record.spent <= 5 == record.epsilon
    assert [one.name for one in record.mechanisms] == ["decoder biases", "exemplar weights"]
    assert (record.unit, record.units, record.accountant, record.secret_noise) == ("patient", 30, "gaussian", False)


def test_the_mechanisms_use_the_noise_that_is_accounted_for(stage, monkeypatch):
    seen = []
    honest = Protected.noisy_sum

    def watched(self, rows, limit, noise):
        seen.append(noise)
        return honest(self, rows, limit, noise)

    monkeypatch.setattr(Protected, "noisy_sum", watched)
    steps, tilt = run(stage).privacy.mechanisms
    assert seen == [tilt.noise, *[steps.noise] * steps.steps]


def test_with_the_answers_of_the_mechanisms_replaced_no_case_matters(stage, monkeypatch):
    """All that fine-tuning returns follows from the noisy sums: with these fixed, other cases give the same bytes."""
    monkeypatch.setattr(Protected, "noisy_sum", lambda self, rows, limit, noise: torch.ones(rows.shape[1]).double() * limit)
    cases = stage[1].cases
    other = cases.clone()
    other[:, : stage[1].encoding.inputs] = 25.0
    plain, swapped = run(stage), run(stage, other)
    assert torch.equal(state(plain.model), state(swapped.model))
    assert torch.equal(plain.tilt, swapped.tilt)
    assert plain.privacy == swapped.privacy
    assert (plain.history.epochs, plain.history.heldout_elbo) == ((), None)
    assert not torch.equal(state(plain.model), state(stage[0].model))


def test_only_biases_of_the_decoder_change(stage):
    before, after = stage[0].model.state_dict(), run(stage).model.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith("decoder.") and before[name].ndim < 2 for name in changed)


def test_the_same_noise_gives_the_same_model_and_secret_noise_another(stage):
    settings = stage[2].model_copy(update={"privacy": Privacy(epsilon=5)})
    assert torch.equal(state(run(stage).model), state(run(stage).model))
    first, second = run(stage, settings=settings), run(stage, settings=settings)
    assert not torch.equal(state(first.model), state(second.model))
    assert first.privacy.secret_noise
    assert not torch.equal(first.tilt, second.tilt)


def test_without_noise_the_cases_are_learned_from(stage):
    trained, inputs, _ = stage
    cases, model = protected(inputs.cases, range(len(inputs.cases))), copy.deepcopy(trained.model)
    loss = private._RowLoss(model)
    codes = loss.codes(inputs.cases, torch.Generator().manual_seed(0))
    before = torch.stack([loss(*pair) for pair in zip(inputs.cases, codes, strict=True)]).mean()
    private_biases(model, inputs.majority, cases, Mechanism(1e-9, 1.0, 60), anchor=None, ewc_lambda=0.0, seed=0)
    after = torch.stack([loss(*pair) for pair in zip(inputs.cases, codes, strict=True)]).mean()
    assert after < before - 0.1


def test_the_tilt_points_from_the_majority_to_the_cases_and_shrinks_under_noise():
    draws = torch.Generator().manual_seed(0)
    majority, cases = torch.randn(2000, 4, generator=draws), torch.randn(300, 4, generator=draws)
    cases[:, 0] += 1.0
    exact = private_tilt(majority, cases, protected(cases, range(300)), 1e-9)
    assert float(exact[0]) == pytest.approx(1.0, abs=0.2)  # the log density ratio of two such normal distributions
    assert float(exact[1:].abs().max()) < 0.2
    for noise in (10.0, 100.0, 1e3, 1e5):  # however loud, it is no direction to follow
        found = [private_tilt(majority, cases, protected(cases, range(300), seed), noise).norm() for seed in range(30)]
        assert float(torch.stack(found).mean()) < (0.6 if noise > 10 else 1.1)


def test_a_group_is_protected_as_a_whole_and_counts_once(stage):
    inputs = stage[1]
    group = np.arange(len(inputs.cases)) // 3
    settings = stage[2].model_copy(update={"privacy": BUDGET.model_copy(update={"unit": "patient"})})
    grouped, single = run(stage, group=group).privacy, run(stage, group=group, settings=settings).privacy
    assert (grouped.unit, grouped.units) == ("group", 10)
    assert (single.unit, single.units) == ("patient", 30)
    rows = torch.tensor([[1.0], [3.0], [10.0]])
    assert protected(rows, [0, 0, 1]).mean_by_unit(rows, np.array([0, 0, 1])).flatten().tolist() == [2.0, 10.0]


def test_many_units_are_sampled_and_accounted_for(monkeypatch, stage):
    monkeypatch.setattr(private, "EXPECTED", 10)
    record = run(stage).privacy
    assert record.mechanisms[0].rate == pytest.approx(1 / 3)
    assert record.accountant == "renyi"
    assert 4.5 < record.spent <= 5


def test_without_weights_of_exemplars_the_steps_have_the_whole_budget():
    half, tilt = plan(50, BUDGET, tilt=True)
    whole, none = plan(50, BUDGET, tilt=False)
    assert none is None
    assert tilt is not None
    assert whole.noise < half.noise
    assert spent_epsilon([whole], BUDGET.delta) == pytest.approx(5, rel=1e-3)


def test_what_is_to_be_expected_is_said(stage):
    def remarks(**changes):
        return " ".join(run(stage, settings=stage[2].model_copy(update={"privacy": Privacy(**changes)})).privacy.remarks)

    assert "below 1 / protected units (0.033); got 0.1" in remarks(epsilon=1000, delta=0.1)
    assert "teach nothing" in remarks(epsilon=0.1)
    assert remarks(epsilon=1000) == ""
    assert "noise_seed" in remarks(epsilon=1000, noise_seed=1)


def test_private_fine_tuning_needs_a_majority(stage):
    trained, inputs, settings = stage
    alone = GeneratorInputs(inputs.encoding, None, inputs.cases, inputs.majority_group, inputs.case_group)
    with pytest.raises(TrainingError, match="needs privacy settings, majority rows and a case"):
        finetune_privately(trained.model, None, alone, settings, ewc_lambda=0.0, seed=0)
