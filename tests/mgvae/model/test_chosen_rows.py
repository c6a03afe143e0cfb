"""Tests of rows that are gathered where they are used: they are those of a copy."""

import pytest
import torch

from mgvae.model.chosen_rows import ChosenRows, chosen, parts

TABLE = torch.arange(40.0).reshape(10, 4)
AT = torch.tensor([7, 2, 2, 9, 0])


@pytest.mark.parametrize("size", [1, 2, 5, 8])
def test_parts_are_those_of_a_copy(size):
    of_copy, gathered = list(parts(TABLE[AT], size)), list(parts(ChosenRows(TABLE, AT), size))
    assert [len(part) for part in gathered] == [len(part) for part in of_copy]
    assert torch.equal(torch.cat(gathered), torch.cat(of_copy))


def test_rows_are_picked_among_the_chosen():
    rows, at = ChosenRows(TABLE, AT), torch.tensor([3, 0, 3])
    assert torch.equal(rows.index_select(0, at), TABLE[AT][at])
    assert torch.equal(rows[at].index_select(0, torch.arange(3)), TABLE[AT][at])
    assert (len(rows), len(rows[at]), rows.device) == (5, 3, TABLE.device)


def test_a_mask_chooses_without_a_copy():
    mask = torch.arange(10) % 3 == 0
    rows = chosen(TABLE, mask)
    assert isinstance(rows, ChosenRows)
    assert rows.table is TABLE
    assert torch.equal(torch.cat(list(rows.split(3))), TABLE[mask])


def test_nobody_is_one_empty_part():
    (part,) = parts(ChosenRows(TABLE, AT[:0]), 3)
    assert part.shape == (0, 4)
