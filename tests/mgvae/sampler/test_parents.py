"""Each synthetic row comes from the row of X that stands beside it in ``sample_parent_indices_``."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.mgvae.sampler.sampler_tables import quick, small

pytestmark = pytest.mark.usefixtures("brief_judges")

WAYS = ("matched", "filtered", "none")


@pytest.fixture(autouse=True)
def _copying(monkeypatch):
    """Make each translation a copy of its parent, so that a row made shows which row it comes from."""
    monkeypatch.setattr("mgvae.generator.synthesis.translate", lambda model, parents, generator: parents)


def mixed_up(counts):
    """Return a table and its labels in random order."""
    y = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    return small(len(y)), y


@pytest.mark.parametrize("plausibility", WAYS)
@pytest.mark.parametrize(
    ("counts", "strategy"), [((48, 12), "auto"), ((48, 12), {0: 60, 1: 30}), ((50, 30, 12, 9), "auto")], ids=str
)
def test_rows_made_stand_in_line_with_their_parents(counts, strategy, plausibility):
    X, y = mixed_up(counts)
    sampler = quick(strategy, plausibility=plausibility, epochs=1, finetune_epochs=1)
    out, labelled = sampler.fit_resample(X, y)
    parents = sampler.sample_parent_indices_
    pd.testing.assert_frame_equal(out.iloc[len(X) :].reset_index(drop=True), X.iloc[parents].reset_index(drop=True))
    for one in np.unique(labelled[len(X) :]):
        large = np.flatnonzero(np.array(counts) >= (25 if len(counts) > 2 else 48))
        assert set(y[parents[labelled[len(X) :] == one]]) <= ({one} if one in large else set(large))


@pytest.mark.parametrize("plausibility", WAYS)
def test_further_rows_stand_in_line_with_their_parents(plausibility):
    X, y = mixed_up((48, 12))
    sampler = quick(plausibility=plausibility, epochs=1, finetune_epochs=1)
    sampler.fit_resample(X, y)
    majority = X[y == 0]
    rows, parents = sampler.sample(majority, 20, random_state=1)
    pd.testing.assert_frame_equal(rows, majority.iloc[parents].reset_index(drop=True))


def test_classes_with_the_same_rows_have_streams_of_their_own():
    X = small(72)
    X = pd.concat([X, X.iloc[60:]], ignore_index=True)
    sampler = quick(epochs=1, finetune_epochs=1)
    _, labelled = sampler.fit_resample(X, np.repeat([0, 1, 2], [60, 12, 12]))
    made, parents = labelled[84:], sampler.sample_parent_indices_
    assert (parents[made == 1] != parents[made == 2]).any()


def test_a_rare_class_is_named_by_default_where_more_rows_are_asked_for():
    X = small(80)
    X["a"] += np.repeat([0.0, 0.0, 50.0, 100.0], [40, 25, 10, 5])
    sampler = quick("all", epochs=1, finetune_epochs=1)
    sampler.fit_resample(X, np.repeat(["large", "medium", "small", "least"], [40, 25, 10, 5]))
    assert next(iter(sampler.translators_)) == "least"
    assert "large" not in sampler.translators_
