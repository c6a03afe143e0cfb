"""Every dtype comes back as it was, with plausible values; a column that cannot be learned is refused by name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgvae.sampler.column_types import MOST_LEVELS
from mgvae.sampler.table_types import TableTypes
from tests.mgvae.sampler.sampler_tables import MAJORITY, RARE, every_dtype, labels, quick, small

COLUMNS = every_dtype()
ROUNDED = {"centuries in ns"}  # spans beyond 2^53 steps


@pytest.fixture(scope="module")
def resampled():
    """One table with every column, resampled."""
    return quick({1: 4 * MAJORITY}, plausibility="matched").fit_resample(pd.DataFrame(COLUMNS), labels())[0]


@pytest.mark.parametrize("name", COLUMNS)
def test_rows_given_come_first_and_unchanged(resampled, name):
    pd.testing.assert_series_equal(resampled[name].iloc[: MAJORITY + RARE], COLUMNS[name], check_names=False)


@pytest.mark.parametrize("name", COLUMNS)
def test_synthetic_values_lie_within_the_observed_range(resampled, name):
    made = resampled[name].iloc[MAJORITY + RARE :]
    assert len(made) == 4 * MAJORITY - RARE
    assert made.isna().any() <= COLUMNS[name].isna().any()
    observed, made = list(COLUMNS[name].dropna()), list(made.dropna())
    if TableTypes.fit(COLUMNS[name].to_frame(0)).column_types[0].column.kind in ("binary", "categorical", "ordinal"):
        assert set(made) <= set(observed)
    elif made:
        assert min(made) >= min(observed)
        assert max(made) <= max(observed)


@pytest.mark.parametrize("name", [name for name, column in COLUMNS.items() if column.isna().any()])
def test_missing_cells_are_made_where_they_occur(resampled, name):
    assert resampled[name].iloc[MAJORITY + RARE :].isna().any()


@pytest.mark.parametrize("name", COLUMNS)
def test_typed_columns_convert_back(name):
    types = TableTypes.fit(COLUMNS[name].to_frame(0))
    again = types.to_user(types.to_typed(COLUMNS[name].to_frame(0)), np.random.default_rng(0))[0]
    if name in ROUNDED:
        assert again.dtype == COLUMNS[name].dtype
        assert (again.isna() == COLUMNS[name].isna()).all()
    else:
        pd.testing.assert_series_equal(again, COLUMNS[name], check_names=False)


@pytest.mark.parametrize("empty", [None, np.nan, pd.NA])
def test_a_missing_object_keeps_its_kind(empty):
    column = pd.Series(["a", "b", empty] * 20, dtype=object).to_frame("o")
    made = quick({1: 200}).fit_resample(column, labels())[0]["o"].iloc[60:]
    missing = made[made.isna()]
    assert len(missing)
    assert all(cell is empty or (cell != cell and empty is not pd.NA) for cell in missing)


@pytest.mark.parametrize("dtype", ["int64", "Int64", "int64[pyarrow]", object])
@given(values=st.lists(st.integers(1 - 2**53, 2**53 - 1), min_size=2, max_size=30))
@settings(max_examples=40, deadline=None)
def test_whole_numbers_are_exact(dtype, values):
    table = pd.Series(values, dtype=dtype).to_frame(0)
    types = TableTypes.fit(table)
    assert types.to_user(types.to_typed(table), np.random.default_rng(0))[0].tolist() == values


@given(st.lists(st.sampled_from(["a", "b", "c", None, 1, 2.5, (1,)]), min_size=1, max_size=30))
@settings(max_examples=40, deadline=None)
def test_levels_are_restored(values):
    table = pd.Series(values, dtype=object).to_frame(0)
    types = TableTypes.fit(table)
    assert types.to_user(types.to_typed(table), np.random.default_rng(0))[0].tolist() == values


def test_numbers_named_categorical_are_levels():
    table = pd.DataFrame({"code": [10, 20, 90] * 20, "x": np.arange(60.0)})
    made = quick({1: 300}, categorical_features=["code"]).fit_resample(table, labels())[0]
    assert set(made["code"]) == {10, 20, 90}
    assert made["code"].dtype == table["code"].dtype


@pytest.mark.parametrize("which", [[0], [-2], np.array([True, False]), ("code",)])
def test_categorical_columns_by_position_mask_or_name(which):
    sampler = quick(categorical_features=which)
    sampler.fit_resample(pd.DataFrame({"code": [10, 20, 90] * 20, "x": np.arange(60.0)}), labels())
    assert sampler.table_types_.column_types[0].column.kind == "categorical"
    assert sampler.table_types_.column_types[1].column.kind == "continuous"


def test_the_rarest_of_too_many_levels_share_one():
    column = pd.Series([f"v{at}" for at in range(500)] + ["common"] * 100, dtype="str")
    column_type = TableTypes.fit(column.to_frame(0)).column_types[0]
    assert column_type.count == MOST_LEVELS
    assert len(column_type.values) + len(column_type.substitutes) == 501


@pytest.mark.parametrize(
    ("column", "match"),
    [
        (pd.Series([1.0, np.inf] * 30), "Column 'bad' must hold finite numbers; got infinity in 30 cells"),
        (pd.Series([1.0, -np.inf] * 30).astype("Float64"), "Column 'bad' must hold finite numbers"),
        (pd.Series([1.0, np.inf, 2] * 20, dtype=object), "Column 'bad' must hold finite numbers"),
        (pd.Series(2**53 + np.arange(60)), r"Column 'bad' must hold whole numbers below 2\^53.*; got larger ones in 60 cells"),
        (pd.Series(-(2**63) * (np.arange(60) % 3 == 0) + np.arange(60)), "got larger ones in 20 cells"),
        (pd.Series(2**63 + np.arange(60, dtype="uint64")).astype("UInt64"), "got larger ones in 60 cells"),
        (pd.Series([2**53, 1, 2] * 20).astype("int64[pyarrow]"), "got larger ones in 20 cells"),
        (pd.Series([2**70, None, 2] * 20, dtype=object), "Column 'bad' must hold whole numbers below"),
        (pd.Series([1j] * 60), "Column 'bad' must hold numbers, levels or times; got dtype complex128"),
        (pd.Series([[1]] * 60), "Column 'bad' must hold numbers, levels or times; got object"),
        (pd.Series([{"a": 1}] * 60), "Column 'bad' must hold numbers, levels or times; got object"),
        (pd.Series(pd.arrays.ArrowExtensionArray(pa.array([[1]] * 60))), "Column 'bad' must hold numbers, levels or times"),
        (
            pd.Series(pd.arrays.ArrowExtensionArray(pa.array([{"a": 1}] * 60))),
            "Column 'bad' must hold numbers, levels or times",
        ),
    ],
)
def test_a_column_that_cannot_be_learned_is_refused_by_name(column, match):
    with pytest.raises(ValueError, match=match):
        quick().fit_resample(small().assign(bad=column), labels())


def test_errors_quote_no_cell():
    table = small().assign(secret=pd.Series([["Jane Roe"]] * 60))
    with pytest.raises(ValueError, match="secret") as caught:
        quick().fit_resample(table, labels())
    assert "Jane" not in str(caught.value)
