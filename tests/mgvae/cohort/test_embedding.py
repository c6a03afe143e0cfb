import numpy as np
import pandas as pd
import pytest

from mgvae.cohort.embedding import fit_embedding, nearest, nearest_other, plain_matrix
from tests.validation.simulated_patients import draw_patients


@pytest.fixture
def rng():
    return np.random.default_rng(20240229)


def squared_distance(embedding, frame):
    points = embedding.transform(frame)
    return float(((points[0] - points[1]) ** 2).sum())


def one_column(values, **options):
    return pd.DataFrame({"x": pd.Series(values, **options)})


def test_a_mismatch_of_levels_weighs_as_two_random_patients_differ_in_a_number(rng):
    numeric = one_column(rng.normal(50, 7, 4000))
    points = fit_embedding(numeric).transform(numeric)
    shuffled = points[rng.permutation(len(points))]
    assert ((points - shuffled) ** 2).sum(axis=1).mean() == pytest.approx(2, rel=0.05)
    levels = one_column(["a", "b"], dtype=pd.CategoricalDtype(["a", "b", "c"]))
    assert squared_distance(fit_embedding(levels), levels) == pytest.approx(2)


def test_missing_is_a_level_of_its_own():
    levels = one_column(["a", None], dtype=pd.CategoricalDtype(["a", "b"]))
    assert squared_distance(fit_embedding(levels), levels) == pytest.approx(2)
    numbers = one_column([5.0, np.nan])
    assert squared_distance(fit_embedding(one_column([1.0, 5.0, 9.0])), numbers) == pytest.approx(2)


def test_units_do_not_matter(rng):
    frame = draw_patients(rng, 50, cases=False)
    scaled = frame.assign(lab0=1000 * frame["lab0"] + 3)
    assert fit_embedding(frame).transform(frame) == pytest.approx(fit_embedding(scaled).transform(scaled), abs=1e-4)


def test_ordinal_levels_keep_their_order():
    stage = pd.CategoricalDtype(["1", "2", "3"], ordered=True)
    frame = one_column(["1", "2", "3"], dtype=stage)
    points = fit_embedding(frame).transform(frame)[:, 0]
    assert points[1] - points[0] == pytest.approx(points[2] - points[1])
    assert points[1] > points[0]


@pytest.mark.parametrize("values", [[np.nan, np.nan], [3.0, 3.0], [0.0] * 9 + [50.0], [1.0, 1e300]])
def test_degenerate_columns_embed_finitely(values):
    frame = one_column(values)
    assert np.isfinite(fit_embedding(frame).transform(frame)).all()


def test_infinite_values_are_bounded():
    embedding = fit_embedding(one_column([1.0, 2.0, 3.0]))
    assert np.isfinite(embedding.transform(one_column([np.inf, -np.inf, np.nan]))).all()
    assert not np.isinf(plain_matrix(one_column([np.inf, -np.inf]))).any()


def test_nearest_agrees_with_all_pairs(rng):
    queries, reference = rng.normal(size=(40, 6)).astype(np.float32), rng.normal(size=(70, 6)).astype(np.float32)
    pairs = np.linalg.norm(queries[:, None] - reference, axis=2)
    distances, positions = nearest(queries, reference)
    assert positions[:, 0].tolist() == pairs.argmin(axis=1).tolist()
    assert distances[:, 0] == pytest.approx(pairs.min(axis=1), abs=1e-5)


@pytest.mark.parametrize("neighbours", [1, 2, 6])
def test_of_rows_equally_near_the_first_are_found(rng, neighbours):
    queries, reference = rng.integers(0, 3, (40, 2)), rng.integers(0, 3, (30, 2))  # many distances are equal
    squares = ((queries[:, None] - reference) ** 2).sum(axis=2)
    distances, positions = nearest(queries, reference, neighbours=neighbours)
    first = np.argsort(squares, axis=1, kind="stable")[:, :neighbours]
    np.testing.assert_array_equal(positions, first)
    np.testing.assert_array_equal(distances, np.sqrt(np.take_along_axis(squares, first, axis=1)))


def test_nearest_other_is_never_the_row_itself(rng):
    rows = np.repeat(rng.normal(size=(10, 3)), 3, axis=0)  # each row thrice
    found = nearest_other(rows, np.arange(30))
    assert (found != np.arange(30)).all()
    assert (rows[found] == rows).all()
