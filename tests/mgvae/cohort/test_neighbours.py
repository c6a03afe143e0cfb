"""Nearest rows by products in single precision are those of scikit-learn."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from mgvae.cohort import embedding, neighbours
from mgvae.cohort.neighbours import is_worth_it, nearest_of_many


@pytest.fixture
def rng():
    return np.random.default_rng(20240229)


@pytest.mark.parametrize("count", [1, 2, 6])
@pytest.mark.parametrize("size", [7, 64, 1000])
def test_they_are_the_nearest_of_all(rng, count, size):
    reference = rng.normal(size=(size, 30)).astype(np.float32) + 5
    queries = np.concatenate([rng.normal(size=(50, 30)).astype(np.float32) + 5, reference[:20]])
    wanted, who = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(reference.astype(float)).kneighbors(queries)
    distances, positions = nearest_of_many(queries, reference, count)
    assert positions.tolist() == who.tolist()
    assert distances == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize(("name", "size"), [("BLOCK", 1000), ("CHUNK", 130), ("CHUNK", 100), ("CHUNK", 2)])
def test_blocks_change_nothing(rng, monkeypatch, name, size):
    reference, queries = (rng.normal(size=(rows, 5)).astype(np.float32) for rows in (300, 41))
    whole = nearest_of_many(queries, reference, 3)
    monkeypatch.setattr(neighbours, name, size)
    assert [part.tolist() for part in nearest_of_many(queries, reference, 3)] == [part.tolist() for part in whole]


def test_distances_are_those_of_double_precision(rng):
    reference = (20 + rng.normal(size=(500, 8))).astype(np.float32)  # products alone would round digits away
    distances, positions = nearest_of_many(reference[:9], reference, 2) or pytest.fail("too many candidates")
    gaps = reference[:9].astype(float) - reference[positions[:, 1]]
    assert positions[:, 0].tolist() == list(range(9))
    assert distances == pytest.approx(np.stack([np.zeros(9), np.linalg.norm(gaps, axis=1)], axis=1), rel=1e-12)


def test_twins_come_in_order_and_many_of_them_are_left_to_others(rng, monkeypatch):
    reference = np.repeat(rng.normal(size=(3, 4)).astype(np.float32), 300, axis=0)
    assert nearest_of_many(reference, reference, 2) is None
    monkeypatch.setattr(neighbours, "MOST_CANDIDATES", 300)
    for chunk in (neighbours.CHUNK, 250):  # of which one has no twin of the first
        monkeypatch.setattr(neighbours, "CHUNK", chunk)
        assert nearest_of_many(reference[[0, 899]], reference, 2)[1].tolist() == [[0, 1], [600, 601]]
    monkeypatch.setattr(embedding, "is_worth_it", lambda queries, reference: True)
    monkeypatch.setattr(neighbours, "MOST_CANDIDATES", 200)
    assert embedding.nearest(reference, reference, neighbours=2)[0] == pytest.approx(0, abs=1e-3)


def test_small_tables_are_left_to_scikit_learn():
    few, many = (np.lib.stride_tricks.as_strided(np.zeros(1, np.float32), (rows, 1000), (0, 0)) for rows in (1000, 20_000))
    assert not is_worth_it(few, few)
    assert is_worth_it(few, many)
    assert not is_worth_it(few.astype(float), many)
