"""Data sets: thinned as published, parts that share no row, tables split by rows or by groups."""

from __future__ import annotations

import pytest
import torch

from mgvae.errors import ConfigError, DataError
from mgvae.paper.datasets.load import load
from mgvae.paper.datasets.rows import Rows, at_most, thinned
from tests.mgvae.paper.layouts import celeba, images, isolet, musk, real, water


def keys(rows):
    return {row.numpy().tobytes() for row in rows.values}


def test_digits_need_no_folder():
    data = load("digits", None, rho=600, seed=3)
    assert data.train.counts(10)[5:] == (10,) * 5
    assert data.validation.counts(10) == (10,) * 10
    assert min(data.train.counts(10)[:5]) > 60
    assert (data.shape, data.majority, data.minority) == ((1, 8, 8), (0, 1, 2, 3, 4), (5, 6, 7, 8, 9))
    assert not keys(data.test) & (keys(data.train) | keys(data.validation))
    assert not keys(data.train) & keys(data.validation)


def test_the_same_seed_draws_the_same_cases_and_another_does_not():
    one, same, other = (load("digits", None, seed=seed) for seed in (0, 0, 1))
    torch.testing.assert_close(one.train.values, same.train.values)
    assert keys(one.train) != keys(other.train)


@pytest.mark.parametrize("name", ["digits", "mnist", "celeba"])
def test_a_number_of_cases_changes_the_training_rows_of_rare_classes_alone(tmp_path, name):
    folder = celeba(tmp_path / "celeba", each=(80, 40, 40, 40, 40)) if name == "celeba" else images(tmp_path, each=80)
    few, more = (load(name, folder, seed=2, cases=cases) for cases in (6, 18))
    assert few.train.counts(10)[5:] == (6,) * 5 if name != "celeba" else few.train.counts(5)[1:] == (6,) * 4
    for part in ("validation", "test"):
        torch.testing.assert_close(getattr(few, part).values, getattr(more, part).values)
    majority = [keys(one.train.take(torch.isin(one.train.labels, torch.tensor(one.majority)))) for one in (few, more)]
    assert majority[0] == majority[1]
    assert keys(few.train) < keys(more.train) or name == "celeba"  # its plain faces are all alike
    assert "18" in more.thinned


@pytest.mark.parametrize(("rho", "cases"), [(600, 10), (100, 60)])
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_published_images_thinned(name, rho, cases):
    data = load(name, real(), rho=rho)
    assert data.train.counts(10)[5:] == (cases,) * 5
    assert sum(data.train.counts(10)[:5]) + 5 * cases == (30_596 if name == "mnist" else 30_000)  # the rest is every 0-4
    assert len(data.test) == 10_000
    assert data.train.values.dtype == torch.uint8


def test_a_first_look_cuts_the_large_classes(tmp_path):
    data = load("mnist", images(tmp_path, each=400), rho=600, quick=True)
    assert data.train.counts(10) == (300,) * 5 + (10,) * 5
    assert "for a first look" in data.thinned


def test_a_first_look_at_a_table_keeps_its_imbalance():
    folder = real("water_quality")
    whole, quick = (load("water-quality", folder, quick=quick) for quick in (False, True))
    large, rare = quick.train.counts(2)
    assert large == 300
    assert rare / large == pytest.approx(whole.train.counts(2)[1] / whole.train.counts(2)[0], rel=0.05)


def test_celeba_has_one_majority_and_four_rare_classes(tmp_path):
    celeba(tmp_path / "celeba", each=(80, 60, 60, 60, 60))
    data = load("celeba", tmp_path, rho=600)
    assert data.train.counts(5) == (40, 25, 25, 25, 25)
    assert data.test.counts(5) == (20, 15, 15, 15, 15)
    assert (data.majority, data.minority, data.shape) == ((0,), (1, 2, 3, 4), (3, 64, 64))
    first = data.train.values[data.train.labels == 2].reshape(-1, 3, 64, 64)[:, 0].double().mean()
    assert float(first) == pytest.approx(80, abs=3)  # images keep their labels: each class has a red of its own


@pytest.mark.parametrize(("name", "test"), [("musk", 200), ("isolet", 200), ("water-quality", 300)])
def test_tables_by_rows(name, test):
    data = load(name, real())
    assert data.test.counts(2) == (test, test)
    assert data.train.values.min() == 0.0
    assert data.train.values.max() == 1.0
    assert data.shape is None


@pytest.mark.parametrize("seed", [0, 1])
def test_no_molecule_lies_on_two_sides(tmp_path, seed):
    rows = [[f"M{m}", f"c{c}", *[m] * 165, c, m % 3 == 0] for m in range(60) for c in range(4)]
    data = load("musk", musk(tmp_path, [[*row[:-1], int(row[-1])] for row in rows]), split="groups", seed=seed)
    sides = [{round(value, 4) for value in part.values[:, 0].tolist()} for part in (data.train, data.validation, data.test)]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 60
    assert [len(side) for side in sides] == [39, 9, 12]
    assert all(len(set(part.labels.tolist())) == 2 for part in (data.train, data.validation, data.test))


def test_isolet_by_speakers(tmp_path):
    data = load("isolet", isolet(tmp_path), split="groups")
    assert [len(part) for part in (data.train, data.validation, data.test)] == [78, 26, 26]


def test_what_cannot_be_loaded(tmp_path):
    with pytest.raises(ConfigError, match="must be one of digits, mnist"):
        load("cifar", None)
    with pytest.raises(ConfigError, match="rho must be 600 or 100; got 7"):
        load("digits", None, rho=7)
    with pytest.raises(ConfigError, match=r"Name it \(--data\)"):
        load("mnist", None)
    with pytest.raises(ConfigError, match="must be rows or groups; got 'time'"):
        load("musk", tmp_path, split="time")
    with pytest.raises(ConfigError, match="no groups to split by"):
        load("water-quality", water(tmp_path), split="groups")


def test_a_number_of_cases_that_cannot_be_kept(tmp_path):
    with pytest.raises(ConfigError, match="musk keeps its own"):
        load("musk", musk(tmp_path), cases=10)
    with pytest.raises(ConfigError, match="must keep one row or more; got 0"):
        load("digits", None, cases=0)
    with pytest.raises(DataError, match="must have 210 rows to draw from"):
        load("digits", None, cases=200)


def test_too_few_rows_are_refused():
    labels = torch.tensor([0] * 9 + [1] * 5)
    with pytest.raises(DataError, match="Class 1 must have 6 rows to draw from; got 5"):
        thinned(labels, {0: None, 1: 4}, 2, seed=0)
    with pytest.raises(DataError, match="more than the 9 rows"):
        thinned(labels, {0: None}, 9, seed=0)


def test_thinning_is_disjoint_and_nested():
    labels = torch.arange(200) % 2
    few, apart = thinned(labels, {0: None, 1: 10}, 10, seed=5)
    more, same = thinned(labels, {0: None, 1: 30}, 10, seed=5)
    assert not set(few.tolist()) & set(apart.tolist())
    assert set(few.tolist()) <= set(more.tolist())
    assert apart.tolist() == same.tolist()


def test_at_most_keeps_the_first_rows_of_each_class():
    rows = Rows(torch.arange(6.0)[:, None], torch.tensor([1, 0, 1, 1, 0, 2]))
    assert at_most(rows, 2).values[:, 0].tolist() == [0.0, 1.0, 2.0, 4.0, 5.0]
