"""Near copies found by screening are those of comparing all rows with all patients."""

import numpy as np
import pytest

from mgvae.cohort.embedding import neighbour_ratios
from validation import near_search
from validation.near_search import NearSearch, near_copies

WIDTH = 300
RATIO = 0.33


@pytest.fixture
def tables(rng):
    """Return queries and patients; the first 30 queries lie more and more far from a patient each, and one has a twin."""
    spread = 1 / np.sqrt(np.arange(1, WIDTH + 1))  # as in real tables, some directions matter more
    queries, patients = (rng.normal(size=(rows, WIDTH)) * spread for rows in (200, 1500))
    step = rng.normal(size=(30, WIDTH)) * spread
    queries[:30] = patients[:30] + step * np.linspace(0, 0.6, 30)[:, None]
    patients[29] = patients[28]
    return queries.astype(np.float32), patients.astype(np.float32)


@pytest.fixture
def compared(monkeypatch):
    """Screen whatever the size; return how many rows each full comparison had."""
    rows = []

    def count(queries, patients):
        rows.append(len(queries))
        return neighbour_ratios(queries, patients)

    monkeypatch.setattr(near_search, "WORTH", 0)
    monkeypatch.setattr(near_search, "neighbour_ratios", count)
    return rows


def test_screening_misses_no_near_copy_and_spares_most_rows(tables, compared):
    queries, patients = tables
    ratios, who = neighbour_ratios(queries, patients)
    found, whom = near_copies(queries, patients, ratio=RATIO)
    assert 5 < len(found) < 25
    assert found.tolist() == np.flatnonzero(ratios < RATIO).tolist()
    assert whom.tolist() == who[found].tolist()
    assert compared[0] < 60


def test_blocks_change_nothing(tables, compared, monkeypatch):
    whole = near_copies(*tables, ratio=RATIO)
    monkeypatch.setattr(near_search, "BLOCK", 5000)
    assert [part.tolist() for part in near_copies(*tables, ratio=RATIO)] == [part.tolist() for part in whole]


def test_a_part_of_the_rows_is_judged_by_its_own_neighbours(tables, compared, rng):
    search = NearSearch(np.concatenate(tables), ratio=RATIO)
    for _ in range(5):
        chosen = rng.permutation(1700)[:1000]
        queries, patients = chosen[:300], chosen[300:]
        ratios, who = neighbour_ratios(search.rows[queries], search.rows[patients])
        found, whom = search.near(queries, patients)
        assert found.tolist() == np.flatnonzero(ratios < RATIO).tolist()
        assert whom.tolist() == who[found].tolist()
    assert max(compared) < 150


def test_patients_without_a_landmark_are_compared_in_full(tables, compared, monkeypatch):
    monkeypatch.setattr(near_search, "LANDMARKS", 1)
    assert near_copies(*tables, ratio=RATIO)[0].tolist() == np.flatnonzero(neighbour_ratios(*tables)[0] < RATIO).tolist()
    assert compared == [200]


def test_small_tables_are_compared_in_full(tables, compared, monkeypatch):
    monkeypatch.setattr(near_search, "WORTH", 5_000_000_000)
    near_copies(*tables, ratio=RATIO)
    assert compared == [200]


def test_no_near_copy_gives_none(tables, compared):
    queries, patients = tables
    assert [len(part) for part in near_copies(queries[30:], patients[30:], ratio=0.01)] == [0, 0]
    assert compared == [0]
