"""Tables, indexes, column names and labels of any kind come back in kind, the rows given first and unchanged."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from mgvae.sampler.containers import append_labels, append_rows, as_table, new_index_labels, read_labels
from tests.mgvae.sampler.sampler_tables import MAJORITY, RARE, labels, quick, small

N = MAJORITY + RARE
NUMBERS = small()[["a", "b"]].to_numpy()
PARENTS = np.array([3, 0, 3, 7])

ARRAYS = {
    "float64": NUMBERS,
    "float32": NUMBERS.astype("float32"),
    "int64": NUMBERS.astype(int),
    "bool": NUMBERS > 0,
    "text": np.array([["p", "x" if at % 3 else "z"] for at in range(N)]),
    "object": np.array([[at / 7, "x" if at % 3 else None] for at in range(N)], dtype=object),
    "date": (NUMBERS * 1e5).astype("datetime64[s]"),
    "Fortran": np.asfortranarray(NUMBERS),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_stays_an_array_of_its_dtype(name):
    given = ARRAYS[name].copy()
    out, y = quick().fit_resample(given, labels())
    assert type(out) is np.ndarray
    assert out.dtype == given.dtype
    assert out.shape == (2 * MAJORITY, 2)
    np.testing.assert_array_equal(out[:N], ARRAYS[name])
    np.testing.assert_array_equal(given, ARRAYS[name])
    np.testing.assert_array_equal(y, np.r_[labels(), np.ones(MAJORITY - RARE)])


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"])
@pytest.mark.parametrize("kind", ["matrix", "array"])
def test_a_sparse_matrix_stays_one_of_its_kind(form, kind):
    given = getattr(sparse, f"{form}_{kind}")(np.where(NUMBERS > 0, NUMBERS, 0))
    made = pd.DataFrame(np.ones((4, 2)))
    out = append_rows(given, made, PARENTS)
    assert type(out) is type(given)
    assert out.dtype == given.dtype
    np.testing.assert_array_equal(out.toarray(), np.vstack([given.toarray(), np.ones((4, 2))]))


@pytest.mark.parametrize("dtype", ["float64", "float32", "int32", "bool"])
def test_a_sparse_matrix_is_resampled(dtype):
    given = sparse.csr_matrix(np.where(NUMBERS > 0, NUMBERS, 0).astype(dtype))
    out, _ = quick().fit_resample(given, labels())
    assert (out.dtype, out.shape, out.format) == (given.dtype, (2 * MAJORITY, 2), "csr")
    assert not (out[:N] != given).nnz


@pytest.mark.parametrize("row", [list, tuple])
def test_a_list_stays_a_list_with_python_values(row):
    rows = [row(one) for one in small().itertuples(index=False, name=None)]
    given = copy.deepcopy(rows)
    out, y = quick().fit_resample(given, labels().tolist())
    assert type(out) is type(y) is list
    assert given == rows == out[:N]
    assert [type(cell) for cell in out[-1]] == [float, int, str]
    assert len(y) == 2 * MAJORITY


@pytest.mark.parametrize(
    ("X", "match"),
    [
        (NUMBERS[:, 0], "X must have rows and columns; got 1 dimension"),
        (np.zeros((N, 2, 2)), "X must have rows and columns; got 3 dimension"),
        ([[1, 2]] * (N - 1) + [[1]], "X must have rows of equal length"),
        (small().iloc[:0], r"X must have at least one row and one column; got shape \(0, 3\)"),
        (small()[[]], "X must have at least one row and one column"),
        (np.empty((0, 2)), "X must have at least one row"),
        (small()["a"], "X must be a pandas DataFrame, an array, a SciPy sparse matrix or a list of rows; got Series"),
        (None, "got NoneType"),
        ({"a": [1]}, "got dict"),
        (np.ma.masked_less(NUMBERS, 0), "X must be a plain array; got a masked one"),
        (NUMBERS.astype(complex), "must hold numbers, levels or times"),
        (NUMBERS[:-1], "inconsistent numbers of samples"),
    ],
)
def test_a_table_that_is_none_is_refused(X, match):
    with pytest.raises(ValueError, match=match):
        quick().fit_resample(X, labels())


INDEXES = {
    "range": pd.RangeIndex(N, name="row"),
    "range with a step": pd.RangeIndex(5, 5 + 3 * N, 3),
    "range downwards": pd.RangeIndex(0, -N, -1),
    "whole numbers": pd.Index(np.random.default_rng(0).permutation(N), name="patient"),
    "nullable": pd.Index(range(N), dtype="Int64"),
    "arrow": pd.Index(range(N), dtype="int64[pyarrow]"),
    "small integers near their end": pd.Index(np.arange(127 - N + 1, 128), dtype="int8"),
    "the largest integer": pd.Index([*range(N - 1), 2**63 - 1]),
    "floats": pd.Index(np.arange(N) / 2),
    "text": pd.Index([f"p{at}" for at in range(N)]),
    "text like ours": pd.Index([f"synthetic-{at}" for at in range(N)]),
    "text objects": pd.Index([f"p{at}" for at in range(N)], dtype=object),
    "dates": pd.date_range("2020-01-01", periods=N),
    "dates without frequency": pd.date_range("2020-01-01", periods=N).delete(0).insert(N - 1, pd.Timestamp("2030-01-01")),
    "levels": pd.MultiIndex.from_product([range(N // 2), ["a", "b"]], names=["family", "child"]),
    "repeated": pd.Index(np.repeat([1, 2], N // 2)),
    "repeated text": pd.Index(["a", "b"] * (N // 2)),
    "mixed": pd.Index([1, "a", (1, 2), None] * (N // 4), dtype=object),
    "categories": pd.CategoricalIndex(["a", "b"] * (N // 2)),
    "booleans": pd.Index([True, False] * (N // 2)),
    "intervals": pd.interval_range(0, N, N),
    "missing": pd.Index([np.nan] * N),
}


@pytest.mark.parametrize("name", INDEXES)
def test_an_index_keeps_its_kind_and_labels(name):
    index = INDEXES[name]
    table = small().set_axis(index)
    made = small(4).set_axis(table.columns, axis=1)
    out = append_rows(table, made, PARENTS)
    y = append_labels(pd.Series(labels(), index=index, name="out"), np.ones(4, dtype=int), PARENTS)
    assert type(out.index) is type(index)
    assert out.index.dtype == index.dtype
    assert out.index.names == index.names
    assert out.index[:N].equals(index)
    assert out.index.equals(y.index)
    assert y.name == "out"
    if index.is_unique and name in ("range", "whole numbers", "nullable", "text", "text like ours", "text objects"):
        assert out.index.is_unique


def test_the_index_of_a_resampled_frame():
    index = pd.RangeIndex(10, 10 + 2 * N, 2)
    out, y = quick().fit_resample(small().set_axis(index), pd.Series(labels(), index=index))
    assert isinstance(out.index, pd.RangeIndex)
    assert out.index.equals(pd.RangeIndex(10, 10 + 4 * MAJORITY, 2))
    assert y.index.equals(out.index)


def test_labels_keep_an_index_of_their_own():
    index = pd.Index([f"q{at}" for at in range(N)])
    out, y = quick().fit_resample(small(), pd.Series(labels(), index=index))
    assert y.index[:N].equals(index)
    assert out.index.equals(pd.RangeIndex(2 * MAJORITY))


@given(st.lists(st.text(max_size=3), min_size=1, max_size=20), st.integers(0, 20))
@settings(max_examples=60, deadline=None)
def test_new_text_labels_are_new(names, n):
    index = pd.Index([*names, "synthetic-1"])
    assert not set(new_index_labels(index, np.zeros(n, dtype=int))) & set(index)


NAMES = {
    "text": ["a", "b", "c"],
    "repeated": ["a", "a", "a"],
    "numbers": [2, 0, 1],
    "mixed": [0, "a", None],
    "pairs": pd.MultiIndex.from_tuples([("x", 1), ("x", 2), ("y", 1)], names=["one", "two"]),
    "dates": pd.date_range("2020-01-01", periods=3),
}


@pytest.mark.parametrize("kind", NAMES)
def test_column_names_of_any_kind_stay(kind):
    table = small().set_axis(NAMES[kind], axis=1)
    sampler = quick()
    out, _ = sampler.fit_resample(table, labels())
    pd.testing.assert_frame_equal(out.iloc[:N], table)
    assert sampler.n_features_in_ == 3
    assert hasattr(sampler, "feature_names_in_") == (kind in ("text", "repeated"))


def test_names_are_forgotten_with_a_table_that_has_none():
    sampler = quick()
    sampler.fit(small(), labels())
    assert sampler.feature_names_in_.tolist() == ["a", "b", "c"]
    sampler.fit(NUMBERS, labels())
    assert not hasattr(sampler, "feature_names_in_")


WORDS = np.array(["no", "yes"])[labels()]
LABELS = {
    "whole": labels(),
    "int8": labels().astype("int8"),
    "float": labels().astype(float),
    "float32": labels().astype("float32"),
    "bool": labels() > 0,
    "text": WORDS,
    "objects": WORDS.astype(object),
    "objects that are numbers": labels().astype(object),
    "list": labels().tolist(),
    "list of text": WORDS.tolist(),
    "tuple": tuple(labels().tolist()),
    "str": pd.Series(WORDS, dtype="str"),
    "string": pd.Series(WORDS, dtype="string"),
    "category": pd.Series(WORDS, dtype="category"),
    "category of numbers": pd.Series(labels()).astype("category"),
    "Int64": pd.Series(labels(), dtype="Int64"),
    "Float64": pd.Series(labels(), dtype="Float64"),
    "boolean": pd.Series(labels() > 0, dtype="boolean"),
    "arrow": pd.Series(labels(), dtype="int64[pyarrow]"),
    "arrow bool": pd.Series(labels() > 0, dtype="bool[pyarrow]"),
    "object series": pd.Series(WORDS, dtype=object),
    "dates": pd.Series(pd.to_datetime(["2020-01-01", "2021-01-01"]).to_numpy()[labels()]),
    "frame": pd.DataFrame({"y": WORDS}),
    "Categorical": pd.Categorical(WORDS),
    "Index": pd.Index(WORDS, name="y"),
    "one-hot": np.eye(2, dtype=int)[labels()],
    "one-hot floats": np.eye(2)[labels()],
    "one-hot list": np.eye(2, dtype=int)[labels()].tolist(),
    "one-hot frame": pd.DataFrame(np.eye(2, dtype=int)[labels()], columns=["no", "yes"]),
    "one-hot with an empty class": np.eye(3, dtype=int)[labels() * 2],
}


def _as_frame(y):
    return y if isinstance(y, pd.DataFrame) else pd.DataFrame(y if isinstance(y, np.ndarray) and y.ndim == 2 else list(y))


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_any_kind_come_back_in_kind(kind):
    y, n = LABELS[kind], 4
    each, one_hot = read_labels(y)
    assert len(np.unique(each)) == 2
    out = append_labels(y, np.repeat(each[-1], n), PARENTS, one_hot=one_hot)
    assert type(out) is type(y)
    if hasattr(y, "dtype"):
        assert out.dtype == y.dtype
    given, got = _as_frame(y), _as_frame(out)
    pd.testing.assert_frame_equal(got.iloc[:N], given)
    for at in range(n):
        assert got.iloc[N + at].tolist() == given.iloc[-1].tolist()


def test_a_column_of_labels_is_flattened():
    out, y = quick().fit_resample(NUMBERS, labels()[:, None])
    assert y.shape == (len(out),)


@pytest.mark.parametrize("kind", ["category", "boolean", "one-hot frame", "list of text", "objects that are numbers"])
def test_labels_through_the_whole_sampler(kind):
    _, y = quick().fit_resample(small(), LABELS[kind])
    assert type(y) is type(LABELS[kind])
    assert len(y) == 2 * MAJORITY


HOLE = np.arange(N) == 3


@pytest.mark.parametrize(
    ("y", "match"),
    [
        (np.where(HOLE, np.nan, labels()), "y must have a label for every row; got 1 missing"),
        (pd.Series(WORDS).mask(HOLE), "got 1 missing"),
        (pd.Series(labels(), dtype="Int64").mask(HOLE), "got 1 missing"),
        (pd.Series(WORDS, dtype="category").mask(HOLE), "got 1 missing"),
        (np.where(HOLE, None, WORDS), "got 1 missing"),
        (None, "y must hold a label for every row; got None"),
        (np.zeros(N), "needs to have more than 1 class"),
        (np.random.default_rng(0).normal(size=N), "Unknown label type: continuous"),
        (np.array([1, "a"], dtype=object)[labels()], "y must hold labels of one kind"),
        (np.ones((N, 2), dtype=int), "Multilabel and multioutput targets are not supported"),
        (np.c_[labels(), labels() + 1], "y should be a 1d array"),
        (sparse.csr_matrix(np.eye(2, dtype=int)[labels()]), "y must be dense"),
        (labels()[:-1], "inconsistent numbers of samples"),
    ],
)
def test_labels_that_cannot_be_used_are_refused(y, match):
    with pytest.raises(ValueError, match=match):
        quick().fit_resample(small(), y)


def test_a_table_of_one_kind_is_read_without_a_copy():
    table = small()
    assert as_table(table) is table
