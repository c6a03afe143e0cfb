"""Laws of the sampler: equal seeds give equal bytes, parents are majority rows, strategies, classes, groups, silence."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mgvae.sampler.per_class
from mgvae.sampler.per_class import Classes
from tests.mgvae.sampler.sampler_tables import MAJORITY, RARE, labels, quick, small

pytestmark = pytest.mark.usefixtures("brief_judges")

N = MAJORITY + RARE


def resampled(sampler, X=None, y=None, **given):
    return sampler.fit_resample(small() if X is None else X, labels() if y is None else y, **given)


@pytest.mark.parametrize("plausibility", ["matched", "none"])
def test_the_same_seed_gives_the_same_bytes_and_another_others(plausibility):
    one, again, other = (resampled(quick(random_state=seed, plausibility=plausibility))[0] for seed in (5, 5, 6))
    pd.testing.assert_frame_equal(one, again)
    assert not one["a"].equals(other["a"])


def test_no_seed_gives_other_rows_each_time():
    assert not resampled(quick(random_state=None))[0]["a"].equals(resampled(quick(random_state=None))[0]["a"])


def test_a_random_state_is_drawn_from():
    state = np.random.RandomState(3)
    one, other = resampled(quick(random_state=state))[0], resampled(quick(random_state=state))[0]
    again = resampled(quick(random_state=np.random.RandomState(3)))[0]
    pd.testing.assert_frame_equal(one, again)
    assert not one["a"].equals(other["a"])


def test_global_seeds_and_settings_do_not_change():
    torch.manual_seed(1)
    before = np.random.get_state()[1].copy(), torch.get_rng_state().clone(), torch.get_num_threads()  # noqa: NPY002
    resampled(quick())
    after = np.random.get_state()[1], torch.get_rng_state(), torch.get_num_threads()  # noqa: NPY002
    assert (before[0] == after[0]).all()
    assert torch.equal(before[1], after[1])
    assert before[2] == after[2]


def test_the_input_is_not_changed():
    X, y = small(), pd.Series(labels())
    copies = X.copy(deep=True), y.copy(deep=True)
    out, _ = quick().fit_resample(X, y)
    out.iloc[:, 0] = 0.0
    pd.testing.assert_frame_equal(X, copies[0])
    pd.testing.assert_series_equal(y, copies[1])


def test_parents_are_rows_of_the_majority_in_line_with_the_rows_made():
    rng = np.random.default_rng(0)
    y = rng.permutation(labels(200, 20))
    site = np.where(rng.random(220) < 0.5, -3.0, 3.0)
    X = pd.DataFrame({f"x{at}": site + rng.normal(size=220) for at in range(5)})
    sampler = quick(plausibility="none", exemplar_weights="uniform", epochs=40, batch_size=32, latent_dim=2, learning_rate=0.01)
    out, _ = sampler.fit_resample(X, y)
    parents = sampler.sample_parent_indices_
    assert parents.shape == (len(out) - 220,)
    assert (y[parents] == 0).all()
    side = np.sign(out.to_numpy()[220:].mean(1))
    assert (side == np.sign(site[parents])).mean() > 0.9  # what a row is translated from shows in it


def test_an_index_without_numbers_carries_the_parents_labels():
    index = pd.date_range("2020-01-01", periods=N)
    sampler = quick()
    out, _ = sampler.fit_resample(small().set_axis(index), labels())
    assert out.index[N:].equals(index[sampler.sample_parent_indices_])


@pytest.mark.parametrize(
    ("strategy", "counts"),
    [
        ("auto", [48, 48]),
        ("minority", [48, 48]),
        ("all", [48, 48]),
        ("not minority", [48, 12]),
        ("not majority", [48, 48]),
        (0.5, [48, 24]),
        ({1: 20}, [48, 20]),
        ({0: 50, 1: 12}, [50, 12]),
        ({0: 53, 1: 20}, [53, 20]),
        (lambda y: {1: int((y == 0).sum()) // 2}, [48, 24]),
    ],
)
def test_strategies(strategy, counts):
    sampler = quick(strategy)
    out, y = resampled(sampler)
    assert np.bincount(y).tolist() == counts
    assert len(out) == sum(counts) == N + len(sampler.sample_parent_indices_)
    assert sum(sampler.sampling_strategy_.values()) == len(out) - N
    pd.testing.assert_frame_equal(out.iloc[:N], small())


@pytest.mark.parametrize("strategy", [{2: 20}, {1: 5}, 0.1, "some", -1.0])
def test_strategies_that_cannot_be_are_refused(strategy):
    with pytest.raises(ValueError, match=r"present in the data|greater or equal|remove samples|sampling_strategy"):
        resampled(quick(strategy))


def test_a_class_of_the_majority_grows_from_its_own_rows():
    sampler = quick({0: 60})
    resampled(sampler)
    assert (labels()[sampler.sample_parent_indices_] == 0).all()
    assert list(sampler.translators_) == [0]


def test_several_rare_classes_share_one_pretraining(monkeypatch):
    calls = []
    train = mgvae.generator.synthesis.pretrain_majority
    monkeypatch.setattr(
        mgvae.sampler.per_class, "pretrain_majority", lambda *args, **given: calls.append(1) or train(*args, **given)
    )
    y = np.repeat(["a", "b", "c", "d"], [60, 40, 12, 8])
    sampler = quick()
    out, labelled = sampler.fit_resample(small(120), y)
    assert dict(zip(*np.unique(labelled, return_counts=True), strict=True)) == dict.fromkeys("abcd", 60)
    assert calls == [1]
    assert set(sampler.history_["finetune"]) == {"c", "d"}
    parents = y[sampler.sample_parent_indices_]
    made = labelled[120:]
    assert set(parents[made == "b"]) == {"b"}
    assert set(parents[np.isin(made, ["c", "d"])]) == {"a", "b"}
    assert len(out) == 240


def test_the_majority_of_several_classes_is_every_large_one():
    assert Classes(np.repeat([0, 1, 2], [10, 5, 4]), np.arange(19), {}).majority == (0, 1)
    assert Classes(np.repeat([0, 1], [10, 9]), np.arange(19), {}).majority == (0,)


def test_balanced_classes_come_back_as_they_are():
    sampler = quick()
    out, y = sampler.fit_resample(small(40), np.repeat([0, 1], 20))
    pd.testing.assert_frame_equal(out, small(40))
    assert len(y) == 40
    assert sampler.sample_parent_indices_.shape == (0,)
    assert sampler.history_ == {"pretrain": None, "finetune": {}}
    with pytest.raises(ValueError, match=r"label must be a class that training filled up \(none\)"):
        sampler.sample(small(40), 3)


def test_history_and_attributes():
    sampler = quick()
    resampled(sampler)
    assert sampler.classes_.tolist() == [0, 1]
    assert sampler.n_features_in_ == 3
    assert sampler.feature_names_in_.tolist() == ["a", "b", "c"]
    assert sampler.sampling_strategy_ == {1: MAJORITY - RARE}
    assert len(sampler.history_["pretrain"]["epochs"]) <= 2
    assert sampler.history_["finetune"][1]["ewc_lambda"] == 1.0


def test_without_pretraining_there_is_no_history_of_it():
    sampler = quick(pretraining=False)
    resampled(sampler)
    assert sampler.history_["pretrain"] is None
    assert sampler.history_["finetune"][1]["ewc_lambda"] == 0.0


def _seams(monkeypatch):
    """Record the group codes that reach early stopping, cross-validation over the cases and cross-fitting."""
    seen = {}
    groups = {
        "pretrain_majority": lambda encoding, majority, group, *_: group,
        "finetune_cases": lambda model, anchor, inputs, *_: inputs.case_group,
        "synthesise": lambda inputs, *_: inputs.group,
    }
    for name, of in groups.items():
        call = getattr(mgvae.sampler.per_class, name)
        monkeypatch.setattr(
            mgvae.sampler.per_class,
            name,
            lambda *args, name=name, call=call, of=of, **g: seen.update({name: of(*args)}) or call(*args, **g),
        )
    return seen


@pytest.mark.parametrize("kind", [list, np.array, pd.Series])
def test_groups_reach_every_inner_split(monkeypatch, kind):
    seen = _seams(monkeypatch)
    families = [f"family {at // 4}" for at in range(N)]
    resampled(quick(), groups=kind(families))
    code, y = pd.factorize(np.array(families))[0], labels()
    assert (seen["pretrain_majority"] == code[y == 0]).all()
    assert (seen["finetune_cases"] == code[y == 1]).all()
    assert (seen["synthesise"] == np.r_[code[y == 0], code[y == 1]]).all()


def test_without_groups_every_row_is_its_own(monkeypatch):
    seen = _seams(monkeypatch)
    resampled(quick())
    assert len(set(seen["synthesise"])) == N


@pytest.mark.parametrize(
    ("groups", "match"),
    [
        ([1], "inconsistent numbers of samples"),
        (np.where(np.arange(N) < 9, np.nan, 1.0), "groups must have a value for every row; got 9 missing"),
        (np.where(labels() == 1, np.arange(N), -1), "The majority must have rows of at least two groups; got 48 rows of 1"),
        (small(), "1d array"),
    ],
)
def test_groups_that_cannot_be_used_are_refused(groups, match):
    with pytest.raises(ValueError, match=match):
        resampled(quick(), groups=groups)


def test_rare_rows_of_one_group_are_enough():
    out, _ = resampled(quick(), groups=np.where(labels() == 0, np.arange(N), -1))
    assert len(out) == 2 * MAJORITY


@pytest.mark.parametrize("verbose", [True, False])
def test_progress_is_shown_on_stderr_alone(verbose):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        resampled(quick(verbose=verbose))
    assert out.getvalue() == ""
    assert ("pretrain" in err.getvalue()) == verbose


def test_sample_makes_further_rows_of_the_same_kind():
    sampler = quick()
    resampled(sampler)
    majority = small().iloc[:MAJORITY]
    rows, parents = sampler.sample(majority, 7, random_state=2)
    assert rows.dtypes.equals(majority.dtypes)
    assert rows.columns.equals(majority.columns)
    assert rows.index.equals(pd.RangeIndex(7))
    assert parents.shape == (7,)
    assert set(parents) <= set(range(MAJORITY))
    assert len(sampler.sample(majority, 0)[0]) == 0
    pd.testing.assert_frame_equal(rows, sampler.sample(majority, 7, random_state=2)[0])


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"n": -1}, "n must be 0 or more; got -1"),
        ({"n": 3, "label": "x"}, r"label must be a class that training filled up \(1\); got 'x'"),
        ({"n": 3, "X": small()[["a"]]}, "X must have the 3 columns it was fitted on; got 1"),
    ],
)
def test_samples_that_cannot_be_are_refused(given, match):
    sampler = quick()
    resampled(sampler)
    with pytest.raises(ValueError, match=match):
        sampler.sample(**({"X": small()} | given))


@given(
    majority=st.integers(8, 40),
    rare=st.integers(1, 8),
    wanted=st.integers(0, 30),
    seed=st.integers(0, 2**31 - 1),
    hole=st.floats(0, 1),
)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_small_table_is_resampled(majority, rare, wanted, seed, hole):
    rng = np.random.default_rng(seed)
    y = rng.permutation(labels(majority, rare))
    X = small(majority + rare, seed=seed).mask(rng.random((majority + rare, 3)) < hole)
    how = ("matched", "filtered", "none")[seed % 3]
    sampler = quick({1: rare + wanted}, random_state=seed, epochs=1, finetune_epochs=1, plausibility=how)
    out, labelled = sampler.fit_resample(X, y)
    pd.testing.assert_frame_equal(out.iloc[: len(X)], X)
    assert (labelled[len(X) :] == 1).all()
    assert len(out) == len(X) + wanted
    assert (y[sampler.sample_parent_indices_] == 0).all()
