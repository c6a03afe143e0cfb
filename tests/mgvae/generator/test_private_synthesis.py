"""The private chain: no object of it depends on a case but through the two mechanisms that are accounted for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

import mgvae.generator.synthesis
from mgvae.cohort.rows import Rows
from mgvae.config.privacy import Privacy
from mgvae.errors import TrainingError
from mgvae.generator.resampling import portable_generator
from mgvae.generator.synthesis import synthetic_cases
from mgvae.training import private
from mgvae.training.inputs import GeneratorInputs
from mgvae.training.private import Protected
from tests.mgvae.small_cohort import COLUMNS, cohort, quick

SETTINGS = quick(privacy=Privacy(epsilon=5, noise_seed=1), pretrain_epochs=3, plausibility="stacked")
EXTREME = {"age": 1e6, "crp": 0.000001, "visits": np.nan, "sex": "m", "ward": "never", "stage": "IV", "first_seen": 1e7}


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    monkeypatch.setattr(private, "STEPS", 5)


@pytest.fixture(scope="module")
def data():
    return cohort(200, 20)


def swapped(features, at):
    """Return the table with one case exchanged for an extreme one: new values, finer ones, and a cell missing."""
    features = features.copy()
    for name, value in EXTREME.items():
        features.loc[features.index[at], name] = value
    return features


def chain(data, features=None, monkeypatch=None, **changes):
    """Return the synthetic cases, and what the steps of the chain returned or were given."""
    table, event, group = data
    seen = {}
    if monkeypatch is not None:
        for name in ("fit_encoding", "pretrain_majority", "finetune_cases", "synthesise"):
            monkeypatch.setattr(mgvae.generator.synthesis, name, _watched(name, seen))
    rows = Rows(table if features is None else features, event, group)
    settings = SETTINGS.model_copy(update=changes)
    return synthetic_cases(rows, COLUMNS, settings, n=30, seed=2), seen


def _watched(name, seen):
    honest = getattr(mgvae.generator.synthesis, name)

    def call(*args, **given):
        seen[name] = honest(*args, **given)
        return seen[name]

    return call


def numbers(module):
    return torch.cat([value.flatten() for value in module.state_dict().values()])


def test_a_case_exchanged_for_an_extreme_one_changes_nothing_but_the_answers_of_the_mechanisms(data, monkeypatch):
    """With the mechanisms' answers replaced by fixed ones, every object of the chain is the same, byte for byte."""
    answers = []

    def answer(self, rows, limit, noise):
        answers.append((tuple(rows.shape), limit, noise))
        return torch.full((rows.shape[1],), 0.3 * limit, dtype=torch.double)

    monkeypatch.setattr(Protected, "noisy_sum", answer)
    with monkeypatch.context() as patch:
        plain, before = chain(data, monkeypatch=patch)
    asked, answers = answers, []
    with monkeypatch.context() as patch:
        other, after = chain(data, swapped(data[0], np.flatnonzero(data[1])[0]), monkeypatch=patch)
    assert asked == answers  # limits, noise and sizes, too, are the majority's
    assert before["fit_encoding"] == after["fit_encoding"]
    first, second = before["pretrain_majority"], after["pretrain_majority"]
    assert torch.equal(numbers(first.model), numbers(second.model))
    assert all(torch.equal(first.anchor.fisher[name], second.anchor.fisher[name]) for name in first.anchor.fisher)
    assert (first.history.epochs, first.history.best_epoch) == (second.history.epochs, second.history.best_epoch)
    tuned, again = before["finetune_cases"], after["finetune_cases"]
    assert torch.equal(numbers(tuned.model), numbers(again.model))
    assert torch.equal(tuned.tilt, again.tilt)
    assert (tuned.privacy, tuned.ewc_lambda, tuned.candidates) == (again.privacy, again.ewc_lambda, again.candidates)
    pd.testing.assert_frame_equal(plain.features, other.features)
    np.testing.assert_array_equal(plain.parent, other.parent)
    assert (plain.remarks, plain.rules) == (other.remarks, other.rules)


def test_without_privacy_the_same_exchange_is_seen(data):
    """The test above could fail: the encoding alone gives the extreme case away where privacy is off."""
    features, event, _ = data
    with pytest.MonkeyPatch.context() as patch:
        _, seen = chain(data, swapped(features, np.flatnonzero(event)[0]), monkeypatch=patch, privacy=None, plausibility="none")
    assert max(seen["fit_encoding"].coders["age"].values) == 1e6


def test_the_mechanisms_do_see_the_cases(data):
    plain, _ = chain(data)
    other, _ = chain(data, swapped(data[0], np.flatnonzero(data[1])))
    assert not plain.features.equals(other.features)


def test_a_case_may_lack_what_no_majority_patient_lacks(data):
    features, event, group = data
    features = features.copy()
    features.loc[event, "age"] = np.nan
    made, _ = chain((features, event, group))
    assert made.features["age"].notna().all()


def test_synthesis_holds_no_case(data, monkeypatch):
    given = []
    honest = mgvae.generator.synthesis.translations

    def watched(keeper, model, majority, parents, draws, *, unlike):
        given.append(len(unlike))
        return honest(keeper, model, majority, parents, draws, unlike=unlike)

    monkeypatch.setattr(mgvae.generator.synthesis, "translations", watched)
    made, _ = chain(data)
    assert given == [0]
    assert len(made.features) == 30


def test_the_tilt_decides_who_is_a_parent(data, monkeypatch):
    """Weights come from the private slope, not from the cases."""
    asked = []
    honest = mgvae.generator.synthesis.tilted
    monkeypatch.setattr(mgvae.generator.synthesis, "tilted", lambda means, slope: asked.append(slope) or honest(means, slope))
    monkeypatch.setattr(mgvae.generator.synthesis, "exemplar_log_weight", None)
    chain(data)
    chain(data, exemplar_weights="uniform")
    assert len(asked) == 1


@pytest.mark.parametrize("variant", ["vae", "mgvae_no_pretraining"])
def test_a_generator_without_the_majority_cannot_be_private(data, variant):
    with pytest.raises(TrainingError, match=f"variant '{variant}' does not. Leave it out"):
        synthetic_cases(Rows(*data), COLUMNS, SETTINGS, n=5, seed=0, variant=variant)


def test_a_portable_generator_is_not_made_privately(data):
    inputs = GeneratorInputs(None, torch.zeros(2, 2), torch.zeros(1, 2), np.arange(2), np.arange(1))
    with pytest.raises(TrainingError, match="must be made without privacy"):
        portable_generator(inputs, None, None, SETTINGS, seed=0)
