"""The multilayer perceptron: its losses against references, its parts, what stops its members."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

from mgvae.classifiers.losses import MARGIN, SCALE, ldam_margins
from mgvae.classifiers.mlp import Fitting, MLPModel, _Training, parts_of
from mgvae.classifiers.network import FARTHEST, Network
from mgvae.paper.classifier import focal, ldam
from tests.mgvae.evaluation.simulated_cohort import simulated

LOSSES = ("cross_entropy", "focal", "ldam", "class_balanced")


def training(loss, *, n=300, seed=0, weights=None, **how):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    event = (rng.random(n) < 1 / (1 + np.exp(2 - X[:, 0]))).astype(np.int64)
    return _Training(X, event, np.ones(n) if weights is None else weights, loss, Fitting(**how), seed)


def log_odds(made):
    """Return each member's log odds before scaling by LDAM, ``(K, N)``."""
    hidden = (made.X @ made.state["inner"] + made.state["inner_level"]).relu()
    return (hidden @ made.state["outer"] + made.state["outer_level"])[:, :, 0]


def test_cross_entropy_and_focal_are_those_of_two_classes():
    for loss in ("cross_entropy", "class_balanced", "focal"):
        made = training(loss)
        labels = made.event.long()
        found = made._losses(made.X, made.event)
        for member, line in enumerate(log_odds(made)):
            logits = torch.stack([torch.zeros_like(line), line], dim=1)
            truth = focal(logits, labels, gamma=2.0) if loss == "focal" else torch.nn.functional.cross_entropy(logits, labels)
            torch.testing.assert_close(found[member].mean(), truth, rtol=1e-4, atol=1e-6)


def test_ldam_is_that_of_two_opposite_class_vectors():
    made = training("ldam")
    counts = torch.bincount(made.event.long()).tolist()
    made.state["outer_level"] = torch.zeros_like(made.state["outer_level"])
    hidden = torch.nn.functional.normalize((made.X @ made.state["inner"] + made.state["inner_level"]).relu(), dim=2)
    vector = torch.nn.functional.normalize(made.state["outer"], dim=1)
    found = made._losses(made.X, made.event)
    for member in range(len(found)):
        cosine = (hidden[member] @ vector[member])[:, 0] / 2  # class vectors plus and minus a half: a difference of one cosine
        logits = torch.stack([-cosine, cosine], dim=1)
        truth = ldam(logits, made.event.long(), ldam_margins(counts, largest=MARGIN), scale=SCALE)
        torch.testing.assert_close(found[member].mean(), truth, rtol=1e-4, atol=1e-6)


def test_class_balanced_weighs_the_rare_class_and_follows_given_weights():
    plain, balanced = training("cross_entropy"), training("class_balanced")
    event = plain.event == 1

    def share(made):
        total = made.fitted + made.unseen
        return float(total[0][event].sum() / total[0].sum())

    assert share(plain) == pytest.approx(float(event.float().mean()), rel=1e-4)
    assert share(balanced) == pytest.approx(0.5, abs=0.02), "a few hundred rows: about inverse frequency"
    evened = np.where(event, 0.5 / event.float().mean(), 0.5 / (~event).float().mean())
    assert share(training("class_balanced", weights=evened)) == pytest.approx(0.5, abs=0.01), "even classes stay even"


@pytest.mark.parametrize("loss", LOSSES)
def test_each_loss_learns_a_ranking_and_has_a_model_of_its_own(loss):
    train, test = simulated(3000, seed=1, prevalence=0.1), simulated(3000, seed=2, prevalence=0.1)
    p = MLPModel(seed=0, loss=loss).fit(train.features, train.event).predict_proba(test.features)
    ranks = pd.Series(p).rank().to_numpy()
    events = test.event.sum()
    auroc = (ranks[test.event == 1].sum() - events * (events + 1) / 2) / events / (len(test) - events)
    assert auroc > 0.74
    plain = MLPModel(seed=0).fit(train.features, train.event).predict_proba(test.features)
    assert (loss == "cross_entropy") == np.array_equal(p, plain)
    if loss == "class_balanced":
        assert p.mean() > 2 * plain.mean(), "raw probabilities are too high, as with class weights"


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_equal_rows_lie_in_one_part_and_classes_are_spread(make):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3))
    event = (np.arange(400) < 40).astype(np.int64)
    repeated = np.concatenate([np.arange(400), rng.integers(0, 40, size=360)])
    part = parts_of(make(X[repeated]), event[repeated], parts=5, seed=1)
    for copy, row in enumerate(repeated):
        assert part[copy] == part[row]
    assert np.bincount(part[:40], minlength=5).tolist() == [8] * 5
    assert np.bincount(part[40:400], minlength=5).tolist() == [72] * 5
    assert (parts_of(make(X[repeated]), event[repeated], parts=5, seed=2) != part).any()


def test_a_member_neither_learns_from_its_part_nor_stops_by_the_others():
    made = training("cross_entropy", members=4)
    assert torch.equal(made.fitted == 0, made.unseen > 0)
    assert torch.equal((made.unseen > 0).sum(dim=0), torch.ones(len(made.X), dtype=torch.long)), "each row in one part"
    mine = made.unseen[0] > 0
    changed = training("cross_entropy", members=4, epochs=1)
    changed.event = torch.where(mine, 1 - changed.event, changed.event)
    plain = training("cross_entropy", members=4, epochs=1)
    before, after = plain.network(), changed.network()
    np.testing.assert_array_equal(before.inner[0], after.inner[0])
    assert not np.array_equal(before.inner[1], after.inner[1])


def test_early_stopping_keeps_the_best_held_out_loss():
    made = training("cross_entropy", n=120, decay=0.0, hidden=32, epochs=60)
    network = made.network()
    X, event = made.X.double().numpy(), made.event.numpy()
    for member in range(made.how.members):
        one = Network(
            *(getattr(network, name)[member : member + 1] for name in ("inner", "inner_level", "outer", "outer_level")), False
        )
        p = one.predict_proba(X)
        held = made.unseen[member].numpy() > 0
        loss = -np.log(np.where(event == 1, p, 1 - p))[held].mean()
        last = float(made._losses(made.X, made.event)[member][torch.from_numpy(held)].detach().mean())
        assert loss < last - 1e-3, "the last state has long been overfitted"


def test_decay_means_the_same_in_repeated_rows_of_the_same_information():
    rows = simulated(800, prevalence=0.1)
    twice = np.repeat(np.arange(800), 2)
    heavy = Fitting(decay=60.0)
    plain = MLPModel(seed=0, fitting=heavy).fit(rows.features, rows.event).predict_proba(rows.features)
    halved = MLPModel(seed=0, fitting=heavy).fit(rows.features.iloc[twice], rows.event[twice], np.full(1600, 0.5))
    full = MLPModel(seed=0, fitting=heavy).fit(rows.features.iloc[twice], rows.event[twice])
    spread = plain.std()
    assert halved.predict_proba(rows.features).std() == pytest.approx(spread, rel=0.2)
    assert full.predict_proba(rows.features).std() > 1.3 * spread


def test_values_far_outside_count_as_the_bound():
    rows = simulated(600, prevalence=0.1)
    model = MLPModel(seed=0).fit(rows.features, rows.event)
    scale, median = model.design.scales[0], model.design.medians[0]
    table = rows.features.iloc[:2].assign(severity=[median + (FARTHEST + 1) * scale, 1e150])
    table.iloc[1, 1:] = table.iloc[0, 1:]
    one, other = model.predict_proba(table)
    assert one == other
