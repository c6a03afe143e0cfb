"""Processes that share a training: the result of one process up to rounding, and an end to all where one ends."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from mgvae.errors import TrainingError
from mgvae.evaluation.parallel import ProcessPool
from mgvae.generator.synthesis import pretrain_majority
from mgvae.model.encoding import fit_encoding
from mgvae.training.loops import pretrain
from mgvae.training.ranks import Ranks, joined_ranks
from tests.mgvae.small_cohort import COLUMNS, mixed
from tests.mgvae.training.test_loops import start

BRIEF = {"pretrain_epochs": 4, "batch_size": 30}  # 240 rows: steps that two, but not seven, ranks divide; the last one is whole
CPU = torch.device("cpu")


class Threads(Ranks):
    """Ranks that are threads of this process."""

    def __init__(self, rank, count, places, barrier):
        self.rank, self.count, self.places, self.barrier = rank, count, places, barrier

    def _all(self, values):
        self.places[self.rank] = values.detach().clone()
        self.barrier.wait(timeout=60)
        found = list(self.places)
        self.barrier.wait(timeout=60)
        return found

    def added(self, values):
        return values.copy_(torch.stack(self._all(values)).sum(0))

    def put_together(self, part):
        return torch.cat(self._all(part))


def in_threads(count, work):
    """Return what ``work(ranks)`` returns on each of ``count`` ranks."""
    places, barrier = [None] * count, threading.Barrier(count)
    with ThreadPoolExecutor(count) as pool:
        calls = [pool.submit(work, Threads(rank, count, places, barrier)) for rank in range(count)]
        return [call.result(timeout=120) for call in calls]


def trained(ranks, n=300, kin=None, **changes):
    model, rows, heldout, settings = start(n, **{**BRIEF, **changes})
    history = pretrain(model, rows, heldout, settings, seed=3, kin=kin, ranks=ranks)
    return history, {name: value.detach() for name, value in model.named_parameters()}


def assert_alike(one, other):
    (history, parameters), (there, theirs) = one, other
    assert there.best_epoch == history.best_epoch
    assert there.heldout_elbo == pytest.approx(history.heldout_elbo, abs=5e-5)
    for here, far in zip(history.epochs, there.epochs, strict=True):
        assert far.train_elbo == pytest.approx(here.train_elbo, abs=5e-5)
        assert far.heldout_elbo == pytest.approx(here.heldout_elbo, abs=5e-5)
    for name, value in parameters.items():
        torch.testing.assert_close(theirs[name], value, rtol=0, atol=5e-5)


@pytest.mark.parametrize(
    ("count", "changes"),
    [(2, {}), (2, {"exemplars": 50}), (2, {"exemplars": "all"}), (7, {"exemplars": 50}), (2, {"leave_one_out": False})],
    ids=str,
)
def test_ranks_have_the_losses_and_parameters_of_one_process(count, changes):
    alone, together = trained(None, **changes), in_threads(count, lambda ranks: trained(ranks, **changes))
    for rank in together:
        assert_alike(alone, rank)
    assert all(torch.equal(together[0][1][name], value) for rank in together for name, value in rank[1].items())


def test_kin_are_left_out_on_every_rank():
    kin = torch.arange(240) % 4
    alone, (one, other) = trained(None, kin=kin), in_threads(2, lambda ranks: trained(ranks, kin=kin))
    assert_alike(alone, one)
    assert_alike(alone, other)
    assert alone[0].heldout_elbo != pytest.approx(trained(None)[0].heldout_elbo, abs=1e-4)  # of one process


def test_a_last_step_of_fewer_rows_than_ranks():
    assert_alike(trained(None, 301, batch_size=80), in_threads(3, lambda ranks: trained(ranks, 301, batch_size=80))[2])


@pytest.mark.parametrize(("n", "count"), [(6, 2), (7, 3), (1, 3)])
def test_parts_together_are_the_whole_and_no_row_counts_twice(n, count):
    rows = torch.arange(2.0 * n).view(n, 2)

    def divided(ranks):
        part = ranks.part(rows)
        return ranks.gathered(part, n), ranks.counted(part, n).sum()

    found = in_threads(count, divided)
    assert all(torch.equal(whole, rows) for whole, _ in found)
    assert sum(int(counted) for _, counted in found) == n


def test_the_gradient_of_a_part_comes_from_all_ranks():
    def gradient(ranks):
        rows = torch.arange(3.0)
        part = ranks.part(rows).requires_grad_()
        (ranks.gathered(part, 3) * torch.tensor([1.0, 10.0, 100.0]) * (ranks.rank + 1)).sum().backward()
        return part.grad

    found = torch.cat(in_threads(2, gradient))
    assert found[:3].tolist() == [3.0, 30.0, 300.0]


def test_a_group_of_one_is_one_process(tmp_path):
    with joined_ranks(0, 1, tmp_path / "meeting", CPU) as ranks:
        assert (ranks.rank, ranks.count) == (0, 1)
        assert_alike(trained(None), trained(ranks))


def test_more_ranks_than_cards(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with (
        pytest.raises(TrainingError, match="at most the visible CUDA devices, 1; got 2"),
        joined_ranks(0, 2, tmp_path / "meeting", torch.device("cuda")),
    ):
        pass


def in_process(rank, meeting, changes):
    with joined_ranks(rank, 2, meeting, CPU) as ranks:
        return trained(ranks, **changes)


def ending(rank, meeting):
    with joined_ranks(rank, 2, meeting, CPU) as ranks:
        ranks.added(torch.zeros(1))
        if rank:
            os._exit(1)
        trained(ranks)


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{"exemplars": 50}, {"exemplars": "all"}], ids=str)
def test_two_processes_have_the_result_of_one(changes, tmp_path):
    with ProcessPool(2) as pool:
        calls = [pool.submit(in_process, rank, tmp_path / "meeting", changes) for rank in range(2)]
        one, other = (call.result(timeout=120) for call in calls)
    assert_alike(trained(None, **changes), one)
    assert all(torch.equal(one[1][name], value) for name, value in other[1].items())


@pytest.mark.slow
def test_a_process_that_ends_is_said_to_the_other(tmp_path):
    with ProcessPool(2) as pool:
        call, _ = (pool.submit(ending, rank, tmp_path / "meeting") for rank in range(2))
        with pytest.raises(TrainingError, match="one ended before the others"):
            call.result(timeout=120)


def test_every_rank_has_the_anchor():
    frame = mixed(200)
    encoding, settings = fit_encoding(frame, COLUMNS), start(200, **BRIEF)[3]
    rows, group = torch.from_numpy(encoding.encode(frame, dtype=np.float32)), np.arange(200)

    def anchored(ranks):
        return pretrain_majority(encoding, rows, group, settings, seed=1, ranks=ranks).anchor

    alone, both = anchored(None), in_threads(2, anchored)
    for name, value in alone.fisher.items():
        for anchor in both:
            torch.testing.assert_close(anchor.fisher[name], value, rtol=5e-3, atol=5e-3)
