"""Which exemplars a row does without: itself, its family, and its copies in a table where hardly any rows are equal."""

import numpy as np
import pytest
import torch

from mgvae.generator.synthesis import encoded, pretrain_majority
from mgvae.model.encoding import fit_encoding
from mgvae.model.exemplar_mixture import exemplar_mask
from mgvae.training import anchor
from mgvae.training.anchor import anchor_at
from mgvae.training.exemplars import COPIES, LeftOut, draw_carriers, kin
from mgvae.training.loops import pretrain
from mgvae.training.loss import Loss
from tests.mgvae.small_cohort import COLUMNS, mixed, quick
from tests.mgvae.training.test_loops import same, start, state


def normal(n):
    return torch.randn(n, 4, generator=torch.Generator().manual_seed(0))


def shares(codes, *places):
    return len({int(codes[place]) for place in places}) == 1


def test_a_family_is_kin_and_nobody_else():
    codes = kin(normal(30), np.repeat(np.arange(15) * 7, 2))
    assert [shares(codes, row, row + 1) for row in range(29)] == [row % 2 == 0 for row in range(29)]


def test_strangers_are_no_kin():
    assert len(np.unique(kin(normal(30), np.arange(30)[::-1]))) == 30


def test_families_that_hold_copies_of_each_other_are_one():
    rows, group = normal(60), np.arange(60)
    group[[1, 2]] = group[[0, 3]]  # families 0-1 and 2-3
    rows[3] = rows[1]
    rows[7, 2] = 0.0
    rows[9] = rows[7]
    rows[9, 2] = -0.0
    codes = kin(rows, group)
    assert shares(codes, 0, 1, 2, 3)
    assert shares(codes, 7, 9)
    assert len(np.unique(codes)) == 60 - 3 - 1


@pytest.mark.parametrize(("copied", "are_kin"), [(5, True), (6, False)])
def test_where_many_rows_are_equal_they_are_so_by_chance(copied, are_kin):
    rows = normal(100)
    rows[50 : 50 + copied] = rows[:copied]  # twice as many rows have a twin
    assert (2 * copied / 100 <= COPIES) == are_kin
    assert len(np.unique(kin(rows, np.arange(100)))) == (100 - copied if are_kin else 100)


def test_a_row_does_without_its_kin_among_the_exemplars():
    codes = torch.tensor([4, 5, 4, 6, 7, 8, 5, 9])
    carriers, position = torch.tensor([6, 2, 3, 4, 5]), torch.tensor([-1, -1, 1, 2, 3, 4, 0, -1])
    at = torch.tensor([0, 1, 2, 7])
    found = LeftOut(codes, carriers, position)(at)
    assert [row[row >= 0].tolist() for row in found] == [[1], [0], [1], []]
    assert LeftOut(None, carriers, position)(at).tolist() == [-1, -1, 1, -1]


def test_positions_are_those_of_equal_codes():
    draws = torch.Generator().manual_seed(0)
    codes, at = torch.randint(0, 90, (200,), generator=draws), torch.randperm(200, generator=draws)[:64]
    carriers, position = draw_carriers(normal(200), 70, draws)
    mask = exemplar_mask(LeftOut(codes, carriers, position)(at), len(carriers))
    assert torch.equal(mask, codes[at][:, None] == codes[carriers][None, :])


@pytest.mark.parametrize(("members", "left"), [(5, 5), (6, 1)])
def test_a_group_of_more_than_half_of_the_exemplars_is_no_family(members, left):
    codes = torch.cat([torch.zeros(members, dtype=torch.long), torch.arange(1, 11 - members)])
    found = LeftOut(codes, torch.arange(10), torch.arange(10))(torch.tensor([0, 9]))
    assert (found >= 0).sum(1).tolist() == [left, 1]
    assert 0 in found[0]


@pytest.mark.parametrize("exemplars", ["all", 40])
def test_training_and_anchor_leave_out_kin(exemplars):
    codes = torch.arange(48) // 2
    ends, anchors = [], []
    for shared in (None, codes, torch.arange(48)):
        model, rows, heldout, settings = start(60, pretrain_epochs=1, exemplars=exemplars)
        anchors.append(anchor_at(model, rows, settings, seed=1, kin=shared).fisher)
        pretrain(model, rows, heldout, settings, seed=1, kin=shared)
        ends.append(state(model))
    for alone, families, strangers in (ends, anchors):
        assert not same(alone, families)
        assert all(torch.allclose(alone[name], strangers[name], atol=1e-5) for name in alone)


def test_without_leaving_out_kin_do_not_matter():
    ends = []
    for shared in (None, torch.arange(48) // 2):
        model, rows, heldout, settings = start(60, pretrain_epochs=1, leave_one_out=False)
        pretrain(model, rows, heldout, settings, seed=1, kin=shared)
        ends.append(state(model))
    assert same(*ends)


def test_the_generator_finds_families_and_copies(monkeypatch):
    settings = quick(pretrain_epochs=1, heldout_fraction=0.2, exemplars="all")
    frame = mixed(100)
    frame.iloc[99] = frame.iloc[98]
    encoding = fit_encoding(frame, COLUMNS)
    group = np.arange(100)
    group[1] = 0
    seen = []
    step = Loss.of_majority

    def note(loss, rows, cache, at, noise, own, weight):
        seen.extend((own.view(len(own), -1) >= 0).sum(1).tolist())
        return step(loss, rows, cache, at, noise, own, weight)

    monkeypatch.setattr(Loss, "of_majority", note)
    for seed in range(3):  # with one of them the kin are held out
        pretrain_majority(encoding, encoded(encoding, frame, settings), group, settings, seed=seed)
    assert len(seen) == 3 * 80
    assert set(seen) == {1, 2}
    assert seen.count(2) % 2 == 0  # both of a pair are trained on or held out


def test_the_encoders_share_of_the_fisher_information_is_no_matter_of_noise(monkeypatch):
    model, rows, heldout, settings = start()
    pretrain(model, rows, heldout, settings, seed=1)

    def share(draws):
        monkeypatch.setattr(anchor, "DRAWS", draws)
        fisher = anchor_at(model, rows, settings, seed=1).fisher
        parts = {part: sum(value.sum() for name, value in fisher.items() if name.startswith(part)) for part in ("en", "de")}
        return float(parts["en"] / (parts["en"] + parts["de"]))

    few, usual, many = share(1), share(8), share(64)
    assert few > usual > many
    assert usual - many < (few - many) / 4


def test_carriers_and_their_places():
    carriers, position = draw_carriers(normal(9), 4, torch.Generator().manual_seed(0))
    assert position[carriers].tolist() == [0, 1, 2, 3]
